//! `routes[].publish`, checked.

use std::time::Duration;

use super::actions::Around;
use super::idempotency::{self, Idempotency};
use super::record::{self, Record};
use super::schema::{self, Schema};
use super::topic::Topic;
use crate::config::check::{At, Checker};
use crate::config::raw::publish as raw;
pub use crate::config::raw::publish::{Ack, CloudEvents, EventMode};

/// Makes a request a Kafka record.
#[derive(Debug, Clone)]
pub struct Publish {
    /// What a record is made of.
    pub record: Record,
    /// Which brokers have a record before the caller is told so.
    pub ack: Ack,
    /// How several records are taken in one request, if they are.
    pub batch: Option<Batch>,
    /// How CloudEvents are taken, if they are.
    pub cloud_events: Option<CloudEvents>,
    /// What values are; the bodies as they are, if `None`.
    pub schema: Option<Schema>,
    /// How requests are done once that are sent several times, if they are.
    pub idempotency: Option<Idempotency>,
    /// The largest body in bytes.
    pub max_body: u64,
    /// How long the caller waits for the broker.
    pub timeout: Duration,
    /// Whether the caller is answered once the record is in the cluster's spool, which has one.
    pub spooled: bool,
}

/// How several records are taken in one request.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// The most records.
    pub max_records: usize,
    /// Whether they are written all or none.
    pub transaction: bool,
}

/// Checks the action.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Publish,
    around: &Around<'_>,
) -> Option<Publish> {
    let said = record::Said {
        cluster: &raw.cluster,
        topic: &raw.topic,
        key: raw.key.as_deref(),
        partition: raw.partition.as_deref(),
        timestamp: raw.timestamp.as_deref(),
        headers: &raw.headers,
    };
    let record = record::check(cx, at, &said, around);
    check_schema(cx, at, raw);
    let record = record?;
    if raw.r#async {
        check_async(cx, at, raw, &record.topic);
    }
    let schema = match &raw.schema {
        Some(schema) => Some(schema::check(cx, &at.key("schema"), schema, around)?),
        None => None,
    };
    let idempotency = match &raw.idempotency {
        Some(raw) => Some(idempotency::check(cx, &at.key("idempotency"), raw, around)?),
        None => None,
    };
    Some(Publish {
        record,
        ack: raw.ack,
        batch: raw
            .batch
            .as_ref()
            .map(|batch| check_batch(cx, at, batch, raw.ack)),
        cloud_events: raw.cloud_events,
        schema,
        idempotency,
        max_body: raw.max_body.0,
        timeout: raw.timeout.0,
        spooled: raw.r#async,
    })
}

fn check_batch(cx: &mut Checker<'_>, at: &At, raw: &raw::Batch, ack: Ack) -> Batch {
    if raw.transaction && ack == Ack::Leader {
        let message = "all in-sync replicas acknowledge a transaction, and `ack` is leader";
        cx.fault(
            &at.key("batch").key("transaction"),
            message,
            "leave `ack` out",
        );
    }
    Batch {
        max_records: raw.max_records,
        transaction: raw.transaction,
    }
}

/// A schema is of data, and a structured event is more than that.
fn check_schema(cx: &mut Checker<'_>, at: &At, raw: &raw::Publish) {
    let structured = |events: CloudEvents| events.mode == EventMode::Structured;
    if raw.schema.is_some() && raw.cloud_events.is_some_and(structured) {
        let message = "a schema describes the data of events, and records carry them whole";
        cx.fault(
            &at.key("cloud_events").key("mode"),
            message,
            "write `mode: binary`",
        );
    }
}

/// Checks what `async` needs.
fn check_async(cx: &mut Checker<'_>, at: &At, raw: &raw::Publish, topic: &Topic) {
    if raw.ack == Ack::Leader {
        let message =
            "what is on disk is sent until all in-sync replicas have it, and `ack` is leader";
        cx.fault(&at.key("ack"), message, "leave it out");
    }
    if raw.batch.is_some() {
        let message = "`async` takes one record a request";
        cx.fault(&at.key("batch"), message, "leave it out, or `async`");
    }
    if raw.idempotency.is_some() {
        let message = "what is spooled is not looked for when a key is sent again";
        let hint = "leave it out, or `async`; records of a spool carry an id of their own";
        cx.fault(&at.key("idempotency"), message, hint);
    }
    if cx.has_principals(&topic.cluster) {
        let message = "what is on disk is sent by the gateway, and this cluster knows callers by their own principals";
        cx.fault(&at.key("async"), message, "leave it out");
    }
    if !cx.has_spool(&topic.cluster) {
        let message = format!("the Kafka cluster \"{}\" has no spool", topic.cluster);
        let hint = "write `spool: { max_size: 1GiB }` under it in `kafka_clusters`";
        cx.fault(&at.key("async"), message, hint);
    }
}
