//! `publish` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::{Duration, Size};

/// Makes the request a Kafka record, and answers once the broker has it.
///
/// Topic, key, partition, timestamp and headers are templates over `{path.NAME}`, `{header.NAME}`,
/// `{query.NAME}`, `{consumer}`, `{team}` and `{body./POINTER}`, a JSON pointer into the record's value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The name of an entry of `kafka_clusters`.
    pub cluster: Name,
    /// The topic, as `orders` or `{path.topic}`.
    pub topic: String,
    /// The record's key, as `{header.x-key}`. Without it, or when it is
    /// empty, the record has none.
    #[serde(default)]
    pub key: Option<String>,
    /// The record's partition, a number. Without it, or when it is empty,
    /// the key decides.
    #[serde(default)]
    pub partition: Option<String>,
    /// The record's timestamp: a moment of RFC 3339, or milliseconds since
    /// 1970. Without it, or when it is empty, it is when the record is sent.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// Headers of the record.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The largest body.
    #[serde(default = "Publish::default_max_body")]
    pub max_body: Size,
    /// How long the caller waits for the broker.
    #[serde(default = "Publish::default_timeout")]
    pub timeout: Duration,
}

impl Publish {
    fn default_max_body() -> Size {
        Size::kib(1000)
    }

    fn default_timeout() -> Duration {
        Duration::from_secs(30)
    }
}
