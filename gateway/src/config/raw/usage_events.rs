//! `usage_events` as written: the topic that tells what every request used.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;

/// One record for each request that settled anything in a quota or was for a model; `docs/usage-events.md`
/// says what is in it. Counters of quotas can be made anew from them, by `weir usage replay`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageEvents {
    /// The name of an entry of `kafka_clusters`, which has a `spool`: no request waits for brokers.
    pub cluster: Name,
    /// The topic. Its retention should be longer than the longest window of a quota.
    pub topic: String,
}
