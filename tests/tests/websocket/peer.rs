//! Either end of a connection, frame by frame: what a well-behaved library would not send can be
//! sent, and nothing is answered by itself.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use weir_tests::wait;

/// The key of the RFC's example.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// One end.
pub struct Peer {
    stream: TcpStream,
    masks: bool,
    /// The head the other end sent.
    pub head: String,
}

/// A frame: its first byte, and what it says, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame(pub u8, pub Vec<u8>);

impl Frame {
    /// The code and the reason of a close.
    pub fn closed(&self) -> (u16, String) {
        assert_eq!(self.0, CLOSE, "no close: {self:?}");
        if self.1.is_empty() {
            return (0, String::new());
        }
        let reason = String::from_utf8(self.1[2..].to_vec()).unwrap();
        (u16::from_be_bytes([self.1[0], self.1[1]]), reason)
    }
}

/// What a close of this code and reason says.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

impl Peer {
    /// Asks for a connection; further header lines may be given. The head of the answer is there.
    pub async fn ask(public: SocketAddr, path: &str, lines: &[&str]) -> Peer {
        let mut stream = TcpStream::connect(public).await.unwrap();
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nHost: chat.example.com\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
        );
        for line in lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        Peer {
            stream,
            masks: true,
            head,
        }
    }

    /// Sends a frame whose first byte is `first`.
    pub async fn send(&mut self, first: u8, says: impl AsRef<[u8]>) {
        let says = says.as_ref();
        let mask = if self.masks { 0x80 } else { 0 };
        let mut out = vec![first];
        match says.len() {
            length @ ..126 => out.push(mask | length as u8),
            length @ 126..65_536 => {
                out.push(mask | 126);
                out.extend((length as u16).to_be_bytes());
            }
            length => {
                out.push(mask | 127);
                out.extend((length as u64).to_be_bytes());
            }
        }
        if self.masks {
            let key = [7, 77, 170, 1];
            out.extend(key);
            out.extend(says.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
        } else {
            out.extend(says);
        }
        self.raw(&out).await;
    }

    /// Sends bytes as they are.
    pub async fn raw(&mut self, bytes: &[u8]) {
        let sending = self.stream.write_all(bytes);
        wait::for_end("bytes to be taken", sending).await.unwrap();
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Frame {
        let frame = wait::for_end("a frame", self.read()).await;
        frame.expect("the connection ended")
    }

    /// Expects the end of the connection, with no further frame.
    pub async fn end(&mut self) {
        let frame = wait::for_end("the end", self.read()).await;
        assert_eq!(frame, None, "instead of the end");
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut start = [0; 2];
        self.stream.read_exact(&mut start).await.ok()?;
        let length = match start[1] & 0x7f {
            126 => usize::from(self.stream.read_u16().await.ok()?),
            127 => usize::try_from(self.stream.read_u64().await.ok()?).unwrap(),
            short => usize::from(short),
        };
        assert_eq!(
            start[1] & 0x80 != 0,
            !self.masks,
            "clients mask and servers do not"
        );
        let mut key = [0; 4];
        if !self.masks {
            self.stream.read_exact(&mut key).await.ok()?;
        }
        let mut says = vec![0; length];
        self.stream.read_exact(&mut says).await.ok()?;
        let plain = says.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]);
        Some(Frame(start[0], plain.collect()))
    }

    /// Breaks the connection.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
    };
    wait::for_end("a head", reading).await;
    String::from_utf8(head).unwrap()
}

/// A server whose connections the test speaks for.
pub struct Server(TcpListener);

impl Server {
    pub async fn start() -> Server {
        Server(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next request, answered with these further header lines.
    pub async fn accept(&self, lines: &[&str]) -> Peer {
        let accepting = wait::for_end("a connection", self.0.accept());
        let (mut stream, _) = accepting.await.unwrap();
        let head = read_head(&mut stream).await;
        let key = head
            .lines()
            .find_map(|line| {
                line.strip_prefix("sec-websocket-key: ")
                    .or(line.strip_prefix("Sec-WebSocket-Key: "))
            })
            .unwrap_or_default();
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n",
            derive_accept_key(key.as_bytes())
        );
        for line in lines {
            answer.push_str(line);
            answer.push_str("\r\n");
        }
        answer.push_str("\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        Peer {
            stream,
            masks: false,
            head,
        }
    }
}
