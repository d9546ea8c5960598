//! One cluster's producers: idempotent and `acks=all`, unless a route asks for less, and never blocking
//! a worker.
//!
//! What it promises is what the broker said. A record whose delivery timed out may have been
//! written, unless nothing was sent to any broker since it was handed over; the two are told
//! apart by watching the connections.

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::RwLock;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use tokio::sync::oneshot;
use tokio::time::Instant;
use weir_telemetry::Code;
use weir_telemetry::metrics::backlog::Figures;

use super::outgoing::Outgoing;
use super::sender::{Acknowledged, Place, Sender};
use super::watch::{Mark, PACE, Refused, Watch};
use crate::config::kafka_clusters::Cluster;
use crate::config::routes::publish::Ack;
use crate::error::GatewayError;

/// What a cluster's own properties may say otherwise.
pub(super) const DEFAULTS: [(&str, &str); 3] = [
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
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A cluster's producer.
pub(crate) struct Producer {
    sender: Sender<oneshot::Sender<Place>>,
    watch: Watch,
    /// Topics that a broker took a record for; [`MOST_TOPICS`] at most.
    published: RwLock<HashSet<Box<str>>>,
}

/// Told what became of a record.
type Delivery = oneshot::Receiver<Place>;

/// What is known of that.
enum Fate {
    Known(Result<Acknowledged, GatewayError>),
    /// The client gave it up in time, and may have sent it before.
    GivenUp(KafkaError),
}

impl Producer {
    /// Starts a producer. It connects in the background; an unreachable broker is no error yet.
    pub(crate) fn start(cluster: &Cluster, ack: Ack) -> Result<Self, String> {
        // The client sends a record again that was not acknowledged, whether or not it was written:
        // only with idempotence, which takes acks=all, is it written once and in its place.
        let (acks, idempotent) = match ack {
            Ack::All => ("all", "true"),
            Ack::Leader => ("1", "false"),
        };
        let mut config = super::client(cluster, &DEFAULTS);
        config
            .set("enable.idempotence", idempotent)
            .set("acks", acks)
            .set(
                "message.timeout.ms",
                cluster.delivery_timeout.as_millis().to_string(),
            )
            .set("statistics.interval.ms", PACE.as_millis().to_string());
        let watch = Watch::of(cluster);
        let sender = Sender::start(&config, watch.clone())
            .map_err(|e| format!("kafka_clusters \"{}\": {e}", cluster.name))?;
        Ok(Producer {
            sender,
            watch,
            published: RwLock::default(),
        })
    }

    /// Whether no broker has been to be reached for a while.
    pub(super) fn is_down(&self) -> bool {
        self.watch.is_down()
    }

    /// Whether it cannot send anything any more, and another is to be tried.
    pub(super) fn is_broken(&self) -> bool {
        self.watch.is_broken()
    }

    /// Whether records wait for brokers.
    pub(super) fn is_sending(&self) -> bool {
        self.waiting() > 0
    }

    /// What it holds until brokers answer.
    pub(super) fn held(&self) -> Figures {
        self.watch.held()
    }

    /// Says so, if nothing of it is taken.
    pub(super) fn refused(&self) -> Option<GatewayError> {
        let refused = self.watch.refused()?;
        Some(not_let_in(refused, self.watch.is_callers))
    }

    /// How many records wait for brokers.
    fn waiting(&self) -> i32 {
        self.sender.client().in_flight_count()
    }

    /// Whether a broker took a record for this topic, as far as is remembered.
    pub(crate) fn has_published_to(&self, topic: &str) -> bool {
        self.published.read().contains(topic)
    }

    /// Remembers that a broker took a record for this topic.
    pub(super) fn note(&self, topic: &str) {
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
        let outcome = self.send_all(&[record], within).await.pop();
        outcome.unwrap_or_else(|| Err(unknown("no outcome of the one record")))
    }

    /// Sends records, all of them at once and in order, and waits at most `within` for what the broker
    /// says of each. Once the queue has no room for one, none that comes after it is queued.
    pub(crate) async fn send_all(
        &self,
        records: &[&Outgoing],
        within: Duration,
    ) -> Vec<Result<Acknowledged, GatewayError>> {
        if let Some(refused) = self.refused() {
            return records.iter().map(|_| Err(refused.clone())).collect();
        }
        if self.is_down() {
            // Known before anything was handed over: nothing can have been written.
            let down = || Err(unavailable("no broker is connected"));
            return records.iter().map(|_| down()).collect();
        }
        let before = self.watch.mark();
        let until = Instant::now() + within;
        let queued = self.queue(records);
        let mut fates = Vec::with_capacity(queued.len());
        for (record, queued) in records.iter().zip(queued) {
            fates.push(match queued {
                Ok(delivery) => self.fate(record, delivery, until).await,
                Err(error) => Fate::Known(Err(error)),
            });
        }
        self.outcomes(fates, &before).await
    }

    /// Hands records to the client, in order.
    fn queue(&self, records: &[&Outgoing]) -> Vec<Result<Delivery, GatewayError>> {
        let mut full: Option<GatewayError> = None;
        let queued = records.iter().map(|record| {
            if let Some(full) = &full {
                return Err(full.clone());
            }
            let (tell, told) = oneshot::channel();
            let sent = self.sender.send(record, Box::new(tell)).map(|()| told);
            sent.map_err(|(error, _)| {
                let error = self.not_taken(&error);
                full = (error.code == Code::KafkaQueueFull).then(|| error.clone());
                error
            })
        });
        queued.collect()
    }

    /// Waits for what becomes of a record that is queued.
    async fn fate(&self, record: &Outgoing, delivery: Delivery, until: Instant) -> Fate {
        Fate::Known(
            match tokio::time::timeout_at(until, self.told(delivery)).await {
                Ok(Ok(Ok(acknowledged))) => {
                    self.note(&record.topic);
                    Ok(acknowledged)
                }
                Ok(Ok(Err(error))) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::MessageTimedOut) => return Fate::GivenUp(error),
                    Some(RDKafkaErrorCode::PurgeQueue) => {
                        Err(self.refused().unwrap_or_else(|| unknown(error)))
                    }
                    _ => Err(self.refusal(&error).unwrap_or_else(|| unknown(error))),
                },
                Ok(Err(_)) => Err(unknown("the producer was stopped")),
                Err(_) => {
                    // It is still queued and may be sent yet: not refused, not kept.
                    self.watch.unanswered();
                    Err(unknown("no acknowledgement in the route's time"))
                }
            },
        )
    }

    /// Waits for what is told of a record. Once nothing is taken, all that wait to be sent
    /// are given up: it is known that they never were.
    async fn told<T>(&self, delivery: impl Future<Output = T>) -> T {
        let mut delivery = std::pin::pin!(delivery);
        tokio::select! {
            biased;
            told = &mut delivery => return told,
            () = self.watch.is_refused() => {}
        }
        self.sender.give_up_unsent();
        delivery.await
    }

    fn refusal(&self, error: &KafkaError) -> Option<GatewayError> {
        refusal(error, self.watch.is_callers)
    }

    /// What can be said of records, none of which is waited for any more.
    async fn outcomes(
        &self,
        fates: Vec<Fate>,
        before: &Mark,
    ) -> Vec<Result<Acknowledged, GatewayError>> {
        let mut not_sent = false;
        if fates.iter().any(|fate| matches!(fate, Fate::GivenUp(_))) {
            self.watch.unanswered();
            not_sent = self.watch.nothing_sent_since(before).await;
        }
        let outcome = |fate| match fate {
            Fate::Known(known) => known,
            Fate::GivenUp(error) if not_sent => Err(unavailable(error)),
            Fate::GivenUp(error) => Err(unknown(error)),
        };
        fates.into_iter().map(outcome).collect()
    }

    /// The record was not even queued.
    fn not_taken(&self, error: &KafkaError) -> GatewayError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => GatewayError::new(Code::KafkaQueueFull)
                .source(format!("{} records wait to be sent", self.waiting()))
                .retry_after(RETRY_AFTER),
            _ => self.refusal(error).unwrap_or_else(|| unknown(error)),
        }
    }
}

/// Nothing of a client is taken.
pub(super) fn not_let_in(refused: Refused, is_callers: bool) -> GatewayError {
    let (code, why) = match refused {
        Refused::Rights(why) if is_callers => (Code::KafkaTopicDenied, why),
        Refused::Rights(why) | Refused::Credentials(why) => (Code::KafkaAccessRefused, why),
    };
    GatewayError::new(code).source(why)
}

/// The errors that say for certain that a record was not written. What brokers refuse a caller's own
/// principal is between those two; where the credentials are the gateway's, it is not the caller's fault.
pub(super) fn refusal(error: &KafkaError, is_callers: bool) -> Option<GatewayError> {
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
        | E::TransactionalIdAuthorizationFailed
            if is_callers =>
        {
            Code::KafkaTopicDenied
        }
        E::TopicAuthorizationFailed
        | E::ClusterAuthorizationFailed
        | E::TransactionalIdAuthorizationFailed
        | E::Authentication
        | E::SaslAuthenticationFailed => Code::KafkaAccessRefused,
        E::PolicyViolation | E::InvalidRecord | E::InvalidMessage => Code::KafkaRecordRejected,
        E::AllBrokersDown | E::NotEnoughReplicas => return Some(unavailable(error)),
        _ => return None,
    };
    Some(GatewayError::new(code).source(error))
}

pub(super) fn unavailable(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::KafkaUnavailable)
        .source(why)
        .retry_after(RETRY_AFTER)
}

pub(super) fn unknown(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::KafkaOutcomeUnknown).source(why)
}
