//! A record as OpenTelemetry spans: one SERVER span for the request, or one CONSUMER span for a record
//! that was worked on; one CLIENT span per attempt, one PRODUCER span for a Kafka record, and one
//! CLIENT span for the record that replied to it, or for those that a subscriber was given.
//!
//! Attribute names follow the semantic conventions for HTTP, GenAI, GraphQL
//! and messaging; ours begin with `weir.`. It runs on the exporter's thread, not
//! on a request's, and knows nothing of how spans are sent.

mod delivery;
mod llm;
mod method;
mod reply;
mod rpc;
mod subscription;
mod websocket;

use crate::content::Content;
use crate::record::{Attempt, Delivery, Graphql, Kafka, Record, split_port};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Why a request's spans are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The caller or the ratio said so when it began.
    Sampled,
    /// It failed.
    Failed,
    /// It was slow.
    Slow,
}

impl Reason {
    /// The value of the attribute `weir.export.reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::Failed => "failed",
            Self::Slow => "slow",
        }
    }
}

/// The second sampling decision, when all is known: whatever was sampled at
/// the start, and every failed or slow request besides. A caller's own mistake
/// (4xx) alone is no reason.
pub fn should_export(record: &Record, sampled: bool, slow_after: Duration) -> Option<Reason> {
    if sampled {
        Some(Reason::Sampled)
    } else if record.failed() {
        Some(Reason::Failed)
    } else if record.slow(slow_after) {
        Some(Reason::Slow)
    } else {
        None
    }
}

/// How many spans [`spans`] makes of a record.
pub fn count(record: &Record) -> usize {
    1 + record.attempts.len()
        + usize::from(record.kafka.is_some())
        + usize::from(record.reply.is_some())
        + usize::from(record.subscription.is_some())
}

/// All spans of a record, the SERVER (or CONSUMER) span first; `content` is shown on the attempt that was
/// answered.
pub fn spans(record: &Record, reason: Reason, content: Option<&Content>) -> Vec<SpanData> {
    let mut spans = Vec::with_capacity(count(record));
    spans.push(server(record, reason));
    let last = record.attempts.len().saturating_sub(1);
    for (index, attempt) in record.attempts.iter().enumerate() {
        // The tokens were used once, by the attempt that was answered.
        let answered = index == last;
        spans.push(client(record, index, attempt, answered));
        if let (Some(span), Some(content), true) = (spans.last_mut(), content, answered) {
            span.attributes.extend(llm::said(content));
        }
    }
    if let Some(kafka) = &record.kafka {
        spans.push(producer(record, kafka));
    }
    if let Some(reply) = &record.reply {
        spans.push(reply::span(record, reply));
    }
    if let Some(subscription) = &record.subscription {
        spans.push(subscription::span(record, subscription));
    }
    spans
}

/// What all spans of a record share: the trace, and the place within it.
struct Place {
    span_id: [u8; 8],
    parent: Option<[u8; 8]>,
    remote: bool,
    kind: SpanKind,
    started: Duration,
    took: Duration,
}

fn span(
    record: &Record,
    place: Place,
    name: Cow<'static, str>,
    attributes: Vec<KeyValue>,
    status: Status,
) -> SpanData {
    let flags = if record.trace.sampled {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::NOT_SAMPLED
    };
    let state = record.trace.state.as_deref();
    let state = state.and_then(|s| TraceState::from_str(s).ok());
    let start_time = record.started_at + place.started;
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(record.trace.trace_id),
            SpanId::from_bytes(place.span_id),
            flags,
            false,
            state.unwrap_or_default(),
        ),
        parent_span_id: place.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: place.remote,
        span_kind: place.kind,
        name,
        start_time,
        end_time: start_time + place.took,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: InstrumentationScope::builder("weir")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value.to_owned())
}

fn name(key: &'static str, value: &Arc<str>) -> KeyValue {
    KeyValue::new(key, Arc::clone(value))
}

/// OpenTelemetry's integers are signed; nothing counted here gets near.
fn number(key: &'static str, value: u64) -> KeyValue {
    KeyValue::new(key, i64::try_from(value).unwrap_or(i64::MAX))
}

fn seconds(key: &'static str, value: Duration) -> KeyValue {
    KeyValue::new(key, value.as_secs_f64())
}

fn server_name(authority: &str) -> impl Iterator<Item = KeyValue> {
    let (host, port) = split_port(authority);
    let port = port.map(|port| number("server.port", port.into()));
    std::iter::once(text("server.address", host)).chain(port)
}

fn server(record: &Record, reason: Reason) -> SpanData {
    if let Some(delivery) = record.delivery.as_deref() {
        return consumer(record, delivery, reason);
    }
    let span_name = match (rpc::name(record), &record.pattern) {
        (Some(called), _) => called.to_owned().into(),
        (None, Some(pattern)) => format!("{} {pattern}", method::name(&record.method)).into(),
        (None, None) => method::name(&record.method).to_owned().into(),
    };
    // The conventions: a 4xx is not an error of the server's.
    let status = match record.error_type() {
        Some(error) if record.failed() => Status::error(error.to_string()),
        None if record.failed() => Status::error("the response was cut"),
        _ => Status::Unset,
    };
    let place = Place {
        span_id: record.trace.span_id,
        parent: record.trace.parent,
        remote: record.trace.parent.is_some(),
        kind: SpanKind::Server,
        started: Duration::ZERO,
        took: record.duration,
    };
    let mut span = span(
        record,
        place,
        span_name,
        server_attributes(record, reason),
        status,
    );
    if let Some(websocket) = &record.websocket {
        span.events = websocket::events(record.started_at, websocket);
    }
    span
}

/// A record that was read from Kafka, and sent on.
fn consumer(record: &Record, delivery: &Delivery, reason: Reason) -> SpanData {
    let error = match record.error_type() {
        Some(error) => Some(error.to_string()),
        None => (record.status >= 400).then(|| record.status.to_string()),
    };
    let mut attributes = delivery::attributes(record, delivery);
    attributes.push(KeyValue::new("weir.export.reason", reason.as_str()));
    attributes.extend(error.as_deref().map(|error| text("error.type", error)));
    let detail = record.detail.as_deref();
    attributes.extend(detail.map(|detail| text("weir.error.detail", detail)));
    let place = Place {
        span_id: record.trace.span_id,
        parent: record.trace.parent,
        remote: record.trace.parent.is_some(),
        kind: SpanKind::Consumer,
        started: Duration::ZERO,
        took: record.duration,
    };
    let status = error.map_or(Status::Unset, Status::error);
    let span_name = delivery::span_name(delivery);
    span(record, place, span_name.into(), attributes, status)
}

/// In the conventions' words, where they have some. The document is its caller's, and not shown.
fn asked_in_graphql(graphql: &Graphql) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("graphql.operation.type", graphql.operation_type),
        number("weir.graphql.operations", graphql.operations),
        number("weir.graphql.cost", graphql.cost),
    ];
    let name = graphql.operation_name.as_deref();
    attributes.extend(name.map(|name| text("graphql.operation.name", name)));
    attributes
}

fn server_attributes(record: &Record, reason: Reason) -> Vec<KeyValue> {
    let mut attributes = vec![
        number("http.response.status_code", record.status.into()),
        text("url.path", &record.path),
        text("url.scheme", if record.tls { "https" } else { "http" }),
        text("client.address", &record.client.to_string()),
        text("network.protocol.version", record.protocol.version()),
        number("http.request.body.size", record.request_bytes),
        number("http.response.body.size", record.response_bytes),
        text("weir.request_id", record.request_id.as_str()),
        name("weir.listener", &record.listener),
        seconds("weir.gateway.duration", record.gateway_time),
        seconds("weir.upstream.wait.duration", record.upstream_wait),
        text(
            "weir.config.revision",
            &record.config_revision().to_string(),
        ),
        KeyValue::new("weir.export.reason", reason.as_str()),
    ];
    attributes.extend(method::attributes(&record.method));
    if record.query {
        attributes.push(KeyValue::new("url.query", "REDACTED"));
    }
    attributes.extend(server_name(&record.host));
    if let Some(peer) = record.peer {
        attributes.push(text("network.peer.address", &peer.ip().to_string()));
        attributes.push(number("network.peer.port", peer.port().into()));
    }
    if let Some(user_agent) = &record.user_agent {
        attributes.push(text("user_agent.original", user_agent));
    }
    if let Some(pattern) = &record.pattern {
        attributes.push(name("http.route", pattern));
    }
    if let Some(route) = &record.route {
        attributes.push(name("weir.route", route));
    }
    if let Some(team) = &record.team {
        attributes.push(name("weir.team", team));
    }
    if let Some(consumer) = &record.consumer {
        attributes.push(name("weir.consumer", consumer));
    }
    if !record.action.is_empty() {
        attributes.push(KeyValue::new("weir.action", record.action));
    }
    if let Some(error) = record.error_type() {
        attributes.push(text("error.type", &error.to_string()));
    }
    if let Some(fault) = record.fault() {
        attributes.push(KeyValue::new("weir.fault", fault.as_str()));
    }
    if let Some(detail) = &record.detail {
        attributes.push(text("weir.error.detail", detail));
    }
    if record.aborted {
        attributes.push(KeyValue::new("weir.aborted", true));
    }
    if let Some(websocket) = &record.websocket {
        attributes.extend(websocket::attributes(websocket));
    }
    if let Some(graphql) = &record.graphql {
        attributes.extend(asked_in_graphql(graphql));
    }
    if let Some(call) = &record.rpc {
        attributes.extend(rpc::served(record, call));
    }
    if let Some(llm) = &record.llm {
        attributes.extend(llm::wanted(llm));
        attributes.extend(llm::cached(llm));
        if record.attempts.is_empty() {
            attributes.extend(llm::answered(record, llm));
        }
    }
    attributes
}

/// OpenTelemetry's `error.type` of an attempt, if it failed.
fn error_of(attempt: &Attempt) -> Option<String> {
    if let Some(code) = attempt.code {
        return Some(code.slug().to_owned());
    }
    // Of a call everything but OK is an error to who calls.
    match (attempt.rpc, attempt.status) {
        (Some(status), _) if status.number != 0 => Some(status.name.to_owned()),
        (_, Some(status)) if status >= 400 => Some(status.to_string()),
        _ => None,
    }
}

fn client(record: &Record, index: usize, attempt: &Attempt, answered: bool) -> SpanData {
    let place = Place {
        span_id: attempt.span_id,
        parent: Some(record.trace.span_id),
        remote: false,
        kind: SpanKind::Client,
        started: attempt.started,
        took: attempt.total,
    };
    let error = error_of(attempt);
    let mut attributes = client_attributes(record, index, attempt);
    if let Some(error) = &error {
        attributes.push(text("error.type", error));
    }
    let method = attempt.method.as_ref().unwrap_or(&record.method);
    let mut span_name: Cow<'static, str> = method::name(method).to_owned().into();
    if let Some(called) = rpc::name(record) {
        span_name = called.to_owned().into();
        attributes.extend(rpc::of(record, attempt.rpc));
    }
    if let Some(llm) = &record.llm
        && let Some(asked) = llm.asked_by(index)
    {
        let target = &llm.targets[asked];
        span_name = llm::span_name(llm, target).into();
        attributes.extend(llm::asked(llm, target));
        attributes.extend(llm::instead(llm, asked, &record.attempts));
        if answered {
            attributes.extend(llm::answered(record, llm));
        }
    }
    let status = error.map_or(Status::Unset, Status::error);
    span(record, place, span_name, attributes, status)
}

fn client_attributes(record: &Record, index: usize, attempt: &Attempt) -> Vec<KeyValue> {
    let path = attempt.path.as_deref().unwrap_or(&record.path);
    let url = format!("{}://{}{path}", attempt.scheme, attempt.endpoint);
    let mut attributes = vec![
        text("url.full", &url),
        name("weir.upstream", &attempt.upstream),
        KeyValue::new("weir.connection.reused", attempt.reused),
        seconds("weir.connection.age", attempt.connection_age),
        seconds("weir.connection.idle", attempt.connection_idle),
        number("weir.bytes_sent", attempt.bytes_sent),
    ];
    attributes.extend(method::attributes(
        attempt.method.as_ref().unwrap_or(&record.method),
    ));
    if let Some(race) = attempt.keep_alive_race {
        attributes.push(text("weir.keep_alive_race", race.how));
    }
    if !attempt.endpoint.is_empty() {
        attributes.extend(server_name(&attempt.endpoint));
    }
    // What was asked before a model was is another call.
    let first = record.llm.as_ref().and_then(|llm| llm.targets.first());
    let resent = index.saturating_sub(first.map_or(0, |target| target.first_attempt));
    if resent > 0 {
        attributes.push(number("http.request.resend_count", resent as u64));
    }
    if let Some(status) = attempt.status {
        attributes.push(number("http.response.status_code", status.into()));
    }
    if let Some(detail) = &attempt.detail {
        attributes.push(text("weir.error.detail", detail));
    }
    if let Some(reason) = attempt.retried {
        attributes.push(KeyValue::new("weir.retry.reason", reason));
    }
    if let Some(why) = attempt.not_retried {
        attributes.push(KeyValue::new("weir.retry.refused", why.as_str()));
    }
    for (key, time) in [
        ("weir.upstream.connect.duration", attempt.connect),
        ("weir.upstream.first_byte.duration", attempt.first_byte),
        ("weir.upstream.body.duration", attempt.body),
    ] {
        attributes.extend(time.map(|time| seconds(key, time)));
    }
    attributes
}

fn producer(record: &Record, kafka: &Kafka) -> SpanData {
    let place = Place {
        span_id: kafka.span_id,
        parent: Some(record.trace.span_id),
        remote: false,
        kind: SpanKind::Producer,
        started: kafka.started,
        took: kafka.took,
    };
    let mut attributes = vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.type", "send"),
        KeyValue::new("messaging.operation.name", "send"),
        number("messaging.message.body.size", kafka.bytes),
        name("weir.kafka.cluster", &kafka.cluster),
    ];
    if !kafka.topic.is_empty() {
        attributes.push(name("messaging.destination.name", &kafka.topic));
    }
    if let Some(batch) = kafka.batch {
        attributes.push(number("messaging.batch.message_count", batch.messages));
        let acknowledged = number("weir.kafka.acknowledged", batch.acknowledged);
        attributes.push(acknowledged);
    }
    if let Some(partition) = kafka.partition {
        let partition = text("messaging.destination.partition.id", &partition.to_string());
        attributes.push(partition);
    }
    if let Some(offset) = kafka.offset {
        attributes.push(KeyValue::new("messaging.kafka.offset", offset));
    }
    if let Some(id) = &kafka.spooled {
        attributes.push(text("messaging.message.id", id));
    }
    let acknowledged = kafka.offset.is_some();
    let code = match kafka.batch {
        Some(batch) => batch.code,
        None => record.code.filter(|_| !acknowledged),
    };
    if let Some(code) = code {
        attributes.push(KeyValue::new("error.type", code.slug()));
    }
    let status = code.map_or(Status::Unset, |code| Status::error(code.slug()));
    let span_name = match &*kafka.topic {
        "" => "send".into(),
        topic => format!("send {topic}").into(),
    };
    span(record, place, span_name, attributes, status)
}
