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
}

/// A key of a handshake, and what accepts it: RFC 6455's own example (1.3).
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl Kind {
    /// In the order they are measured.
    pub const ALL: [Self; 3] = [Self::Websocket, Self::Upgrade, Self::Events];

    /// What it is called in the table.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Websocket => "`websocket`",
            Self::Upgrade => "`forward`, upgraded",
            Self::Events => "`forward`, server-sent events",
        }
    }

    /// What asks for a connection.
    pub fn request(self) -> String {
        let path = match self {
            Self::Websocket => "/messages",
            Self::Upgrade | Self::Events => "/",
        };
        let fields = match self {
            Self::Events => String::new(),
            Self::Websocket | Self::Upgrade => format!(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: {KEY}\r\n"
            ),
        };
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n")
    }

    /// What grants it.
    pub fn answer(self) -> String {
        match self {
            Self::Events => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                             Transfer-Encoding: chunked\r\n\r\n"
                .to_owned(),
            Self::Websocket | Self::Upgrade => format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
            ),
        }
    }

    /// What carries `says` down; at most 65,535 bytes.
    pub fn message(self, says: &[u8]) -> Vec<u8> {
        match self {
            Self::Events => [format!("{:x}\r\n", says.len()).as_bytes(), says, b"\r\n"].concat(),
            Self::Websocket | Self::Upgrade => {
                let length = u16::try_from(says.len()).unwrap_or(u16::MAX);
                match u8::try_from(length) {
                    Ok(short @ ..126) => [&[0x82, short], says].concat(),
                    _ => [&[0x82, 126], &length.to_be_bytes()[..], says].concat(),
                }
            }
        }
    }
}
