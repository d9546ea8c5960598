//! `routes[].llm` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use crate::config::units::{Duration, ModelName};

/// Answers LLM calls, at the paths of every dialect below the path matched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Llm {
    /// Names of entries of `models` that may be asked for.
    #[schemars(length(min = 1))]
    pub models: Vec<ModelName>,
    /// What a caller is sent while its stream is silent, so that nothing between gives it up.
    #[serde(default)]
    pub keep_alive: KeepAlive,
    /// What becomes of a call whose caller leaves.
    #[serde(default)]
    pub on_disconnect: OnDisconnect,
    /// Answers the same call again from what was answered before. Nothing is kept, if not said.
    #[serde(default)]
    pub cache: Option<Cache>,
    /// Shows prompts and answers on the spans of sampled requests. The platform has to allow it by
    /// `telemetry.llm_content`.
    #[serde(default)]
    pub record_content: bool,
}

/// What a caller is sent while its stream is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeepAlive {
    /// What its dialect has for that: a comment, a `ping` event, or an empty line.
    Ping {
        /// How long nothing may be sent.
        #[serde(default = "KeepAlive::default_after")]
        after: Duration,
    },
    /// Nothing.
    None {},
}

impl KeepAlive {
    fn default_after() -> Duration {
        Duration::from_secs(15)
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self::Ping {
            after: Self::default_after(),
        }
    }
}

/// What becomes of a call whose caller leaves before it has its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    /// The provider's connection is closed at once, and what was said so far is charged.
    #[default]
    Cancel,
    /// The provider's answer is read to its end, so that what it cost is known.
    Drain,
}
