//! A finished request as an OTLP log record: what a line of the access log says, as attributes of the same
//! names, with a sentence to read as its body.
//!
//! It runs on the exporter's thread and knows nothing of how records are sent.

use crate::access_log::Choice;
use crate::code::Fault;
use crate::record::Record;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use serde_json::{Map, Value};
use std::time::{SystemTime, UNIX_EPOCH};

/// Members of a line that a log record has fields of its own for.
const FIELDS_OF_ITS_OWN: [&str; 4] = ["timestamp", "trace_id", "span_id", "trace_sampled"];

/// The record, with what was chosen to stand in a line.
pub(super) fn log_record(record: &Record, choice: &Choice) -> LogRecord {
    let mut members = choice.members(record);
    members.retain(|name, _| !FIELDS_OF_ITS_OWN.contains(&&**name));
    let body = sentence(&members);
    let severity = severity(record);
    LogRecord {
        time_unix_nano: nanos(record.started_at + record.duration),
        observed_time_unix_nano: nanos(SystemTime::now()),
        severity_number: severity.into(),
        severity_text: match severity {
            SeverityNumber::Error => "ERROR",
            SeverityNumber::Warn => "WARN",
            _ => "INFO",
        }
        .to_owned(),
        body: Some(any(Value::String(body))),
        attributes: members.into_iter().map(attribute).collect(),
        flags: u32::from(record.trace.sampled),
        trace_id: record.trace.trace_id.to_vec(),
        span_id: record.trace.span_id.to_vec(),
        event_name: "weir.request".to_owned(),
        ..LogRecord::default()
    }
}

/// Somebody here has to do something, a caller has, or nobody.
fn severity(record: &Record) -> SeverityNumber {
    match record.fault() {
        Some(Fault::Gateway | Fault::Upstream) => SeverityNumber::Error,
        Some(Fault::Policy | Fault::Client) => SeverityNumber::Warn,
        None if record.failed() => SeverityNumber::Error,
        None => SeverityNumber::Info,
    }
}

/// Of what may be said: what was not chosen is not in it either.
fn sentence(members: &Map<String, Value>) -> String {
    let words = [
        "http.request.method",
        "url.path",
        "http.response.status_code",
        "error.type",
    ];
    let said = words.iter().filter_map(|name| members.get(*name));
    let said: Vec<_> = said
        .map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    said.join(" ")
}

pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn attribute((key, value): (String, Value)) -> KeyValue {
    KeyValue {
        key,
        value: Some(any(value)),
        ..KeyValue::default()
    }
}

fn any(value: Value) -> AnyValue {
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(Any::BoolValue(value)),
        Value::String(text) => Some(Any::StringValue(text)),
        Value::Number(number) => Some(match number.as_i64() {
            Some(whole) => Any::IntValue(whole),
            // What is beyond 2^63 loses its last digits, as it does in most programs that read JSON.
            None => Any::DoubleValue(number.as_f64().unwrap_or_default()),
        }),
        Value::Array(values) => Some(Any::ArrayValue(ArrayValue {
            values: values.into_iter().map(any).collect(),
        })),
        Value::Object(members) => Some(Any::KvlistValue(KeyValueList {
            values: members.into_iter().map(attribute).collect(),
        })),
    };
    AnyValue { value }
}
