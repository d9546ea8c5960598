//! The nested objects of a record's JSON form: attempts, policies, quotas,
//! model, Kafka record, delivery, GraphQL operation and WebSocket connection.

use crate::code::Code;
use crate::metrics::worker::{Kind, Outcome};
use crate::record::websocket::{Closer, WebSocket};
use crate::record::{
    Attempt, Delivery, Graphql, Kafka, Llm, NotRetried, PolicyRun, QuotaUse, Record, Reply, Rpc,
    Subscription, Target,
};
use serde::{Serialize, Serializer};
use std::time::Duration;

pub(crate) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Whole microseconds, so that a line does not carry the noise of an f64.
    serializer.serialize_f64(time.as_micros() as f64 / 1e6)
}

fn maybe_seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// Nano-dollars as dollars, to the last digit: exact up to nine million dollars.
fn maybe_dollars<S: Serializer>(nanos: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match nanos {
        Some(nanos) => serializer.serialize_f64(*nanos as f64 / 1e9),
        None => serializer.serialize_none(),
    }
}

pub(super) fn span_hex(id: [u8; 8]) -> String {
    crate::trace::span_hex(id).to_string()
}

#[derive(Serialize)]
pub(super) struct AttemptLine<'a> {
    upstream: &'a str,
    endpoint: &'a str,
    span_id: String,
    #[serde(serialize_with = "seconds")]
    started: Duration,
    #[serde(serialize_with = "maybe_seconds")]
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<Duration>,
    #[serde(serialize_with = "maybe_seconds")]
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte: Option<Duration>,
    #[serde(serialize_with = "maybe_seconds")]
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Duration>,
    #[serde(serialize_with = "seconds")]
    duration: Duration,
    reused: bool,
    #[serde(serialize_with = "seconds")]
    connection_age: Duration,
    #[serde(serialize_with = "seconds")]
    connection_idle: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive_race: Option<&'static str>,
    #[serde(serialize_with = "maybe_seconds")]
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    bytes_sent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retried: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_retried: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

impl<'a> AttemptLine<'a> {
    /// Those of a record, each with the model it asked for, if it asked for one.
    pub(super) fn all(record: &'a Record) -> Vec<Self> {
        let attempts = record.attempts.iter().enumerate();
        let one = |(index, attempt)| {
            let llm = record.llm.as_deref();
            let target = llm.and_then(|llm| llm.targets.get(llm.asked_by(index)?));
            Self {
                model: target.map(|target| &*target.model),
                ..Self::of(attempt)
            }
        };
        attempts.map(one).collect()
    }

    fn of(attempt: &'a Attempt) -> Self {
        Self {
            model: None,
            upstream: &attempt.upstream,
            endpoint: &attempt.endpoint,
            span_id: span_hex(attempt.span_id),
            started: attempt.started,
            connect: attempt.connect,
            first_byte: attempt.first_byte,
            body: attempt.body,
            duration: attempt.total,
            reused: attempt.reused,
            connection_age: attempt.connection_age,
            connection_idle: attempt.connection_idle,
            keep_alive_race: attempt.keep_alive_race.map(|race| race.how),
            idle_timeout: attempt.keep_alive_race.and_then(|race| race.idle_timeout),
            status: attempt.status,
            rpc_status: attempt.rpc.map(|status| status.name),
            error: attempt.code.map(crate::Code::slug),
            detail: attempt.detail.as_deref(),
            bytes_sent: attempt.bytes_sent,
            retried: attempt.retried,
            not_retried: attempt.not_retried.map(NotRetried::as_str),
        }
    }
}

#[derive(Serialize)]
pub(super) struct PolicyLine {
    kind: &'static str,
    #[serde(serialize_with = "seconds")]
    duration: Duration,
    verdict: &'static str,
}

impl PolicyLine {
    pub(super) fn of(run: &PolicyRun) -> Self {
        Self {
            kind: run.kind,
            duration: run.took,
            verdict: run.verdict,
        }
    }
}

#[derive(Serialize)]
pub(super) struct QuotaLine<'a> {
    quota: &'a str,
    unit: &'static str,
    reserved: u64,
    used: u64,
    provenance: &'static str,
}

impl<'a> QuotaLine<'a> {
    pub(super) fn of(quota: &'a QuotaUse) -> Self {
        Self {
            quota: &quota.quota,
            unit: quota.unit,
            reserved: quota.reserved,
            used: quota.used,
            provenance: quota.provenance,
        }
    }
}

#[derive(Serialize)]
pub(super) struct LlmLine<'a> {
    #[serde(rename = "operation.name")]
    operation: &'static str,
    #[serde(rename = "request.model")]
    requested: &'a str,
    #[serde(rename = "response.model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    served: Option<&'a str>,
    #[serde(rename = "provider.name")]
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_name: Option<&'a str>,
    #[serde(rename = "weir.provider")]
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    stream: bool,
    #[serde(rename = "usage.input_tokens")]
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<u64>,
    #[serde(rename = "usage.output_tokens")]
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<u64>,
    #[serde(rename = "usage.cache_read.input_tokens")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read: Option<u64>,
    #[serde(rename = "usage.cache_creation.input_tokens")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_written: Option<u64>,
    #[serde(rename = "usage.reasoning.output_tokens")]
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<u64>,
    provenance: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'static str>,
    #[serde(rename = "cache.similarity")]
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity: Option<f64>,
    #[serde(serialize_with = "maybe_dollars")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_dollars: Option<u64>,
    #[serde(rename = "first_chunk", serialize_with = "maybe_seconds")]
    #[serde(skip_serializing_if = "Option::is_none")]
    first_chunk: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
}

impl<'a> LlmLine<'a> {
    pub(super) fn of(llm: &'a Llm) -> Self {
        let (target, tokens) = (llm.target(), &llm.tokens);
        Self {
            operation: llm.operation,
            requested: &llm.requested_model,
            served: target.map(|target| &*target.model),
            provider_name: target.map(Target::provider_name),
            provider: target.map(|target| &*target.provider),
            stream: llm.stream,
            input: tokens.input,
            output: tokens.output,
            cache_read: tokens.cache_read,
            cache_written: tokens.cache_written,
            reasoning: tokens.reasoning,
            provenance: llm.provenance,
            cache: llm.cache,
            similarity: llm.similarity,
            cost_dollars: llm.cost,
            first_chunk: llm.first_chunk,
            finish_reason: llm.finish_reason.as_deref(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct RpcLine<'a> {
    #[serde(rename = "system.name")]
    system: &'static str,
    method: &'a str,
    #[serde(rename = "response.status_code")]
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(rename = "request.messages")]
    request_messages: u64,
    #[serde(rename = "response.messages")]
    response_messages: u64,
}

impl<'a> RpcLine<'a> {
    pub(super) fn of(record: &'a Record, call: Rpc) -> Self {
        Self {
            system: "grpc",
            method: record.rpc_method(),
            status: call.status.map(|status| status.name),
            request_messages: call.request_messages,
            response_messages: call.response_messages,
        }
    }
}

#[derive(Serialize)]
pub(super) struct KafkaLine<'a> {
    cluster: &'a str,
    #[serde(rename = "destination.name")]
    #[serde(skip_serializing_if = "str::is_empty")]
    topic: &'a str,
    #[serde(rename = "batch.message_count")]
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
    #[serde(rename = "batch.acknowledged")]
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<u64>,
    #[serde(rename = "batch.error.type")]
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(rename = "destination.partition.id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    #[serde(rename = "kafka.offset")]
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(rename = "message.body.size")]
    bytes: u64,
    #[serde(rename = "message.id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    spooled: Option<&'a str>,
    #[serde(serialize_with = "seconds")]
    duration: Duration,
}

impl<'a> KafkaLine<'a> {
    pub(super) fn of(kafka: &'a Kafka) -> Self {
        Self {
            cluster: &kafka.cluster,
            topic: &kafka.topic,
            messages: kafka.batch.map(|batch| batch.messages),
            acknowledged: kafka.batch.map(|batch| batch.acknowledged),
            code: kafka.batch.and_then(|batch| batch.code).map(Code::slug),
            partition: kafka.partition,
            offset: kafka.offset,
            bytes: kafka.bytes,
            spooled: kafka.spooled.as_deref(),
            duration: kafka.took,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ReplyLine<'a> {
    cluster: &'a str,
    #[serde(rename = "source.name")]
    topic: &'a str,
    #[serde(rename = "source.partition.id")]
    partition: i32,
    #[serde(rename = "kafka.offset")]
    offset: i64,
    #[serde(rename = "message.body.size")]
    bytes: u64,
    #[serde(serialize_with = "seconds")]
    duration: Duration,
}

impl<'a> ReplyLine<'a> {
    pub(super) fn of(reply: &'a Reply) -> Self {
        Self {
            cluster: &reply.cluster,
            topic: &reply.topic,
            partition: reply.partition,
            offset: reply.offset,
            bytes: reply.bytes,
            duration: reply.took,
        }
    }
}

#[derive(Serialize)]
pub(super) struct SubscriptionLine<'a> {
    cluster: &'a str,
    #[serde(rename = "destination.name")]
    topic: &'a str,
    #[serde(rename = "batch.message_count")]
    records: u64,
    lag: u64,
}

impl<'a> SubscriptionLine<'a> {
    pub(super) fn of(subscription: &'a Subscription) -> Self {
        Self {
            cluster: &subscription.cluster,
            topic: &subscription.topic,
            records: subscription.records,
            lag: subscription.lag,
        }
    }
}

#[derive(Serialize)]
pub(super) struct DeliveryLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    llm_worker: Option<&'a str>,
    cluster: &'a str,
    #[serde(rename = "consumer.group.name")]
    group: &'a str,
    #[serde(rename = "destination.name")]
    topic: &'a str,
    #[serde(rename = "destination.partition.id")]
    partition: i32,
    #[serde(rename = "kafka.offset")]
    offset: i64,
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

impl<'a> DeliveryLine<'a> {
    pub(super) fn of(delivery: &'a Delivery) -> Self {
        let name = |kind| (delivery.kind == kind).then_some(&*delivery.name);
        Self {
            webhook: name(Kind::Webhook),
            llm_worker: name(Kind::LlmWorker),
            cluster: &delivery.cluster,
            group: &delivery.group,
            topic: &delivery.topic,
            partition: delivery.partition,
            offset: delivery.offset,
            tries: delivery.tries,
            outcome: delivery.outcome.map(Outcome::as_str),
        }
    }
}

#[derive(Serialize)]
pub(super) struct WebSocketLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subprotocol: Option<&'a str>,
    compressed: bool,
    #[serde(rename = "messages.received")]
    received: u64,
    #[serde(rename = "messages.received.size")]
    received_bytes: u64,
    #[serde(rename = "messages.sent")]
    sent: u64,
    #[serde(rename = "messages.sent.size")]
    sent_bytes: u64,
    #[serde(rename = "close.initiator")]
    #[serde(skip_serializing_if = "Option::is_none")]
    closer: Option<&'static str>,
    #[serde(rename = "close.code")]
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

impl<'a> WebSocketLine<'a> {
    pub(super) fn of(websocket: &'a WebSocket) -> Self {
        let close = websocket.close.as_ref();
        Self {
            subprotocol: websocket.subprotocol.as_deref(),
            compressed: websocket.compressed,
            received: websocket.from_client.count,
            received_bytes: websocket.from_client.bytes,
            sent: websocket.from_upstream.count,
            sent_bytes: websocket.from_upstream.bytes,
            closer: close.map(|close| Closer::as_str(close.by)),
            code: close.and_then(|close| close.code),
        }
    }
}

#[derive(Serialize)]
pub(super) struct GraphqlLine<'a> {
    #[serde(rename = "operation.type")]
    operation_type: &'static str,
    #[serde(rename = "operation.name")]
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_name: Option<&'a str>,
    operations: u64,
    cost: u64,
}

impl<'a> GraphqlLine<'a> {
    pub(super) fn of(graphql: &'a Graphql) -> Self {
        Self {
            operation_type: graphql.operation_type,
            operation_name: graphql.operation_name.as_deref(),
            operations: graphql.operations,
            cost: graphql.cost,
        }
    }
}
