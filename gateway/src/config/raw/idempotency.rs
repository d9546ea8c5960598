//! `idempotency` of an action as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::Duration;

/// Remembers what was answered to a request with an `Idempotency-Key`: sent again, it gets the first answer,
/// and nothing is done twice.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// The entry of `stores` where keys are remembered, of kind redis or memory. In memory they are
    /// forgotten when the gateway restarts, and no other gateway knows them.
    pub store: Name,
    /// How long an answer is remembered.
    #[serde(default = "Idempotency::default_keep")]
    pub keep: Duration,
    /// Refuses requests without a key; else they are published as on any route.
    #[serde(default)]
    pub required: bool,
}

impl Idempotency {
    fn default_keep() -> Duration {
        Duration::from_secs(24 * 3600)
    }
}
