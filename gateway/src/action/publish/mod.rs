//! `publish`: makes a request Kafka records, and answers with what the broker said, no more. What
//! they take up is charged before they are sent.
//!
//! | Module | Knows |
//! |---|---|
//! | `content` | what a body is: a record, or several |
//! | `events` | CloudEvents among them |
//! | `call` | messages of gRPC that are records |
//! | `batch` | several records, each answered for itself |
//! | `transaction` | what is said of several that were to be written all or none |
//! | `spooled` | those that callers do not wait for |
//! | `once` | requests that are sent several times and done once |
//! | `delivery` | what becomes of their records |

mod batch;
mod call;
mod content;
mod delivery;
mod events;
mod once;
mod spooled;
mod transaction;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use weir_telemetry::{Code, Metrics, metrics, trace};

use self::content::Content;
pub(crate) use self::once::Once;
use super::record::{self, Maker, Part};
use crate::config::routes::publish as config;
use crate::error::GatewayError;
use crate::idempotency::{Answer, Attempt, Conclusion};
use crate::kafka::{Access, Acknowledged, Cluster, Outgoing};
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::schema::{self, Values};
use crate::spool::{self, Spool};

/// What became of each record.
type Outcomes = Vec<Result<Acknowledged, GatewayError>>;

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
    /// What is remembered of requests with a key, if anything is.
    pub(crate) once: Option<Once>,
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
        let access = self.cluster.of(request.consumer.as_ref())?;
        if let Some(call) = &self.config.call {
            return call::run(self, call, &access, (request, down)).await;
        }
        down.limit(self.config.max_body)?;
        let body = down.read_whole().await?;
        match &self.once {
            Some(once) => self.once(once, request, down, &access, body).await,
            None => self.publish(request, down, &access, body, None).await,
        }
    }

    /// Publishes a body; with a key, if the caller has one.
    async fn publish(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        access: &Access,
        body: Bytes,
        attempt: Option<Attempt>,
    ) -> Result<(), GatewayError> {
        match content::read(&self.config, &down.head().headers, body)? {
            Content::One(part) => self.one(request, down, access, part, attempt).await,
            Content::Batch(parts) => self.batch(request, down, access, parts, attempt).await,
        }
    }

    /// Publishes one record.
    async fn one(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        access: &Access,
        part: Part,
        attempt: Option<Attempt>,
    ) -> Result<(), GatewayError> {
        let span_id = trace::span_id();
        let mut outgoing =
            Maker::new(&self.config.record, access, request, down, span_id).record(part)?;
        self.encode(request, down, &mut outgoing).await?;
        if let Some(attempt) = &attempt {
            delivery::mark(&mut outgoing, attempt.id(), 0);
        }
        let topic = outgoing.topic.clone();
        let size = outgoing.size() + self.spool.as_ref().map_or(0, |_| spool::HEADER_SIZE);
        record::charge(request, &down.head().headers, size).await?;

        self.note(request, access, span_id, &outgoing);
        if let Some(spool) = &self.spool {
            return self
                .spool(spool, request, down, (outgoing, size), attempt)
                .await;
        }
        let acknowledged = self.send(request, access, outgoing, size, attempt).await?;
        request.topic_metrics = Some(self.series(access, &topic));
        let answer = answer(&topic, acknowledged, self.config.ack);
        reply::answer(request, down, Reply::json(answer.status, answer.body)).await
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

    fn note(&self, request: &mut Request, access: &Access, span_id: [u8; 8], outgoing: &Outgoing) {
        request.topic_metrics = Some(self.series(access, &outgoing.topic));
        record::note(
            request,
            &self.config.record.topic.cluster,
            span_id,
            outgoing,
        );
    }

    /// Hands a record of so many bytes to the producer, and writes down what came of it.
    async fn send(
        &self,
        request: &mut Request,
        access: &Access,
        outgoing: Outgoing,
        size: u64,
        attempt: Option<Attempt>,
    ) -> Result<Acknowledged, GatewayError> {
        let begun = Instant::now();
        let sent = match (attempt, access.session().producer(self.config.ack)) {
            (Some(attempt), _) => self.send_once(access, attempt, outgoing).await,
            (None, Ok(producer)) => producer.send(&outgoing, self.config.timeout).await,
            (None, Err(error)) => Err(error),
        };
        record::settle(request, &sent, size, begun.elapsed());
        sent
    }

    /// Sends a record for one who has a key.
    async fn send_once(
        &self,
        access: &Access,
        attempt: Attempt,
        outgoing: Outgoing,
    ) -> Result<Acknowledged, GatewayError> {
        let (topic, ack) = (outgoing.topic.clone(), self.config.ack);
        let conclude = move |(outcomes, _): &delivery::Sent| match outcomes.first() {
            Some(Ok(acknowledged)) => {
                let answer = answer(&topic, *acknowledged, ack);
                (Conclusion::Done(answer.clone()), Ok(answer))
            }
            Some(Err(error)) if error.code != Code::KafkaOutcomeUnknown => {
                (Conclusion::Nothing, Err(error.clone()))
            }
            Some(Err(error)) => (Conclusion::Unknown, Err(error.clone())),
            None => (Conclusion::Unknown, Err(unsaid())),
        };
        let records = vec![outgoing];
        let (mut outcomes, _) = self
            .deliver_once(access, attempt, records, conclude)
            .await?;
        outcomes.pop().unwrap_or_else(|| Err(unsaid()))
    }

    /// The figures of a topic.
    fn series(&self, access: &Access, topic: &str) -> Arc<metrics::Topic> {
        let producer = access.session().producer(self.config.ack);
        record::series(&self.metrics, &self.config.record, producer, topic)
    }
}

/// What is said of a record that is written.
fn answer(topic: &str, at: Acknowledged, who: config::Ack) -> Answer {
    let Acknowledged { partition, offset } = at;
    let body = json!({ "topic": topic, "partition": partition, "offset": offset, "ack": ack(who) });
    Answer {
        status: StatusCode::OK,
        body: body.to_string().into(),
    }
}

/// The producer said less than it was asked.
fn unsaid() -> GatewayError {
    GatewayError::new(Code::KafkaOutcomeUnknown).source("nothing was said of this record")
}

/// Who has a record that is said to be written.
fn ack(ack: config::Ack) -> &'static str {
    match ack {
        config::Ack::All => "all",
        config::Ack::Leader => "leader",
    }
}
