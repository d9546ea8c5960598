//! The span of a record that replied to a request: it links to what the reply comes from. It was
//! asked for, so its kind is CLIENT.

use opentelemetry::KeyValue;
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry_sdk::trace::{SpanData, SpanLinks};

use super::{Place, name, number, span as make, text};
use crate::record::{Record, Reply};
use crate::trace::Context;

/// From the reply first being waited for to it being read.
pub(super) fn span(record: &Record, reply: &Reply) -> SpanData {
    let place = Place {
        span_id: reply.span_id,
        parent: Some(record.trace.span_id),
        remote: false,
        kind: SpanKind::Client,
        started: reply.started,
        took: reply.took,
    };
    let attributes = vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.type", "receive"),
        KeyValue::new("messaging.operation.name", "receive"),
        name("messaging.destination.name", &reply.topic),
        text(
            "messaging.destination.partition.id",
            &reply.partition.to_string(),
        ),
        KeyValue::new("messaging.kafka.offset", reply.offset),
        number("messaging.message.body.size", reply.bytes),
        name("weir.kafka.cluster", &reply.cluster),
    ];
    let span_name = format!("receive {}", reply.topic);
    let mut span = make(record, place, span_name.into(), attributes, Status::Unset);
    if let Some(context) = &reply.context {
        let mut links = SpanLinks::default();
        links.links.push(link(context));
        span.links = links;
    }
    span
}

fn link(context: &Context) -> Link {
    let flags = match context.sampled {
        true => TraceFlags::SAMPLED,
        false => TraceFlags::NOT_SAMPLED,
    };
    let from = SpanContext::new(
        TraceId::from_bytes(context.trace_id),
        SpanId::from_bytes(context.span_id),
        flags,
        true,
        TraceState::default(),
    );
    Link::with_context(from)
}
