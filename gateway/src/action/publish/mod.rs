//! `publish`: makes a request a Kafka record, and answers with what the broker said, no more. What
//! the record takes up is charged before it is sent.
//!
//! | Module | Knows |
//! |---|---|
//! | `make` | what a record is made of |

mod make;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use weir_telemetry::record::Kafka;
use weir_telemetry::{Code, Metrics, metrics, trace};

use self::make::Maker;
use crate::config::routes::publish as config;
use crate::error::GatewayError;
use crate::kafka::{Acknowledged, Outgoing, Producer};
use crate::policy::quota::{Bound, Usage, charge};
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::quota::{self, Amounts, Unit};

/// The action.
pub(crate) struct Publish {
    /// What it does, as configured.
    pub(crate) config: config::Publish,
    /// The cluster's producer.
    pub(crate) producer: Arc<Producer>,
    /// Where the figures of topics go.
    pub(crate) metrics: Metrics,
}

impl Publish {
    /// Publishes one record and answers once the broker has it.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        down.limit(self.config.max_body)?;
        let body = down.read_whole().await?;
        let span_id = trace::span_id();
        let outgoing = Maker::new(&self.config, request, down, span_id).record(body)?;
        let topic = outgoing.topic.clone();
        let size = outgoing.size();
        let bound = Bound {
            amounts: Amounts::default().with(Unit::KafkaBytes, size),
            ..Bound::default()
        };
        charge(request, &down.head().headers, bound).await?;

        self.note(request, span_id, &outgoing);
        // Should nobody learn what became of it, it counts as written.
        request.usage = Some(written(size, quota::Provenance::Estimated));
        let Acknowledged { partition, offset } = self.send(request, outgoing, size).await?;
        request.topic_metrics = Some(self.series(&topic));
        let body =
            serde_json::json!({ "topic": &*topic, "partition": partition, "offset": offset });
        reply::answer(request, down, Reply::json(StatusCode::OK, body.to_string())).await
    }

    fn note(&self, request: &mut Request, span_id: [u8; 8], outgoing: &Outgoing) {
        let Outgoing {
            topic, key, value, ..
        } = outgoing;
        let bytes = key.as_ref().map_or(0, Bytes::len) + value.as_ref().map_or(0, Bytes::len);
        request.topic_metrics = Some(self.series(topic));
        request.record.kafka = Some(Box::new(Kafka {
            cluster: self.config.topic.cluster.clone(),
            topic: topic.clone(),
            batch: None,
            span_id,
            started: request.began.elapsed(),
            partition: None,
            offset: None,
            bytes: bytes as u64,
            took: std::time::Duration::ZERO,
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
        let sent = self.producer.send(&outgoing, self.config.timeout).await;
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
        let exists =
            self.config.topic.name.literal().is_some() || self.producer.has_published_to(topic);
        self.metrics
            .topic(&self.config.topic.cluster, if exists { topic } else { "" })
    }
}

/// A record of so many bytes was written, or may have been.
fn written(size: u64, provenance: quota::Provenance) -> Usage {
    Usage {
        amounts: Amounts::default().with(Unit::KafkaBytes, size),
        provenance,
    }
}
