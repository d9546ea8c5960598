//! `routes[].llm.cache` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Name;
use crate::config::units::{Duration, ModelName, Size};

/// Answers calls that were answered before from what was kept, without asking a provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AnswerCache")]
pub struct Cache {
    /// How long an answer is kept, 1s to 30d.
    pub ttl: Duration,
    /// Who may be given what others were answered.
    #[serde(default)]
    pub scope: Scope,
    /// Where answers are kept.
    #[serde(default)]
    pub store: Store,
    /// The largest answer that is kept; a larger one is passed on and forgotten.
    #[serde(default = "Cache::default_max_entry")]
    pub max_entry: Size,
    /// Answers calls, too, that mean the same as one that was answered. Only the same calls, if not
    /// said.
    #[serde(default)]
    pub semantic: Option<Semantic>,
}

impl Cache {
    fn default_max_entry() -> Size {
        Size::kib(256)
    }
}

/// Who may be given what others were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AnswerCacheScope")]
pub enum Scope {
    /// Nobody: each consumer is given what it was answered itself. Needs `key_auth` on the route.
    #[default]
    Consumer,
    /// Consumers of the same team; those without a team are not served from the cache. Needs
    /// `key_auth` on the route.
    Team,
    /// Everybody whom the route lets in.
    Shared,
}

/// Where answers are kept.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "AnswerCacheStore")]
pub enum Store {
    /// In this process: those that were not asked for longest make room. Forgotten when it restarts,
    /// but not by a reload that leaves `cache` as it is.
    Memory {
        /// What all answers of the route may take, 1MiB to 64GiB; 16 times `max_entry` at least.
        #[serde(default = "Store::default_max_size")]
        max_size: Size,
    },
    /// In Redis, for all gateways of a fleet.
    Redis {
        /// The name of an entry of `stores` of kind `redis`, in which no quota is counted.
        store: Name,
    },
}

impl Store {
    fn default_max_size() -> Size {
        Size::kib(64 * 1024)
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::Memory {
            max_size: Self::default_max_size(),
        }
    }
}

/// Answers calls that mean the same as one that was answered: alike in everything but the text of
/// their last turn, whose vectors are compared.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AnswerCacheSemantic")]
pub struct Semantic {
    /// The name of an entry of `providers` that makes vectors, of dialect `openai` or `gemini`.
    pub provider: Name,
    /// What the provider calls the model that makes them.
    pub model: ModelName,
    /// How many numbers a vector is to have; as many as the model makes, if not said.
    #[serde(default)]
    #[schemars(range(min = 1, max = 16384))]
    pub dimensions: Option<u32>,
    /// How alike two texts have to be: the cosine of the angle between their vectors. It depends on
    /// the model which is the right one; 1 takes texts alone that the model cannot tell apart.
    #[schemars(range(min = 0, max = 1))]
    pub threshold: f64,
    /// How long a call waits for its vector at most; the model is asked then as if nothing were kept.
    #[serde(default = "Semantic::default_timeout")]
    pub timeout: Duration,
    /// With how many texts one is compared, of those that are asked in the same way: the latest.
    #[serde(default = "Semantic::default_max_texts")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_texts: u32,
}

impl Semantic {
    fn default_timeout() -> Duration {
        Duration::from_secs(2)
    }

    const fn default_max_texts() -> u32 {
        500
    }
}
