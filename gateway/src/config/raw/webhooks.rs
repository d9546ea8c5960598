//! `webhooks` as written: where the records of topics are sent over HTTP.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::schema::Schema;
use super::subscribe::Start;
use super::{Name, SecretRef};
use crate::config::units::{Duration, Setting};

/// Sends each record of topics to a receiver over HTTP, as a member of a consumer group: at least once, in
/// the order of each key, until the receiver answers 2xx.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The name; in metrics, in the log, and on the admin address.
    pub name: Name,
    /// The team it belongs to, which has to own the topics.
    #[serde(default)]
    pub team: Option<Name>,
    /// The name of an entry of `kafka_clusters`.
    pub cluster: Name,
    /// The topics.
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
    /// To whom.
    pub to: To,
    /// What is sent of a record.
    #[serde(default)]
    pub format: Format,
    /// What the values of records were written by. They are sent as the JSON that they are read as; one that
    /// cannot be read is given up. They are sent as they are, if not said.
    #[serde(default)]
    pub schema: Option<Schema>,
    /// Signs what is sent, as Standard Webhooks say.
    #[serde(default)]
    pub sign: Option<Sign>,
    /// How long the receiver has for an answer, altogether.
    #[serde(default = "Webhook::default_timeout")]
    pub timeout: Duration,
    /// What is tried again, and how often.
    #[serde(default)]
    pub retries: Retries,
    /// What is sent one after the other.
    #[serde(default)]
    pub ordering: Ordering,
    /// How many records may be under way at once, in each gateway.
    #[serde(default = "Webhook::default_max_in_flight")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_in_flight: usize,
    /// How long records under way are waited for when their partition goes to another gateway, or this one
    /// is stopped. What is not answered by then is sent again.
    #[serde(default = "Webhook::default_patience")]
    pub patience: Duration,
    /// Names of quotas that count what is sent: of requests, concurrent requests or Kafka bytes. While one
    /// is exhausted, records wait.
    #[serde(default)]
    pub quotas: Vec<Name>,
    /// Where records go that could not be delivered. Without it their partition waits until they can be.
    #[serde(default)]
    pub dead_letter: Option<DeadLetter>,
}

impl Webhook {
    fn default_timeout() -> Duration {
        Duration::from_secs(10)
    }

    const fn default_max_in_flight() -> usize {
        16
    }

    fn default_patience() -> Duration {
        Duration::from_secs(10)
    }
}

/// To whom records are sent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct To {
    /// The name of an entry of `upstreams`.
    pub upstream: Name,
    /// The path, with a query if there is one.
    pub path: String,
    /// The method.
    #[serde(default)]
    pub method: Method,
    /// Fields of each request: text, or `{ secret: NAME }`.
    #[serde(default)]
    pub headers: BTreeMap<String, Setting>,
}

/// A method that sends something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// As most receivers expect it.
    #[default]
    Post,
    /// What is sent again after a connection broke without an answer does no harm.
    Put,
    /// Changes what is there.
    Patch,
}

/// What is sent of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// An object with its topic, partition, offset, timestamp, key, headers and value.
    #[default]
    Record,
    /// Its value as it is, of the type that its header `content-type` says; with `schema`, JSON.
    Value,
    /// The CloudEvent that it is, in binary content mode. One that is none is not delivered.
    CloudEvent,
}

/// How what is sent is signed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// Secrets as `whsec_` and base64, of 24 to 64 bytes: each signs, so that one can be replaced.
    #[schemars(length(min = 1, max = 4))]
    pub secrets: Vec<SecretRef>,
}

/// What is tried again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// How often a record is sent at most, the first time included.
    #[schemars(range(min = 1))]
    pub max_attempts: u32,
    /// How long after the first time it is still tried again; not limited, if it is not said.
    pub max_age: Option<Duration>,
    /// How long to wait in between.
    pub backoff: Backoff,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            max_attempts: 10,
            max_age: None,
            backoff: Backoff::default(),
        }
    }
}

/// How long to wait before trying again: twice as long each time, less up to half of it by chance.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    /// After the first time.
    pub first: Duration,
    /// At most.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
        }
    }
}

/// What is sent one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// Records of the same key; those without one go side by side.
    #[default]
    Key,
    /// All records of a partition.
    Partition,
}

/// Where records go that could not be delivered.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// A topic of the same cluster.
    pub topic: String,
}
