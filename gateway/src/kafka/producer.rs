//! One cluster's producer: idempotent, `acks=all`, and never blocking a worker.
//!
//! What it promises is what the broker said. A record whose delivery timed out may have been
//! written, unless nothing was sent to any broker since it was handed over; the two are told
//! apart by watching the connections.

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::RwLock;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, Producer as _};
use weir_telemetry::Code;

use super::outgoing::Outgoing;
use super::watch::{Mark, PACE, Watch};
use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// What a cluster's own properties may say otherwise.
const DEFAULTS: [(&str, &str); 3] = [
    // Connections that are lost are opened again whether or not a record waits: while a cluster is
    // out of reach none is accepted, and so nothing else would find it back.
    ("enable.sparse.connections", "false"),
    ("reconnect.backoff.max.ms", "1000"),
    // How long a topic that no broker knows may be one that was only just created.
    ("topic.metadata.propagation.max.ms", "5000"),
];
/// How many topics are remembered: brokers may be set to create whatever callers name.
const MOST_TOPICS: usize = weir_telemetry::metrics::SERIES_BUDGET;
/// When to try again after a broker was gone or the queue full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A cluster's producer.
pub(crate) struct Producer {
    /// Taken only when this is dropped.
    inner: Option<FutureProducer<Watch>>,
    watch: Watch,
    /// Topics that a broker took a record for; [`MOST_TOPICS`] at most.
    published: RwLock<HashSet<Box<str>>>,
}

/// What the broker said.
pub(crate) struct Acknowledged {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl Producer {
    /// Starts a producer. It connects in the background; an unreachable broker is no error yet.
    pub(crate) fn start(cluster: &Cluster) -> Result<Self, String> {
        let mut config = super::client(cluster, &DEFAULTS);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set(
                "message.timeout.ms",
                cluster.delivery_timeout.as_millis().to_string(),
            )
            .set("statistics.interval.ms", PACE.as_millis().to_string());
        let watch = Watch::default();
        let inner: FutureProducer<Watch> = config
            .create_with_context(watch.clone())
            .map_err(|e| format!("kafka_clusters \"{}\": {e}", cluster.name))?;
        Ok(Producer {
            inner: Some(inner),
            watch,
            published: RwLock::default(),
        })
    }

    fn inner(&self) -> &FutureProducer<Watch> {
        self.inner
            .as_ref()
            .expect("it is taken only when this is dropped")
    }

    /// Whether a broker took a record for this topic, as far as is remembered.
    pub(crate) fn has_published_to(&self, topic: &str) -> bool {
        self.published.read().contains(topic)
    }

    fn note(&self, topic: &str) {
        if !self.has_published_to(topic) {
            let mut published = self.published.write();
            if published.len() < MOST_TOPICS {
                published.insert(topic.into());
            }
        }
    }

    /// Sends a record and waits at most `within` for the broker's word.
    pub(crate) async fn send(
        &self,
        record: &Outgoing,
        within: Duration,
    ) -> Result<Acknowledged, GatewayError> {
        if self.watch.is_down() {
            // Known before anything was handed over: nothing can have been written.
            return Err(unavailable("no broker is connected"));
        }
        let before = self.watch.mark();
        let delivery = self
            .inner()
            .send_result(record.as_record())
            .map_err(|(error, _)| self.not_taken(&error))?;
        match tokio::time::timeout(within, delivery).await {
            Ok(Ok(Ok(delivery))) => {
                self.note(&record.topic);
                Ok(Acknowledged {
                    partition: delivery.partition,
                    offset: delivery.offset,
                })
            }
            Ok(Ok(Err((error, _)))) => Err(self.not_delivered(&error, &before).await),
            Ok(Err(_)) => Err(unknown("the producer was stopped")),
            Err(_) => {
                // It is still queued and may be sent yet: not refused, not kept.
                self.watch.unanswered();
                Err(unknown("no acknowledgement in the route's time"))
            }
        }
    }

    /// The record was not even queued.
    fn not_taken(&self, error: &KafkaError) -> GatewayError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => GatewayError::new(Code::KafkaQueueFull)
                .source(format!(
                    "{} records wait to be sent",
                    self.inner().in_flight_count()
                ))
                .retry_after(RETRY_AFTER),
            _ => refusal(error).unwrap_or_else(|| unknown(error)),
        }
    }

    /// The record was queued, and the producer gave it up.
    async fn not_delivered(&self, error: &KafkaError, before: &Mark) -> GatewayError {
        if let Some(refusal) = refusal(error) {
            return refusal;
        }
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut) {
            self.watch.unanswered();
            if self.watch.nothing_sent_since(before).await {
                return unavailable(error);
            }
        }
        unknown(error)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // Ending it waits for librdkafka's threads, and the last who held this may be a worker.
        let inner = self.inner.take();
        std::thread::spawn(move || drop(inner));
    }
}

/// The errors that say for certain that a record was not written.
fn refusal(error: &KafkaError) -> Option<GatewayError> {
    use RDKafkaErrorCode as E;
    let code = match error.rdkafka_error_code()? {
        E::MessageSizeTooLarge | E::InvalidMessageSize => Code::KafkaRecordTooLarge,
        E::UnknownTopicOrPartition | E::UnknownTopic | E::InvalidTopic => Code::KafkaTopicUnknown,
        E::UnknownPartition => {
            let public = "The topic has no partition of that number.";
            return Some(GatewayError::public(Code::KafkaTopicUnknown, public).source(error));
        }
        E::TopicAuthorizationFailed
        | E::ClusterAuthorizationFailed
        | E::PolicyViolation
        | E::InvalidRecord
        | E::InvalidMessage
        | E::SaslAuthenticationFailed => Code::KafkaRecordRejected,
        E::AllBrokersDown | E::NotEnoughReplicas => return Some(unavailable(error)),
        _ => return None,
    };
    Some(GatewayError::new(code).source(error))
}

fn unavailable(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::KafkaUnavailable)
        .source(why)
        .retry_after(RETRY_AFTER)
}

fn unknown(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::KafkaOutcomeUnknown).source(why)
}
