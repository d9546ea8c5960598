//! The one JSON form of a record: a line of the access log and an entry of
//! the flight recorder are the same object, so that what is read in one is
//! found in the other.
//!
//! Names are OpenTelemetry's where it has one, ours begin with `weir.`; times
//! are seconds. A name is never given another meaning; new ones may be added.
//! What does not apply is left out.

mod parts;

pub(crate) use parts::seconds;

use crate::explain::{Phase, explain, likely_cause, next, timeline};
use crate::record::{Record, Revision, split_port};
use crate::timestamp::Rfc3339;
use parts::{
    AttemptLine, DeliveryLine, GraphqlLine, KafkaLine, LlmLine, PolicyLine, QuotaLine, ReplyLine,
    RpcLine, SubscriptionLine, WebSocketLine, span_hex,
};
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// The members that a line can have, in their order.
pub const FIELDS: &[&str] = &[
    "timestamp",
    "request_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "trace_sampled",
    "http.request.method",
    "url.scheme",
    "server.address",
    "server.port",
    "url.path",
    "network.protocol.version",
    "client.address",
    "network.peer.address",
    "user_agent.original",
    "http.response.status_code",
    "error.type",
    "weir.fault",
    "weir.error.detail",
    "weir.aborted",
    "weir.duration",
    "weir.gateway.duration",
    "weir.upstream.wait.duration",
    "http.request.body.size",
    "http.response.body.size",
    "weir.listener",
    "weir.route",
    "weir.team",
    "weir.consumer",
    "weir.action",
    "weir.config.revision",
    "weir.attempts",
    "weir.policies",
    "weir.quotas",
    "gen_ai",
    "rpc",
    "messaging",
    "weir.reply",
    "weir.subscription",
    "weir.delivery",
    "weir.websocket",
    "graphql",
];

/// The object, borrowed from its record.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    timestamp: Rfc3339,
    request_id: &'a str,
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    trace_sampled: bool,

    #[serde(rename = "http.request.method")]
    method: &'a str,
    #[serde(rename = "url.scheme")]
    scheme: &'static str,
    #[serde(rename = "server.address")]
    host: &'a str,
    #[serde(rename = "server.port")]
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(rename = "url.path")]
    path: &'a str,
    #[serde(rename = "network.protocol.version")]
    protocol: &'static str,
    #[serde(rename = "client.address")]
    client: IpAddr,
    #[serde(rename = "network.peer.address")]
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<IpAddr>,
    #[serde(rename = "user_agent.original")]
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,

    #[serde(rename = "http.response.status_code")]
    status: u16,
    #[serde(rename = "error.type")]
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<String>,
    #[serde(rename = "weir.fault")]
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    #[serde(rename = "weir.error.detail")]
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(rename = "weir.aborted")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    aborted: bool,

    #[serde(rename = "weir.duration", serialize_with = "seconds")]
    duration: Duration,
    #[serde(rename = "weir.gateway.duration", serialize_with = "seconds")]
    gateway_time: Duration,
    #[serde(rename = "weir.upstream.wait.duration", serialize_with = "seconds")]
    upstream_wait: Duration,
    #[serde(rename = "http.request.body.size")]
    request_bytes: u64,
    #[serde(rename = "http.response.body.size")]
    response_bytes: u64,

    #[serde(rename = "weir.listener")]
    listener: &'a str,
    #[serde(rename = "weir.route")]
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(rename = "weir.team")]
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(rename = "weir.consumer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'a str>,
    #[serde(rename = "weir.action")]
    #[serde(skip_serializing_if = "str::is_empty")]
    action: &'static str,
    #[serde(rename = "weir.config.revision")]
    config_revision: Revision,

    #[serde(rename = "weir.attempts")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<AttemptLine<'a>>,
    #[serde(rename = "weir.policies")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<PolicyLine>,
    #[serde(rename = "weir.quotas")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quotas: Vec<QuotaLine<'a>>,
    #[serde(rename = "gen_ai")]
    #[serde(skip_serializing_if = "Option::is_none")]
    llm: Option<LlmLine<'a>>,
    #[serde(rename = "rpc")]
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<RpcLine<'a>>,
    #[serde(rename = "messaging")]
    #[serde(skip_serializing_if = "Option::is_none")]
    kafka: Option<KafkaLine<'a>>,
    #[serde(rename = "weir.reply")]
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<ReplyLine<'a>>,
    #[serde(rename = "weir.subscription")]
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<SubscriptionLine<'a>>,
    #[serde(rename = "weir.delivery")]
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<DeliveryLine<'a>>,
    #[serde(rename = "weir.websocket")]
    #[serde(skip_serializing_if = "Option::is_none")]
    websocket: Option<WebSocketLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    graphql: Option<GraphqlLine<'a>>,
}

impl<'a> Line<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let (host, port) = split_port(&record.host);
        Self {
            timestamp: Rfc3339(record.started_at),
            request_id: record.request_id.as_str(),
            trace_id: record.trace.trace_id_hex().to_string(),
            span_id: record.trace.span_id_hex().to_string(),
            parent_span_id: record.trace.parent.map(span_hex),
            trace_sampled: record.trace.sampled,
            method: record.method.as_str(),
            scheme: if record.tls { "https" } else { "http" },
            host,
            port,
            path: &record.path,
            protocol: record.protocol.version(),
            client: record.client,
            peer: record.peer.map(|peer| peer.ip()),
            user_agent: record.user_agent.as_deref(),
            status: record.status,
            error_type: record.error_type().map(|error| error.to_string()),
            fault: record.fault().map(|fault| fault.as_str()),
            detail: record.detail.as_deref(),
            aborted: record.aborted,
            duration: record.duration,
            gateway_time: record.gateway_time,
            upstream_wait: record.upstream_wait,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            listener: &record.listener,
            route: record.route.as_deref(),
            team: record.team.as_deref(),
            consumer: record.consumer.as_deref(),
            action: record.action,
            config_revision: record.config_revision(),
            attempts: AttemptLine::all(record),
            policies: record.policies.iter().map(PolicyLine::of).collect(),
            quotas: record.quotas.iter().map(QuotaLine::of).collect(),
            llm: record.llm.as_deref().map(LlmLine::of),
            rpc: record.rpc.map(|call| RpcLine::of(record, call)),
            kafka: record.kafka.as_deref().map(KafkaLine::of),
            reply: record.reply.as_deref().map(ReplyLine::of),
            subscription: record.subscription.as_deref().map(SubscriptionLine::of),
            delivery: record.delivery.as_deref().map(DeliveryLine::of),
            websocket: record.websocket.as_deref().map(WebSocketLine::of),
            graphql: record.graphql.as_deref().map(GraphqlLine::of),
        }
    }
}

/// An entry of the flight recorder in full.
#[derive(Serialize)]
pub(crate) struct Detail<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    #[serde(rename = "weir.route.matched")]
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<&'a str>,
    timeline: Vec<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    likely_cause: Option<String>,
    next: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<String>,
    explanation: String,
}

impl<'a> Detail<'a> {
    pub(crate) fn of(record: &'a Record, in_force: u64) -> Self {
        Self {
            line: Line::of(record),
            matched: record.matched.as_deref(),
            timeline: timeline(record),
            likely_cause: likely_cause(record),
            next: next(record),
            runbook: record.code.map(crate::Code::runbook),
            explanation: explain(record, Some(in_force)),
        }
    }
}

/// A failed or slow request as it is told to who watches.
#[derive(Serialize)]
pub(crate) struct Failure<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    #[serde(rename = "weir.team")]
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(rename = "weir.upstream")]
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    #[serde(rename = "weir.error.detail")]
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    likely_cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<String>,
}

impl<'a> Failure<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let last = record.attempts.last();
        Self {
            summary: Summary::of(record),
            team: record.team.as_deref(),
            upstream: last.map(|attempt| &*attempt.upstream),
            endpoint: last.map(|attempt| &*attempt.endpoint),
            detail: record.detail.as_deref(),
            likely_cause: likely_cause(record),
            runbook: record.code.map(crate::Code::runbook),
        }
    }
}

/// What the flight recorder holds, in short.
#[derive(Serialize)]
pub(crate) struct List<'a> {
    pub(crate) failed: Vec<Summary<'a>>,
    pub(crate) refused: Vec<Summary<'a>>,
    pub(crate) mistaken: Vec<Summary<'a>>,
    pub(crate) slowest: Vec<Summary<'a>>,
}

/// One entry of the flight recorder in short; the names are those of [`Line`].
#[derive(Serialize)]
pub(crate) struct Summary<'a> {
    timestamp: Rfc3339,
    request_id: &'a str,
    trace_id: String,
    #[serde(rename = "http.request.method")]
    method: &'a str,
    #[serde(rename = "url.path")]
    path: &'a str,
    #[serde(rename = "weir.route")]
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(rename = "http.response.status_code")]
    status: u16,
    #[serde(rename = "error.type")]
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<String>,
    #[serde(rename = "weir.fault")]
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    #[serde(rename = "weir.duration", serialize_with = "seconds")]
    duration: Duration,
}

impl<'a> Summary<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        Self {
            timestamp: Rfc3339(record.started_at),
            request_id: record.request_id.as_str(),
            trace_id: record.trace.trace_id_hex().to_string(),
            method: record.method.as_str(),
            path: &record.path,
            route: record.route.as_deref(),
            status: record.status,
            error_type: record.error_type().map(|error| error.to_string()),
            fault: record.fault().map(|fault| fault.as_str()),
            duration: record.duration,
        }
    }
}
