//! `kafka_clusters` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::{Duration, Setting};

/// A Kafka cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaCluster {
    /// The name routes refer to.
    pub name: Name,
    /// Brokers asked first, as `broker:9092`.
    #[schemars(length(min = 1))]
    pub bootstrap_servers: Vec<String>,
    /// librdkafka's settings: text, number, `true`/`false`, or `{ secret: NAME }`.
    /// Those that Weir's promises rest on are refused.
    #[serde(default)]
    pub properties: BTreeMap<String, Setting>,
    /// From a record being taken to it being acknowledged or given up.
    #[serde(default = "KafkaCluster::default_delivery_timeout")]
    pub delivery_timeout: Duration,
}

impl KafkaCluster {
    fn default_delivery_timeout() -> Duration {
        Duration::from_secs(30)
    }
}
