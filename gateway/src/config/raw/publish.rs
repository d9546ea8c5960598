//! `publish` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use super::grpc_method::Published;
use super::idempotency::Idempotency;
use super::schema::Schema;
use crate::config::units::{Duration, Size};

/// Makes the request a Kafka record, and answers once the broker has it.
///
/// Topic, key, partition, timestamp and headers are templates over `{path.NAME}`, `{header.NAME}`,
/// `{query.NAME}`, `{consumer}`, `{team}` and `{body./POINTER}`, a JSON pointer into the record's value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The name of an entry of `kafka_clusters`.
    pub cluster: Name,
    /// The topic, as `orders` or `{path.topic}`.
    pub topic: String,
    /// The record's key, as `{header.x-key}`. Without it, or when it is
    /// empty, the record has none.
    #[serde(default)]
    pub key: Option<String>,
    /// The record's partition, a number. Without it, or when it is empty,
    /// the key decides.
    #[serde(default)]
    pub partition: Option<String>,
    /// The record's timestamp: a moment of RFC 3339, or milliseconds since
    /// 1970. Without it, or when it is empty, it is when the record is sent.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// Headers of the record.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Which brokers have a record before the caller is told that it is
    /// written.
    #[serde(default)]
    pub ack: Ack,
    /// Takes several records in one request: an array of `application/json`,
    /// or the lines of `application/x-ndjson`. Without it, any body is one
    /// record.
    #[serde(default)]
    pub batch: Option<Batch>,
    /// Takes CloudEvents 1.0: in binary content mode (`ce-` fields), structured
    /// (`application/cloudevents+json`) and, with `batch`, as
    /// `application/cloudevents-batch+json`.
    #[serde(default)]
    pub cloud_events: Option<CloudEvents>,
    /// What the values of records are, made of the JSON that callers send. They are the bodies as they
    /// are, if not said.
    #[serde(default)]
    pub schema: Option<Schema>,
    /// Does once what is sent several times with the same `Idempotency-Key`.
    #[serde(default)]
    pub idempotency: Option<Idempotency>,
    /// Takes messages of gRPC, each of which becomes a record, and nothing else.
    #[serde(default)]
    pub grpc: Option<Published>,
    /// The largest body; over gRPC, the largest message.
    #[serde(default = "Publish::default_max_body")]
    pub max_body: Size,
    /// How long the caller waits for the broker.
    #[serde(default = "Publish::default_timeout")]
    pub timeout: Duration,
    /// Answers 202 as soon as the record is on disk, in the `spool` of the
    /// cluster, from which it is sent as soon as brokers take it.
    #[serde(default)]
    pub r#async: bool,
}

impl Publish {
    fn default_max_body() -> Size {
        Size::kib(1000)
    }

    fn default_timeout() -> Duration {
        Duration::from_secs(30)
    }
}

/// Which brokers have a record before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PublishAck")]
pub enum Ack {
    /// All in-sync replicas; it is written once.
    #[default]
    All,
    /// The partition's leader only: the record may be lost when another becomes
    /// that, and may be written twice or out of order.
    Leader,
}

/// How several records are taken in one request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PublishBatch")]
pub struct Batch {
    /// The most records.
    #[serde(default = "Batch::default_max_records")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_records: usize,
    /// Writes all records of a batch in one Kafka transaction, or none.
    #[serde(default)]
    pub transaction: bool,
}

impl Batch {
    fn default_max_records() -> usize {
        1000
    }
}

/// How CloudEvents are taken and written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudEvents {
    /// How records carry them, however they came.
    #[serde(default)]
    pub mode: EventMode,
    /// Refuses what is no event; else it is a record as on any route.
    #[serde(default)]
    pub require: bool,
}

/// How a record carries an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CloudEventsMode")]
pub enum EventMode {
    /// The attributes as `ce_` headers, the data as the value; an event without
    /// data has none, which is a tombstone.
    #[default]
    Binary,
    /// The whole event as JSON in the value.
    Structured,
}
