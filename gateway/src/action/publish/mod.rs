//! `publish`: makes a request Kafka records, and answers with what the broker said, no more. What
//! they take up is charged before they are sent.
//!
//! | Module | Knows |
//! |---|---|
//! | `content` | what a body is: a record, or several |
//! | `events` | CloudEvents among them |
//! | `make` | what a record is made of |
//! | `batch` | several records, each answered for itself |
//! | `transaction` | what is said of several that were to be written all or none |

mod batch;
mod content;
mod events;
mod make;
mod transaction;

mod spooled;

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, StatusCode};
use serde_json::json;
use weir_telemetry::record::Kafka;
use weir_telemetry::{Code, Metrics, metrics, trace};

use self::content::{Content, Part};
use self::make::Maker;
use crate::config::routes::publish as config;
use crate::error::GatewayError;
use crate::kafka::{Acknowledged, Cluster, Outgoing};
use crate::policy::quota::{Bound, Usage, charge};
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::quota::{self, Amounts, Unit};
use crate::schema::{self, Values};
use crate::spool::{self, Spool};

/// The action.
pub(crate) struct Publish {
    /// What it does, as configured.
    pub(crate) config: config::Publish,
    /// Where to.
    pub(crate) cluster: Arc<Cluster>,
    /// Where records go first, if callers do not wait for the broker.
    pub(crate) spool: Option<Arc<Spool>>,
    /// What values are; the bodies as they are, if `None`.
    pub(crate) values: Option<Values>,
    /// Where the figures of topics go.
    pub(crate) metrics: Metrics,
}

impl Publish {
    /// Publishes what the request brought, and answers once the broker has it.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        down.limit(self.config.max_body)?;
        let body = down.read_whole().await?;
        match content::read(&self.config, &down.head().headers, body)? {
            Content::One(part) => self.one(request, down, part).await,
            Content::Batch(parts) => self.batch(request, down, parts).await,
        }
    }

    /// Publishes one record.
    async fn one(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        part: Part,
    ) -> Result<(), GatewayError> {
        let span_id = trace::span_id();
        let mut outgoing = Maker::new(&self.config, request, down, span_id).record(part)?;
        self.encode(request, down, &mut outgoing).await?;
        let topic = outgoing.topic.clone();
        let size = outgoing.size() + self.spool.as_ref().map_or(0, |_| spool::HEADER_SIZE);
        self.charge(request, &down.head().headers, size).await?;

        self.note(request, span_id, &outgoing);
        if let Some(spool) = &self.spool {
            return self.spool(spool, request, down, outgoing, size).await;
        }
        let Acknowledged { partition, offset } = self.send(request, outgoing, size).await?;
        request.topic_metrics = Some(self.series(&topic));
        let ack = ack(self.config.ack);
        let body =
            json!({ "topic": &*topic, "partition": partition, "offset": offset, "ack": ack });
        reply::answer(request, down, Reply::json(StatusCode::OK, body.to_string())).await
    }

    /// Makes the value what its schema says.
    async fn encode(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        outgoing: &mut Outgoing,
    ) -> Result<(), GatewayError> {
        if let Some(value) = outgoing.value.take() {
            let values = self.values.as_ref();
            let encoded = schema::encode(values, &outgoing.topic, value, request, down).await?;
            outgoing.value = Some(encoded);
        }
        Ok(())
    }

    /// Charges so many bytes that are about to be sent. Should nobody learn what became of them, they
    /// count as written.
    async fn charge(
        &self,
        request: &mut Request,
        headers: &HeaderMap,
        size: u64,
    ) -> Result<(), GatewayError> {
        let bound = Bound {
            amounts: Amounts::default().with(Unit::KafkaBytes, size),
            ..Bound::default()
        };
        charge(request, headers, bound).await?;
        request.usage = Some(written(size, quota::Provenance::Estimated));
        Ok(())
    }

    fn note(&self, request: &mut Request, span_id: [u8; 8], outgoing: &Outgoing) {
        request.topic_metrics = Some(self.series(&outgoing.topic));
        request.record.kafka = Some(Box::new(Kafka {
            cluster: self.config.topic.cluster.clone(),
            topic: outgoing.topic.clone(),
            batch: None,
            span_id,
            started: request.began.elapsed(),
            partition: None,
            offset: None,
            bytes: outgoing.content() as u64,
            took: std::time::Duration::ZERO,
            spooled: None,
        }));
    }

    /// Hands a record of so many bytes to the producer, and writes down what came of it.
    async fn send(
        &self,
        request: &mut Request,
        outgoing: Outgoing,
        size: u64,
    ) -> Result<Acknowledged, GatewayError> {
        let begun = Instant::now();
        let sent = match self.cluster.producer(self.config.ack) {
            Ok(producer) => producer.send(&outgoing, self.config.timeout).await,
            Err(error) => Err(error),
        };
        request.waits.upstream += begun.elapsed();
        match &sent {
            Ok(_) => request.usage = Some(written(size, quota::Provenance::Counted)),
            Err(error) if error.code == Code::KafkaOutcomeUnknown => {}
            // Every other one says for certain that it was not written.
            Err(_) => request.usage = Some(Usage::nothing()),
        }
        if let Some(kafka) = &mut request.record.kafka {
            kafka.took = begun.elapsed();
            if let Ok(Acknowledged { partition, offset }) = &sent {
                kafka.partition = Some(*partition);
                kafka.offset = Some(*offset);
            }
        }
        sent
    }

    /// The figures of a topic. Callers may choose its name, so one that no broker has taken a
    /// record for yet has no series of its own.
    fn series(&self, topic: &str) -> Arc<metrics::Topic> {
        let published = || {
            let producer = self.cluster.producer(self.config.ack);
            producer.is_ok_and(|producer| producer.has_published_to(topic))
        };
        let exists = self.config.topic.name.literal().is_some() || published();
        self.metrics
            .topic(&self.config.topic.cluster, if exists { topic } else { "" })
    }
}

/// Who has a record that is said to be written.
fn ack(ack: config::Ack) -> &'static str {
    match ack {
        config::Ack::All => "all",
        config::Ack::Leader => "leader",
    }
}

/// A record of so many bytes was written, or may have been.
fn written(size: u64, provenance: quota::Provenance) -> Usage {
    Usage {
        amounts: Amounts::default().with(Unit::KafkaBytes, size),
        provenance,
    }
}
