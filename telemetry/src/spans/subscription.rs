//! The span of the records of a topic that a subscriber was given, from when it was followed until it went.

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use super::{Place, name, number, span as make};
use crate::record::{Record, Subscription};

/// It asked for them, so its kind is CLIENT.
pub(super) fn span(record: &Record, subscription: &Subscription) -> SpanData {
    let place = Place {
        span_id: subscription.span_id,
        parent: Some(record.trace.span_id),
        remote: false,
        kind: SpanKind::Client,
        started: subscription.started,
        took: record.duration.saturating_sub(subscription.started),
    };
    let attributes = vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.type", "receive"),
        KeyValue::new("messaging.operation.name", "receive"),
        name("messaging.destination.name", &subscription.topic),
        number("messaging.batch.message_count", subscription.records),
        name("weir.kafka.cluster", &subscription.cluster),
    ];
    let span_name = format!("receive {}", subscription.topic);
    make(record, place, span_name.into(), attributes, Status::Unset)
}
