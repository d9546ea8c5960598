//! The record that an answer becomes: its body, of the same key as the prompt, and in headers what it is, what
//! it used, and which prompt it answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use weir_telemetry::Record;

use crate::config::llm_workers::LlmWorker;
use crate::kafka::group::Task;
use crate::kafka::{Headers, Outgoing};
use crate::proxy::Answer;
use crate::workers::place;

/// The header that names a request; its answer carries the same.
const CORRELATION_ID: &str = "correlation-id";

/// Whether somebody waits for an answer to this prompt, an error included.
pub(super) fn is_waited_for(task: &Task) -> bool {
    task.record.header(CORRELATION_ID).is_some()
}

/// The record of an answer; `record` is what was written down of how it came.
pub(super) fn of(config: &LlmWorker, task: &Task, answer: Answer, record: &Record) -> Outgoing {
    let bytes = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    let mut headers: Headers = Vec::new();
    let mut say = |name: &str, value: Bytes| headers.push((Arc::from(name), Some(value)));
    if let Some(id) = task.record.header(CORRELATION_ID) {
        say(CORRELATION_ID, bytes(id));
    }
    if let Some(kind) = answer.head.headers.get(CONTENT_TYPE) {
        say("content-type", bytes(kind.as_bytes()));
    }
    say("status", answer.head.status.as_str().to_owned().into());
    // Who answered, and what went wrong, as its head says to callers.
    for (name, value) in &answer.head.headers {
        if name.as_str().starts_with("weir-") {
            say(name.as_str(), bytes(value.as_bytes()));
        }
    }
    for (name, value) in usage(record) {
        say(name, value.into());
    }
    say("weir-prompt", place(task).into());
    let id = record.request_id.as_str();
    say("weir-request-id", bytes(id.as_bytes()));
    say("traceparent", bytes(record.trace.traceparent().as_bytes()));
    if let Some(state) = record.trace.state.as_deref() {
        say("tracestate", bytes(state.as_bytes()));
    }
    for (name, value) in &config.headers {
        say(name, bytes(value.as_bytes()));
    }
    Outgoing {
        topic: config.to.clone(),
        partition: None,
        key: task.record.key.as_deref().map(bytes),
        value: Some(answer.body),
        headers,
        timestamp: None,
    }
}

/// What was used, as far as anybody knows.
fn usage(record: &Record) -> Vec<(&'static str, String)> {
    let Some(llm) = &record.llm else {
        return Vec::new();
    };
    let tokens = [
        ("weir-usage-input-tokens", llm.tokens.input),
        ("weir-usage-output-tokens", llm.tokens.output),
    ];
    let tokens = tokens.into_iter();
    let mut said: Vec<_> = tokens
        .filter_map(|(name, tokens)| Some((name, tokens?.to_string())))
        .collect();
    if !said.is_empty() {
        said.push(("weir-usage-provenance", llm.provenance.to_owned()));
    }
    let cost = llm.cost.map(dollars);
    said.extend(cost.map(|cost| ("weir-usage-cost-dollars", cost)));
    said
}

/// Nano-dollars as dollars.
fn dollars(nanos: u64) -> String {
    let (whole, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::dollars;

    #[test]
    fn what_it_cost_is_exact() {
        let cases = [
            (0, "0"),
            (1, "0.000000001"),
            (1_250_000, "0.00125"),
            (20_000_000_000, "20"),
        ];
        for (nanos, text) in cases {
            assert_eq!(dollars(nanos), text);
        }
    }
}
