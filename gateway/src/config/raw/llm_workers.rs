//! `llm_workers` as written: topics whose records are prompts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use super::subscribe::Start;
use super::webhooks::{DeadLetter, Ordering, Retries};
use crate::config::units::Duration;

/// Has a route of models answer the records of topics, as a member of a consumer group, and writes what it
/// answers to another topic: at least once, in the order of each key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LlmWorker {
    /// The name; in metrics, in the log, and on the admin address.
    pub name: Name,
    /// The team it belongs to, which has to own the topics.
    #[serde(default)]
    pub team: Option<Name>,
    /// The name of an entry of `kafka_clusters`.
    pub cluster: Name,
    /// The topics of prompts: each value is the body of a request, as a caller of the route would POST it.
    #[schemars(length(min = 1))]
    pub topics: Vec<String>,
    /// The consumer group: gateways that name the same share the partitions. `weir-` and the name, if it is
    /// not said.
    #[serde(default)]
    pub group: Option<String>,
    /// Where a group begins that has committed nothing of a topic. Topics and partitions that come later begin
    /// with their first record.
    #[serde(default)]
    pub start: Start,
    /// The name of a route whose action is `llm`: its models, its quotas and its other policies apply.
    pub route: Name,
    /// The path that a caller would POST to, which says in whose dialect the bodies are.
    #[serde(default = "LlmWorker::default_path")]
    pub path: String,
    /// In whose name prompts are answered.
    #[serde(rename = "as")]
    pub consumer: As,
    /// Where answers go.
    pub to: Completions,
    /// What is answered one after the other.
    #[serde(default)]
    pub ordering: Ordering,
    /// How many prompts may be under way at once, in each gateway.
    #[serde(default = "LlmWorker::default_max_in_flight")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_in_flight: usize,
    /// How long an answer may take, altogether.
    #[serde(default = "LlmWorker::default_timeout")]
    pub timeout: Duration,
    /// How long prompts under way are waited for when their partition goes to another gateway, or this one is
    /// stopped. What is not answered by then is asked again.
    #[serde(default = "LlmWorker::default_patience")]
    pub patience: Duration,
    /// What is tried again, and how often.
    #[serde(default)]
    pub retries: Retries,
    /// Where prompts go that could not be answered. Without it their partition waits until they can be.
    #[serde(default)]
    pub dead_letter: Option<DeadLetter>,
}

impl LlmWorker {
    fn default_path() -> String {
        "/v1/chat/completions".to_owned()
    }

    const fn default_max_in_flight() -> usize {
        16
    }

    fn default_timeout() -> Duration {
        Duration::from_secs(120)
    }

    fn default_patience() -> Duration {
        Duration::from_secs(30)
    }
}

/// In whose name prompts are answered.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "LlmWorkerAs")]
pub enum As {
    /// One consumer, whoever wrote them.
    Consumer {
        /// The name of an entry of `consumers`.
        name: Name,
    },
    /// The consumer that a header of the record names. Whoever may write to the topic may name any.
    Header {
        /// The header.
        #[serde(default = "As::default_header")]
        name: String,
    },
}

impl As {
    fn default_header() -> String {
        "weir-consumer".to_owned()
    }
}

/// Where answers go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Completions {
    /// A topic of the same cluster.
    pub topic: String,
    /// Headers of each record, besides those that say what it is.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}
