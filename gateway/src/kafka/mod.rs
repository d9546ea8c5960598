//! Kafka clusters as this process speaks to them. It knows neither routes nor callers.
//!
//! | Module | Knows |
//! |---|---|
//! | `outgoing` | a record to send |
//! | `producer` | what the broker said of a record |
//! | `tail` | the end of one topic, read once for all who follow it |
//! | `ring` | the latest records of a topic, within so many bytes |
//! | `consumer` | how a topic is read from its end |
//! | `watch` | whether brokers can be reached |

mod consumer;
mod outgoing;
mod producer;
mod ring;
mod tail;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use weir_telemetry::Metrics;

pub(crate) use outgoing::{Headers, Outgoing};
pub(crate) use producer::{Acknowledged, Producer};
pub(crate) use ring::Record;
pub(crate) use tail::Follower;

use tail::Tail;

use crate::config::kafka_clusters as config;
use crate::error::GatewayError;

/// What a client of a cluster is made with: `defaults`, and what its own properties say otherwise.
fn client(cluster: &config::Cluster, defaults: &[(&str, &str)]) -> ClientConfig {
    let mut client = ClientConfig::new();
    for (name, value) in defaults {
        client.set(*name, *value);
    }
    for (name, value) in &cluster.properties {
        client.set(name, value.expose());
    }
    client
        .set("bootstrap.servers", &cluster.bootstrap_servers)
        .set_log_level(RDKafkaLogLevel::Warning);
    client
}

/// A cluster.
pub(crate) struct Cluster {
    /// What it is, as configured.
    definition: config::Cluster,
    /// By which records are sent.
    pub(crate) producer: Arc<Producer>,
    /// Those that somebody follows, by topic.
    tails: Mutex<HashMap<Arc<str>, Weak<Tail>>>,
    metrics: Metrics,
}

impl Cluster {
    /// Begins to speak to it. An unreachable broker is no error yet.
    pub(crate) fn start(definition: &config::Cluster, metrics: &Metrics) -> Result<Self, String> {
        Ok(Self {
            producer: Arc::new(Producer::start(definition)?),
            definition: definition.clone(),
            tails: Mutex::default(),
            metrics: metrics.clone(),
        })
    }

    /// Whether this is what `definition` asks for.
    pub(crate) fn fits(&self, definition: &config::Cluster) -> bool {
        self.definition == *definition
    }

    /// Follows a topic from its end: what is written once this returns is seen, all of it and in the order
    /// of each partition.
    pub(crate) async fn follow(&self, topic: &Arc<str>) -> Result<Follower, GatewayError> {
        self.tail(topic).follow().await
    }

    /// That of a topic; a new one, if nobody follows it or the last one broke.
    fn tail(&self, topic: &Arc<str>) -> Arc<Tail> {
        let mut tails = self.tails.lock();
        let known = tails.get(topic).and_then(Weak::upgrade);
        if let Some(tail) = known.filter(|tail| !tail.is_broken()) {
            return tail;
        }
        tails.retain(|_, tail| tail.strong_count() > 0);
        let received = self.metrics.received(&self.definition.name, topic);
        let tail = Tail::start(&self.definition, topic.clone(), received);
        tails.insert(topic.clone(), Arc::downgrade(&tail));
        tail
    }
}
