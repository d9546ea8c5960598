//! `models` as written: the names callers use, and what stands behind each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;
use crate::config::units::{Duration, ModelName};

/// A model name callers use.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What callers write in `model`.
    pub name: ModelName,
    /// What answers. Should one fail before it has said anything, the next is asked.
    #[schemars(length(min = 1))]
    pub targets: Vec<Target>,
    /// Who is asked first.
    #[serde(default)]
    pub strategy: Strategy,
    /// When a target is asked last for a while.
    #[serde(default)]
    pub health: Health,
    /// Who may ask for it: whom any of this names. Everybody the route lets in, if not said.
    #[serde(default)]
    pub allow: Option<Allow>,
}

/// When a target that keeps failing is asked last for a while. It is one of a provider's models, and
/// what is known of it holds for every name that leads to it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TargetHealth")]
pub struct Health {
    /// Failures in a row after which it is.
    #[schemars(range(min = 1))]
    pub failures: u32,
    /// For how long. After that, one call tries it, and the others go on when that was well.
    pub set_aside: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            failures: 5,
            set_aside: Duration::from_secs(30),
        }
    }
}

/// Who may ask for a model.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ModelAllow")]
pub struct Allow {
    /// Consumers of these teams.
    pub teams: Vec<Name>,
    /// Consumers in these groups.
    pub groups: Vec<Name>,
}

/// Who is asked first; the others follow in the order written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Strategy {
    /// The first.
    #[default]
    Fallback,
    /// Each in turn, by `weight`.
    Weighted,
    /// Whose first token has come soonest of late, the others after it in that order. Who was not
    /// measured for a while is tried once.
    LeastLatency,
    /// Whose price for a prompt of this size and an answer of the length asked for is the least, the
    /// others after it in that order; those without a price come last.
    LeastCost,
}

/// A provider's model.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name of an entry of `providers`.
    pub provider: Name,
    /// What the provider calls the model.
    pub model: ModelName,
    /// Its share of calls with `weighted`, relative to the others. 0 leaves it for when others fail.
    #[serde(default = "Target::default_weight")]
    #[schemars(range(max = 10000))]
    pub weight: u32,
    /// What this process asks of it at most. A target at its limit is passed over.
    #[serde(default)]
    pub limits: Limits,
}

/// What one process asks of a target at most, by whatever model's name. What a fleet may use is
/// limited by `quotas`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TargetLimits")]
pub struct Limits {
    /// Calls at once; no limit, if not said.
    #[schemars(range(min = 1))]
    pub concurrent_requests: Option<u32>,
    /// Calls within any minute; no limit, if not said.
    #[schemars(range(min = 1))]
    pub requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers within any minute: estimated before a call, and put right when
    /// it is over. No limit, if not said.
    #[schemars(range(min = 1))]
    pub tokens_per_minute: Option<u32>,
}

impl Target {
    fn default_weight() -> u32 {
        1
    }
}
