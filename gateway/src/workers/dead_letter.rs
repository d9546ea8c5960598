//! What is kept of a record that was given up: the record as it was, and why, in headers.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use weir_telemetry::metrics::worker::Kind;

use super::Reader;
use super::fate::Failure;
use crate::kafka::group::Task;
use crate::kafka::{Headers, Outgoing};

/// How long a detail is at most, in characters.
const LONGEST: usize = 500;

/// The record to write to the dead-letter topic.
pub(super) fn letter(
    topic: &Arc<str>,
    reader: &Reader,
    task: &Task,
    failure: &Failure,
) -> Outgoing {
    let record = &task.record;
    let worker = match reader.kind {
        Kind::Webhook => "weir-webhook",
        Kind::LlmWorker => "weir-llm-worker",
    };
    let bytes = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    let headers = record.headers.iter();
    // What an earlier dead letter said would be taken for what is said now.
    let headers = headers.filter(|header| !OWN.contains(&&*header.name) && &*header.name != worker);
    let mut headers: Headers = headers
        .map(|header| (Arc::from(&*header.name), header.value.as_deref().map(bytes)))
        .collect();
    let detail: String = failure.detail.chars().take(LONGEST).collect();
    let failed_at = jiff::Timestamp::try_from(SystemTime::now());
    let said = [
        failure.error.clone(),
        detail,
        (task.tries + 1).to_string(),
        task.topic.to_string(),
        record.partition.to_string(),
        record.offset.to_string(),
        failed_at.map(|at| at.to_string()).unwrap_or_default(),
    ];
    let said = OWN.into_iter().zip(said);
    let said = said.chain([(worker, reader.name.to_string())]);
    headers.extend(said.map(|(name, value)| (Arc::from(name), Some(Bytes::from(value)))));
    Outgoing {
        topic: topic.clone(),
        partition: None,
        key: record.key.as_deref().map(bytes),
        value: record.value.as_deref().map(bytes),
        headers,
        timestamp: record.timestamp.filter(|timestamp| *timestamp >= 0),
    }
}

/// The headers that say why, in the order of what they say.
const OWN: [&str; 7] = [
    "weir-error",
    "weir-error-detail",
    "weir-attempts",
    "weir-original-topic",
    "weir-original-partition",
    "weir-original-offset",
    "weir-failed-at",
];
