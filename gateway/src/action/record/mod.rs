//! Records of Kafka that actions make of requests: what is in them, what they cost, and what is written
//! down of one that was sent.
//!
//! Knows no answer: what callers are told is each action's own.

mod make;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use weir_telemetry::record::Kafka;
use weir_telemetry::{Code, Metrics, metrics};

pub(super) use self::make::{Maker, Part};
use crate::config::routes::record as config;
use crate::error::GatewayError;
use crate::kafka::{Acknowledged, Outgoing, Producer};
use crate::policy::quota::{self, Bound, Usage};
use crate::proxy::Request;
use crate::quota::{Amounts, Provenance, Unit};

/// Charges so many bytes that are about to be sent. Should nobody learn what became of them, they
/// count as written.
pub(super) async fn charge(
    request: &mut Request,
    headers: &HeaderMap,
    size: u64,
) -> Result<(), GatewayError> {
    let bound = Bound {
        amounts: Amounts::default().with(Unit::KafkaBytes, size),
        ..Bound::default()
    };
    quota::charge(request, headers, bound).await?;
    request.usage = Some(written(size, Provenance::Estimated));
    Ok(())
}

/// A record of so many bytes was written, or may have been.
pub(super) fn written(size: u64, provenance: Provenance) -> Usage {
    Usage {
        amounts: Amounts::default().with(Unit::KafkaBytes, size),
        provenance,
    }
}

/// The figures of a topic. Callers may choose its name, so one that no broker has taken a
/// record for yet has no series of its own.
pub(super) fn series(
    metrics: &Metrics,
    record: &config::Record,
    producer: Result<Arc<Producer>, GatewayError>,
    topic: &str,
) -> Arc<metrics::Topic> {
    let published = || producer.is_ok_and(|producer| producer.has_published_to(topic));
    let exists = record.topic.name.literal().is_some() || published();
    metrics.topic(&record.topic.cluster, if exists { topic } else { "" })
}

/// A record is about to be sent to a cluster, in a span of its own.
pub(super) fn note(
    request: &mut Request,
    cluster: &Arc<str>,
    span_id: [u8; 8],
    outgoing: &Outgoing,
) {
    request.record.kafka = Some(Box::new(Kafka {
        cluster: cluster.clone(),
        topic: outgoing.topic.clone(),
        batch: None,
        span_id,
        started: request.began.elapsed(),
        partition: None,
        offset: None,
        bytes: outgoing.content() as u64,
        took: Duration::ZERO,
        spooled: None,
    }));
}

/// What came of a record of so many bytes.
pub(super) fn settle(
    request: &mut Request,
    sent: &Result<Acknowledged, GatewayError>,
    size: u64,
    took: Duration,
) {
    request.waits.upstream += took;
    match sent {
        Ok(_) => request.usage = Some(written(size, Provenance::Counted)),
        Err(error) if error.code == Code::KafkaOutcomeUnknown => {}
        // Every other one says for certain that it was not written.
        Err(_) => request.usage = Some(Usage::nothing()),
    }
    if let Some(kafka) = &mut request.record.kafka {
        kafka.took = took;
        if let Ok(Acknowledged { partition, offset }) = sent {
            kafka.partition = Some(*partition);
            kafka.offset = Some(*offset);
        }
    }
}
