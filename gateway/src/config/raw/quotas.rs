//! `quotas` as written: limits on what is used over time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;
use super::prices::Amount;
use crate::config::units::Duration;

/// A limit on what is used over time. Applied where a `quota` policy names it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The name policies refer to.
    pub name: Name,
    /// The name of an entry of `stores`.
    pub store: Name,
    /// What is counted.
    pub unit: Unit,
    /// How much may be used per window.
    pub limit: Limit,
    /// Over what time. Not for `concurrent_requests`, which count while they last.
    #[serde(default)]
    pub window: Option<Window>,
    /// Whose use is counted apart. One count for all, if empty.
    #[serde(default)]
    pub by: Vec<Dimension>,
    /// Which requests are counted. All, if nothing is said.
    #[serde(default, rename = "match")]
    pub narrowed: Narrowed,
    /// `false` refuses nothing: what would have been refused is let through, counted, and reported
    /// by `weir_quota_decisions_total`.
    #[serde(default = "yes")]
    pub enforce: bool,
    /// What becomes of a model call that does not fit what is left.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
    /// What becomes of a request while the store does not answer.
    #[serde(default)]
    pub on_store_failure: OnStoreFailure,
}

const fn yes() -> bool {
    true
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "QuotaUnit")]
pub enum Unit {
    /// Requests.
    Requests,
    /// Requests in progress, each until it ends.
    ConcurrentRequests,
    /// Prompt and completion tokens of model calls.
    Tokens,
    /// Prompt tokens of model calls, cached ones included.
    InputTokens,
    /// Completion tokens of model calls, reasoning included.
    OutputTokens,
    /// Prompt tokens that the provider had in its cache.
    CachedTokens,
    /// Completion tokens that were spent on reasoning.
    ReasoningTokens,
    /// What model calls cost, in US dollars, by `prices`.
    Money,
    /// Bytes of published records: key, value and headers.
    KafkaBytes,
    /// Messages that callers send on WebSocket connections; each is charged as it comes.
    WebsocketMessages,
    /// What GraphQL operations cost, by the route's `costs`.
    GraphqlCost,
}

/// How much may be used per window.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "QuotaLimit")]
pub struct Limit {
    /// For everyone not named in `overrides`: a whole number, or dollars such as `"12.50"` where
    /// money is counted. 0 refuses all.
    pub default: Amount,
    /// Other limits, by the value of the first entry of `by`, as `{ shop: 5000000 }`.
    #[serde(default)]
    pub overrides: BTreeMap<String, Amount>,
}

/// Over what time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// Begins anew with every minute, hour, day or month.
    Fixed {
        /// How often it begins anew.
        every: Every,
        /// Whose days and months, as `Europe/Berlin`; UTC, if not said. Minutes and hours are
        /// those of UTC.
        #[serde(default)]
        time_zone: Option<String>,
    },
    /// The time up to now.
    Sliding {
        /// Its length.
        every: Duration,
    },
    /// A bucket that fills evenly, by the limit in a given time, and is full to begin with.
    TokenBucket {
        /// In what time the limit flows in.
        every: Duration,
        /// What the bucket holds; as the limit, if not said.
        #[serde(default)]
        burst: Option<Amount>,
    },
}

/// How often a fixed window begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// Each minute.
    Minute,
    /// Each hour.
    Hour,
    /// Each day, at midnight.
    Day,
    /// Each month, on the first at midnight.
    Month,
}

/// Whose use is counted apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The organisation of the consumer's team; needs `key_auth` on the route.
    Organisation,
    /// The consumer's team; needs `key_auth` on the route.
    Team,
    /// The consumer; needs `key_auth` on the route.
    Consumer,
    /// The route.
    Route,
    /// The model asked for; only on `llm` routes.
    Model,
    /// The provider that answers; only on `llm` routes.
    Provider,
    /// The client's address, as `trusted_proxies` allow it to be known.
    ClientAddress,
    /// The value of a header field, as `{ header: x-tenant }`. Callers choose it: use it where
    /// something before the gateway sets it.
    Header(String),
}

/// Which requests are counted: those that every list given here names.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "QuotaMatch")]
pub struct Narrowed {
    /// Names of routes.
    pub routes: Vec<Name>,
    /// Names of models.
    pub models: Vec<Name>,
    /// Names of consumers.
    pub consumers: Vec<Name>,
}

/// What becomes of a model call that does not fit what is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// It is refused: what begins was reserved whole.
    #[default]
    Refuse,
    /// Its answer is limited to what is left, and a stream ends where that is used up, with
    /// `finish_reason: length`.
    Cut,
    /// If anything is left it begins and is not interrupted; what it uses beyond is debt, paid in
    /// the windows after.
    Finish,
}

/// What becomes of a request while the store does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStoreFailure {
    /// It is refused.
    #[default]
    Deny,
    /// It is let through, and counted once the store answers.
    Allow,
}
