//! `subscribe` as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use super::grpc_method::Subscribed;
use super::schema::Schema;
use crate::config::units::{Duration, Size};

/// Gives out the records of a Kafka topic: as server-sent events, over a WebSocket, or by polling.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// The name of an entry of `kafka_clusters`.
    pub cluster: Name,
    /// The topic, as `orders` or `{path.topic}`.
    pub topic: String,
    /// Where callers begin that bring no cursor and ask for nothing else.
    #[serde(default)]
    pub start: Start,
    /// Which records are given out. Callers may ask for fewer.
    #[serde(default)]
    pub filter: Filter,
    /// What is said of a record.
    #[serde(default)]
    pub format: Format,
    /// What the values of records were written by. They are told, and looked into by `filter`, as the JSON
    /// that they are read as; one that cannot be read is told as `undecodable`. They are told as they are,
    /// if not said.
    #[serde(default)]
    pub schema: Option<Schema>,
    /// Gives records out over gRPC, and in no other way. Templates may then have `{body./POINTER}` too, a
    /// JSON pointer into the caller's message.
    #[serde(default)]
    pub grpc: Option<Subscribed>,
    /// How long a caller that polls may wait for records.
    #[serde(default = "Subscribe::default_max_wait")]
    pub max_wait: Duration,
    /// How many records a caller that polls may be given at once.
    #[serde(default = "Subscribe::default_max_records")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_records: usize,
    /// How many records a caller on a WebSocket may be given that it has not acknowledged.
    #[serde(default = "Subscribe::default_max_unacknowledged")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_unacknowledged: usize,
    /// Whose pages may open WebSockets, as `https://shop.example.com`; those of the host asked for, if it
    /// is not said.
    #[serde(default)]
    pub origins: Option<Vec<String>>,
    /// The largest message of a caller on a WebSocket.
    #[serde(default = "Subscribe::default_max_message")]
    pub max_message: Size,
}

impl Subscribe {
    pub(crate) fn default_max_wait() -> Duration {
        Duration::from_secs(30)
    }

    pub(crate) const fn default_max_records() -> usize {
        500
    }

    pub(crate) const fn default_max_unacknowledged() -> usize {
        1000
    }

    pub(crate) fn default_max_message() -> Size {
        Size::kib(4)
    }
}

/// Where a caller begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With the first record that the topic still holds.
    Earliest,
    /// With what is written from now on.
    #[default]
    Latest,
}

/// What is said of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// An object with its partition, offset, timestamp, key, headers and value.
    #[default]
    Record,
    /// Its value alone: as it is where that is text, in base64 where it is not, and nothing where there
    /// is none. In events only: over WebSockets and by polling it is the object.
    Value,
    /// The CloudEvent that it carries, in structured mode; an event about the record, where it carries none.
    CloudEvent,
}

/// Which records are given out: those that have all that is said here.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Their key, as `{path.customer}` or `{consumer}`.
    pub key: Option<String>,
    /// Headers, by name.
    pub headers: BTreeMap<String, String>,
    /// What their value, as JSON, holds: by JSON pointers (RFC 6901), as `/customer/id`. A number or
    /// truth value is compared as it is written.
    pub json: BTreeMap<String, String>,
}
