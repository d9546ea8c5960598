//! A WebSocket connection's part in a request.

use std::time::Duration;

/// One connection, from the handshake to its end.
#[derive(Clone, Debug, Default)]
pub struct WebSocket {
    /// The subprotocol agreed on.
    pub subprotocol: Option<Box<str>>,
    /// Whether messages may be compressed.
    pub compressed: bool,
    /// What the client sent.
    pub from_client: Messages,
    /// What the upstream sent, or the gateway where it answers itself.
    pub from_upstream: Messages,
    /// When both sides had agreed, counted from the request's start.
    pub opened: Duration,
    /// How it was closed; `None` if it broke off without a word, or is open.
    pub close: Option<Close>,
}

/// The messages of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// How many were complete.
    pub count: u64,
    /// Their bytes as they were sent, framing apart.
    pub bytes: u64,
}

/// The first close of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Who closed.
    pub by: Closer,
    /// The status code (RFC 6455, 7.4), if one was given.
    pub code: Option<u16>,
    /// When, counted from the request's start.
    pub at: Duration,
}

/// Who closes a connection first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closer {
    /// The client.
    Client,
    /// The upstream.
    Upstream,
    /// The gateway.
    Gateway,
}

impl Closer {
    /// The word used as a metric label and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Gateway => "gateway",
        }
    }
}
