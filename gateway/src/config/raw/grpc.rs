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
    /// Of upstreams; any, if not said.
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
