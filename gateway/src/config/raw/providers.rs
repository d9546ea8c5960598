//! `providers` as written: services that answer LLM calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::upstreams::{Breaker, Retries, Timeouts, Tls};
use super::{Name, SecretRef};

/// A service that answers LLM calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The name models refer to; a label of metrics.
    pub name: Name,
    /// What it speaks.
    pub dialect: Dialect,
    /// Where its API begins, as `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key sent to it. None is sent, if not said.
    #[serde(default)]
    pub api_key: Option<SecretRef>,
    /// TLS settings, for a `https` address.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// How long each wait may last.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// When calls are refused instead of made.
    #[serde(default)]
    pub breaker: Breaker,
    /// When a call is tried again.
    #[serde(default)]
    pub retries: Retries,
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI's chat completions, as most servers of open models speak it.
    Openai,
}
