//! `routes[].publish`, checked.

use std::time::Duration;

use super::actions::Around;
use super::idempotency::{self, Idempotency};
use super::method::publish::{self as call, Call};
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
    /// By which method of gRPC it is called, if it is called so.
    pub call: Option<Call>,
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
        Some(schema) => Some(schema::check(
            cx,
            &at.key("schema"),
            schema,
            around.owner(),
        )?),
        None => None,
    };
    let idempotency = match &raw.idempotency {
        Some(idempotency) => {
            let at = at.key("idempotency");
            let checked = idempotency::check(cx, &at, idempotency, around)?;
            if raw.r#async {
                check_async_keys(cx, &at.key("store"), &checked);
            }
            Some(checked)
        }
        None => None,
    };
    let call = match &raw.grpc {
        Some(grpc) => Some(call::check(cx, at, raw, (grpc, &record), around)?),
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
        call,
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

/// A key that a fleet knows may come again to any gateway, and a spool is on the disk of one. What a gateway
/// did that died before it said so, another could find neither in its own spool nor, as long as the disk waits
/// to be started again, in the topic: it would have to do it again, or nobody ever. So such keys are known by
/// the process that has the spool, as long as that is there.
fn check_async_keys(cx: &mut Checker<'_>, at: &At, idempotency: &Idempotency) {
    if let idempotency::Store::Redis { name, .. } = &idempotency.store {
        let message = format!(
            "other gateways know the keys of the store \"{name}\", and none can look into the spool of another"
        );
        let hint = "name one of kind memory, and send callers that come again to the same gateway; or leave `async` out";
        cx.fault(at, message, hint);
    }
}

/// Checks what `async` needs.
fn check_async(cx: &mut Checker<'_>, at: &At, raw: &raw::Publish, topic: &Topic) {
    if raw.ack == Ack::Leader {
        let message =
            "what is on disk is sent until all in-sync replicas have it, and `ack` is leader";
        cx.fault(&at.key("ack"), message, "leave it out");
    }
    if raw.batch.as_ref().is_some_and(|batch| batch.transaction) {
        let message = "what is on disk is sent record by record, in no transaction";
        let at = at.key("batch").key("transaction");
        cx.fault(&at, message, "leave it out, or `async`");
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
