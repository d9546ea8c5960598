//! `quotas` as written: limits on what is used over time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;
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
    /// Over what time.
    pub window: Window,
    /// Whose use is counted apart. One count for all, if empty.
    #[serde(default)]
    pub by: Vec<Dimension>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests.
    Requests,
    /// Prompt and completion tokens of LLM calls.
    Tokens,
}

/// How much may be used per window.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "QuotaLimit")]
pub struct Limit {
    /// For everyone not named in `overrides`. 0 refuses all.
    pub default: u64,
    /// Other limits, by the value of the first entry of `by`, as `{ shop: 5000000 }`.
    #[serde(default)]
    pub overrides: BTreeMap<String, u64>,
}

/// Over what time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// Begins anew with every minute, hour, day or month of UTC.
    Fixed {
        /// How often it begins anew.
        every: Every,
    },
    /// The time up to now.
    Sliding {
        /// Its length.
        every: Duration,
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
    /// Each day, at midnight UTC.
    Day,
    /// Each month, on the first at midnight UTC.
    Month,
}

/// Whose use is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The consumer; needs `key_auth` on the route.
    Consumer,
    /// The consumer's team; needs `key_auth` on the route.
    Team,
    /// The route.
    Route,
    /// The client's address, as `trusted_proxies` allow it to be known.
    ClientAddress,
    /// The model asked for; only on `llm` routes.
    Model,
}
