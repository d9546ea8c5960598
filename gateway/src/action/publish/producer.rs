//! One cluster's producer: idempotent, `acks=all`, and never blocking a worker.
//!
//! What it promises is what the broker said. A record whose delivery timed out may have been
//! written, unless no broker could have taken it since it was handed over; the two are told
//! apart by watching the connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::statistics::Statistics;
use parking_lot::Mutex;
use weir_telemetry::Code;

use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// How often librdkafka tells the state of its connections.
const STATISTICS: Duration = Duration::from_millis(500);
/// When to try again after a broker was gone or the queue full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A cluster's producer.
pub(crate) struct Producer {
    inner: FutureProducer<Watch>,
    watch: Watch,
    definition: Cluster,
}

/// A record to send.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) payload: &'a [u8],
    pub(super) headers: OwnedHeaders,
}

/// What the broker said.
pub(super) struct Acknowledged {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl Producer {
    /// Starts a producer. It connects in the background; an unreachable broker is no error yet.
    pub(crate) fn start(cluster: &Cluster) -> Result<Self, String> {
        let mut config = ClientConfig::new();
        for (name, value) in &cluster.properties {
            config.set(name, value.expose());
        }
        config
            .set("bootstrap.servers", &cluster.bootstrap_servers)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", cluster.delivery_timeout.as_millis().to_string())
            .set("statistics.interval.ms", STATISTICS.as_millis().to_string())
            .set_log_level(RDKafkaLogLevel::Warning);
        let watch = Watch::default();
        let inner = config
            .create_with_context(watch.clone())
            .map_err(|e| format!("kafka_clusters \"{}\": {e}", cluster.name))?;
        Ok(Producer { inner, watch, definition: cluster.clone() })
    }

    /// Whether this producer is what `cluster` asks for.
    pub(crate) fn fits(&self, cluster: &Cluster) -> bool {
        self.definition == *cluster
    }

    /// Sends a record and waits at most `within` for the broker's word.
    pub(super) async fn send(
        &self,
        record: Outgoing<'_>,
        within: Duration,
    ) -> Result<Acknowledged, GatewayError> {
        if self.watch.down() {
            // Known before anything was handed over: nothing can have been written.
            return Err(unavailable("no broker is connected"));
        }
        let mut outgoing: FutureRecord<'_, str, [u8]> =
            FutureRecord::to(record.topic).payload(record.payload).headers(record.headers);
        if let Some(key) = record.key {
            outgoing = outgoing.key(key);
        }
        let handed_over = Instant::now();
        let delivery =
            self.inner.send_result(outgoing).map_err(|(error, _)| self.not_taken(&error))?;
        let outcome = tokio::time::timeout(within, delivery).await;
        match outcome {
            Ok(Ok(Ok(delivery))) => {
                Ok(Acknowledged { partition: delivery.partition, offset: delivery.offset })
            }
            Ok(Ok(Err((error, _)))) => Err(self.not_delivered(&error, handed_over)),
            Ok(Err(_)) => Err(unknown("the producer was stopped")),
            Err(_) if self.watch.never_up_since(handed_over) => {
                // It is still queued and may be sent once a broker is back: not refused, not kept.
                Err(unknown("no broker was reachable, and the record is still queued"))
            }
            Err(_) => Err(unknown("no acknowledgement in the route's time")),
        }
    }

    /// The record was not even queued.
    fn not_taken(&self, error: &KafkaError) -> GatewayError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => GatewayError::new(Code::KafkaQueueFull)
                .source(format!("{} records wait to be sent", self.inner.in_flight_count()))
                .retry_after(RETRY_AFTER),
            _ => self.not_delivered(error, Instant::now()),
        }
    }

    /// The record was queued, and the producer gave it up.
    fn not_delivered(&self, error: &KafkaError, handed_over: Instant) -> GatewayError {
        use RDKafkaErrorCode as E;
        let Some(code) = error.rdkafka_error_code() else { return unknown(error) };
        match code {
            E::MessageSizeTooLarge | E::InvalidMessageSize => {
                GatewayError::new(Code::KafkaRecordTooLarge).source(error)
            }
            E::UnknownTopicOrPartition | E::UnknownTopic | E::UnknownPartition | E::InvalidTopic => {
                GatewayError::new(Code::KafkaTopicUnknown).source(error)
            }
            E::TopicAuthorizationFailed
            | E::ClusterAuthorizationFailed
            | E::PolicyViolation
            | E::InvalidRecord
            | E::InvalidMessage
            | E::SaslAuthenticationFailed => {
                GatewayError::new(Code::KafkaRecordRejected).source(error)
            }
            // Timed out, and no broker could have taken it meanwhile.
            E::MessageTimedOut if self.watch.never_up_since(handed_over) => {
                unavailable(error)
            }
            E::AllBrokersDown | E::NotEnoughReplicas => unavailable(error),
            _ => unknown(error),
        }
    }
}

fn unavailable(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::KafkaUnavailable).source(why).retry_after(RETRY_AFTER)
}

fn unknown(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::KafkaOutcomeUnknown).source(why)
}

/// Watches the connections to brokers.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// When a broker was last known to be connected.
    up: Option<Instant>,
    /// librdkafka said that none is, and nothing said otherwise since.
    down: bool,
}

impl Watch {
    fn down(&self) -> bool {
        self.0.lock().down
    }

    /// Whether no broker can have been connected at `since` or later. Connections are known with
    /// a delay, so the last word must be clearly older.
    fn never_up_since(&self, since: Instant) -> bool {
        let margin = STATISTICS * 2;
        self.0.lock().up.is_none_or(|up| up + margin < since)
    }
}

impl ClientContext for Watch {
    fn stats(&self, statistics: Statistics) {
        let up = statistics.brokers.values().any(|b| b.nodeid >= 0 && b.state == "UP");
        let mut seen = self.0.lock();
        if up {
            *seen = Seen { up: Some(Instant::now()), down: false };
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log::warn!("kafka: {error}: {reason}");
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.0.lock().down = true;
        }
    }
}
