//! `routes[].websocket` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::routes::{Backend, Rewrite};
use crate::config::units::{Duration, Size};

/// Passes WebSocket connections to an upstream, message by message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Websocket {
    /// Upstreams, picked by weight.
    #[schemars(length(min = 1))]
    pub backends: Vec<Backend>,
    /// What changes on the way.
    #[serde(default)]
    pub rewrite: Option<Rewrite>,
    /// Origins whose pages may open connections: `https://shop.example.com`,
    /// `https://*.example.com` or `*`. If not said, those of the host that is asked for. Who is no
    /// browser sends none, and is let in.
    #[serde(default)]
    pub origins: Option<Vec<String>>,
    /// Subprotocols callers may use; any, or none, if not said.
    #[serde(default)]
    pub subprotocols: Vec<String>,
    /// The largest message, either way, as it is sent: of a compressed one, compressed.
    #[serde(default = "Websocket::default_max_message")]
    pub max_message: Size,
    /// Kinds of messages that pass, either way.
    #[serde(default = "Websocket::default_messages")]
    #[schemars(length(min = 1))]
    pub messages: Vec<Kind>,
    /// How many messages a caller may send on a connection; any number, if not said.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// The JSON Schema (draft 2020-12) of callers' text messages. One that does not fit closes the
    /// connection.
    #[serde(default)]
    pub schema: Option<Map<String, Value>>,
    /// Whether messages may be compressed (`permessage-deflate`).
    #[serde(default)]
    pub compression: Compression,
    /// How sides are kept from being taken for dead, and found out if they are.
    #[serde(default)]
    pub keep_alive: KeepAlive,
    /// How long a connection without messages is kept; pings of the gateway's are none.
    #[serde(default = "Websocket::default_idle")]
    pub idle: Duration,
}

impl Websocket {
    fn default_max_message() -> Size {
        Size::kib(1024)
    }

    fn default_messages() -> Vec<Kind> {
        vec![Kind::Text, Kind::Binary]
    }

    fn default_idle() -> Duration {
        Duration::from_secs(3600)
    }
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "WebsocketMessage")]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// So many messages in so much time; more close the connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebsocketRate")]
pub struct Rate {
    /// How many, evenly spread; as many may come at once.
    #[schemars(range(min = 1))]
    pub messages: u32,
    /// In what time.
    #[serde(default = "Rate::default_every")]
    pub every: Duration,
}

impl Rate {
    fn default_every() -> Duration {
        Duration::from_secs(1)
    }
}

/// Whether messages may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "WebsocketCompression")]
pub enum Compression {
    /// If both sides want that. The gateway does not look into compressed messages.
    #[default]
    Pass,
    /// Never: neither side is told that the other would.
    Refuse,
}

/// How silent sides are asked whether they are still there.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "WebsocketKeepAlive")]
pub enum KeepAlive {
    /// By a ping.
    Ping {
        /// After how much silence.
        #[serde(default = "KeepAlive::default_after")]
        after: Duration,
        /// How long a side has to say anything at all then, before it is lost.
        #[serde(default = "KeepAlive::default_timeout")]
        timeout: Duration,
    },
    /// Not at all.
    None {},
}

impl KeepAlive {
    fn default_after() -> Duration {
        Duration::from_secs(30)
    }

    fn default_timeout() -> Duration {
        Duration::from_secs(15)
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self::Ping {
            after: Self::default_after(),
            timeout: Self::default_timeout(),
        }
    }
}
