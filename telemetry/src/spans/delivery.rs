//! A record of Kafka that was worked on, in the conventions' words for messaging.

use super::{name, number, text};
use crate::metrics::worker::Kind;
use crate::record::{Delivery, Record};
use opentelemetry::KeyValue;

/// The name of its span.
pub(super) fn span_name(delivery: &Delivery) -> String {
    format!("process {}", delivery.topic)
}

/// What is said of it.
pub(super) fn attributes(record: &Record, delivery: &Delivery) -> Vec<KeyValue> {
    let partition = delivery.partition.to_string();
    let mut attributes = vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.operation.name", "process"),
        name("messaging.destination.name", &delivery.topic),
        text("messaging.destination.partition.id", &partition),
        KeyValue::new("messaging.kafka.offset", delivery.offset),
        name("messaging.consumer.group.name", &delivery.group),
        number("messaging.message.body.size", delivery.bytes),
        name("weir.kafka.cluster", &delivery.cluster),
        match delivery.kind {
            Kind::Webhook => name("weir.webhook", &delivery.name),
            Kind::LlmWorker => name("weir.llm_worker", &delivery.name),
        },
        number("weir.delivery.tries", delivery.tries.into()),
        text("weir.request_id", record.request_id.as_str()),
    ];
    if let Some(outcome) = delivery.outcome {
        attributes.push(KeyValue::new("weir.delivery.outcome", outcome.as_str()));
    }
    let route = record.route.as_ref();
    attributes.extend(route.map(|route| name("weir.route", route)));
    let consumer = record.consumer.as_ref();
    attributes.extend(consumer.map(|consumer| name("weir.consumer", consumer)));
    attributes.extend(record.team.as_ref().map(|team| name("weir.team", team)));
    attributes
}
