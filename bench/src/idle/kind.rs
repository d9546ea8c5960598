//! What is held: how each kind of connection is asked for, granted, and spoken on. Bytes only.

/// How a connection came to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The action `websocket`.
    Websocket,
    /// The action `forward`, and an upgrade.
    Upgrade,
    /// The action `forward`, and an answer of server-sent events.
    Events,
    /// The action `graphql` on a composed graph: the gateway is the other end.
    Answered,
    /// The same, and a subscription that a topic feeds, as server-sent events.
    Feed,
}

/// What a connection may take in KiB, where it is passed on.
const PASSED_ON: f64 = 64.0;
/// The same, where there is none beside it.
const ALONE: f64 = 48.0;

/// A key of a handshake, and what accepts it: RFC 6455's own example (1.3).
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl Kind {
    /// In the order they are measured.
    pub const ALL: [Self; 5] = [
        Self::Websocket,
        Self::Upgrade,
        Self::Events,
        Self::Answered,
        Self::Feed,
    ];

    /// What it is called in the table.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Websocket => "`websocket`",
            Self::Upgrade => "`forward`, upgraded",
            Self::Events => "`forward`, server-sent events",
            Self::Answered => "`graphql`, a composed graph on a WebSocket",
            Self::Feed => "`graphql`, a feed as server-sent events",
        }
    }

    /// What a connection may take, in KiB.
    pub const fn asked(self) -> f64 {
        match self {
            Self::Answered | Self::Feed => ALONE,
            Self::Websocket | Self::Upgrade | Self::Events => PASSED_ON,
        }
    }

    /// Whether the gateway is the other end.
    pub const fn is_alone(self) -> bool {
        matches!(self, Self::Answered | Self::Feed)
    }

    /// What asks for a connection.
    pub fn request(self) -> String {
        if self == Self::Feed {
            return subscribe("quiet");
        }
        let path = match self {
            Self::Websocket => "/messages",
            Self::Upgrade | Self::Events => "/",
            Self::Answered | Self::Feed => "/graphql",
        };
        let upgrade = format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {KEY}\r\n"
        );
        let fields = match self {
            Self::Events | Self::Feed => String::new(),
            Self::Websocket | Self::Upgrade => upgrade,
            Self::Answered => {
                format!("{upgrade}Sec-WebSocket-Protocol: graphql-transport-ws\r\n")
            }
        };
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n")
    }

    /// What the upstream grants it by; it is not asked by who answers alone.
    pub fn answer(self) -> String {
        match self {
            Self::Events | Self::Feed => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                             Transfer-Encoding: chunked\r\n\r\n"
                .to_owned(),
            Self::Websocket | Self::Upgrade | Self::Answered => format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
            ),
        }
    }

    /// What carries `says` up: a masked frame, of which the mask is zero; at most 125 bytes.
    pub fn word(says: &str) -> Vec<u8> {
        let length = u8::try_from(says.len()).unwrap_or(125);
        [&[0x81, 0x80 | length, 0, 0, 0, 0], says.as_bytes()].concat()
    }

    /// What carries `says` down; at most 65,535 bytes.
    pub fn message(self, says: &[u8]) -> Vec<u8> {
        match self {
            Self::Events | Self::Feed => {
                [format!("{:x}\r\n", says.len()).as_bytes(), says, b"\r\n"].concat()
            }
            Self::Websocket | Self::Upgrade | Self::Answered => {
                let length = u16::try_from(says.len()).unwrap_or(u16::MAX);
                match u8::try_from(length) {
                    Ok(short @ ..126) => [&[0x82, short], says].concat(),
                    _ => [&[0x82, 126], &length.to_be_bytes()[..], says].concat(),
                }
            }
        }
    }
}

/// What subscribes to one of the graph's feeds, as events.
pub fn subscribe(feed: &str) -> String {
    let body = format!(r#"{{"query":"subscription {{ {feed} {{ says }} }}"}}"#);
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
