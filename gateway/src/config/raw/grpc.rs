//! `routes[].grpc` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::routes::Backend;
use crate::config::units::{Duration, Size};

/// Passes gRPC calls to an upstream, and those of gRPC-Web as such.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// Upstreams, picked by weight. Each speaks `http2`.
    #[schemars(length(min = 1))]
    pub backends: Vec<Backend>,
    /// What changes on the way. The path names what is called and stays.
    #[serde(default)]
    pub rewrite: Option<Rewrite>,
    /// The longest a call may take, whatever its caller's `grpc-timeout` says. Without either, a
    /// call lasts as long as both sides want and neither is silent for too long.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// The longest messages.
    #[serde(default)]
    pub max_message: MaxMessage,
    /// When a call is tried again besides where that is provably safe.
    #[serde(default)]
    pub retries: Retries,
    /// Calls by HTTP and JSON as well, if said.
    #[serde(default)]
    pub transcoding: Option<Transcoding>,
}

/// Calls by HTTP and JSON: by the `google.api.http` rules of methods, or by their names.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transcoding {
    /// The file with the services and their messages, as
    /// `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE` writes it.
    pub descriptors: String,
    /// Whether each method is also a POST of JSON to `/package.Service/Method`.
    #[serde(default)]
    pub plain: bool,
    /// How answers of many messages are sent to callers whose `Accept` does not say.
    #[serde(default)]
    pub stream: Stream,
    /// How messages are written as JSON.
    #[serde(default)]
    pub json: Json,
}

/// How an answer of many messages is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TranscodedStream")]
pub enum Stream {
    /// A JSON text on each line (`application/x-ndjson`).
    #[default]
    Ndjson,
    /// A server-sent event for each (`text/event-stream`).
    Sse,
}

/// How messages are written as JSON. They are read in any of these ways.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TranscodedJson")]
pub struct Json {
    /// Whether fields are also written that have the value they have when nobody sets them.
    pub defaults: bool,
    /// Whether fields have their names as defined, `page_size`, and not `pageSize`.
    pub proto_names: bool,
    /// Whether values of enumerations are numbers.
    pub enum_numbers: bool,
}

/// What changes on the way to an upstream.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "GrpcRewrite")]
pub struct Rewrite {
    /// The authority sent.
    pub host: Option<String>,
}

/// The longest messages, as they are sent: compressed, if they are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MaxMessage {
    /// Of callers.
    pub request: Size,
    /// Of upstreams; any, if not said, but at most 4MiB of those that are made JSON.
    pub response: Option<Size>,
}

impl Default for MaxMessage {
    fn default() -> Self {
        Self {
            request: Size::kib(4 * 1024),
            response: None,
        }
    }
}

/// When a call is tried again, within what the upstream's `retries` allow.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "GrpcRetries")]
pub struct Retries {
    /// Statuses after which it is, if no message of an answer came and what was sent can be sent
    /// again. Say only what is safe to do twice for every method of the route.
    pub on: Vec<Status>,
}

/// A status that a call may be tried again after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RetriedStatus")]
pub enum Status {
    /// Another call got in between.
    Aborted,
    /// The server gave up.
    Cancelled,
    /// Its time was up.
    DeadlineExceeded,
    /// Something broke.
    Internal,
    /// A quota or some space is used up.
    ResourceExhausted,
    /// Not now.
    Unavailable,
    /// Nobody said how it ended.
    Unknown,
}
