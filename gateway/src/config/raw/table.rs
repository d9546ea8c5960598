//! `table` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use super::schema::Schema;
use crate::config::units::{Duration, Size};

/// Serves a compacted Kafka topic as a resource: its latest values by key, from a view in memory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The name of an entry of `kafka_clusters`.
    pub cluster: Name,
    /// The topic. It is to be compacted: the view is made of all that is in it.
    pub topic: String,
    /// The key of a value, made of the path, as `{path.id}`. Where a match captures none of what this
    /// names, the route lists all values.
    pub key: String,
    /// The most keys that the view may have.
    #[serde(default = "Table::default_max_keys")]
    #[schemars(range(min = 1))]
    pub max_keys: usize,
    /// The most memory that the view may take up.
    #[serde(default = "Table::default_max_bytes")]
    pub max_bytes: Size,
    /// The media type of values. Those that are not JSON are listed as text or base64.
    #[serde(default = "Table::default_content_type")]
    pub content_type: String,
    /// What values are in the topic, made of the JSON that callers send and are given. They are as they
    /// are, if not said.
    #[serde(default)]
    pub schema: Option<Schema>,
    /// Takes PUT, PATCH and DELETE.
    #[serde(default)]
    pub write: bool,
    /// Refuses to write without `If-Match` or `If-None-Match`.
    #[serde(default)]
    pub require_if_match: bool,
    /// The largest body.
    #[serde(default = "Table::default_max_body")]
    pub max_body: Size,
    /// How long the caller waits for the view, or for the brokers.
    #[serde(default = "Table::default_timeout")]
    pub timeout: Duration,
}

impl Table {
    const fn default_max_keys() -> usize {
        100_000
    }

    fn default_max_bytes() -> Size {
        Size::kib(64 * 1024)
    }

    fn default_content_type() -> String {
        "application/json".to_owned()
    }

    fn default_max_body() -> Size {
        Size::kib(900)
    }

    fn default_timeout() -> Duration {
        Duration::from_secs(10)
    }
}
