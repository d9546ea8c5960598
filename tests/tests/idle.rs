//! Many connections on which nobody speaks: neither a reload nor a reader that never reads disturbs
//! one of them. What they cost in memory, `weir-bench idle` measures.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use weir_tests::wire::Connection;
use weir_tests::{Gateway, wait};

/// How many are held of each kind.
const HELD: usize = 200;

/// The key of the RFC's example.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// How a connection came to be.
#[derive(Clone, Copy)]
enum Kind {
    Websocket,
    Upgrade,
    Events,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Kind::Websocket => "/messages",
            Kind::Upgrade => "/upgrade",
            Kind::Events => "/events",
        }
    }

    fn request(self) -> String {
        let fields = match self {
            Kind::Events => String::new(),
            Kind::Websocket | Kind::Upgrade => format!(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: {KEY}\r\n"
            ),
        };
        format!("GET {} HTTP/1.1\r\nHost: a\r\n{fields}\r\n", self.path())
    }

    fn answer(self) -> String {
        match self {
            Kind::Events => "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                             Transfer-Encoding: chunked\r\n\r\n"
                .to_owned(),
            Kind::Websocket | Kind::Upgrade => format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                derive_accept_key(KEY.as_bytes())
            ),
        }
    }

    /// What carries `says` from the upstream.
    fn message(self, says: &[u8]) -> Vec<u8> {
        let head = match self {
            Kind::Events => format!("{:x}\r\n", says.len()).into_bytes(),
            Kind::Websocket | Kind::Upgrade => {
                let length = u16::try_from(says.len()).unwrap();
                match length {
                    ..126 => vec![0x82, says.len() as u8],
                    _ => [&[0x82, 126], &length.to_be_bytes()[..]].concat(),
                }
            }
        };
        let end: &[u8] = match self {
            Kind::Events => b"\r\n",
            Kind::Websocket | Kind::Upgrade => b"",
        };
        [&head, says, end].concat()
    }
}

async fn gateway(upstream: SocketAddr) -> Gateway {
    Gateway::start(&configuration(upstream, "one")).await
}

fn configuration(upstream: SocketAddr, version: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{upstream}" }}] }}]
routes:
  - {{ name: messages, matches: [{{ path: {{ exact: /messages }} }}], websocket: {{ backends: [{{ upstream: up }}] }} }}
  - {{ name: version, matches: [{{ path: {{ exact: /version }} }}], respond: {{ body: {version} }} }}
  - {{ name: rest, forward: {{ backends: [{{ upstream: up }}] }} }}
"#
    )
}

/// Both ends of a connection through the gateway.
struct Pair {
    caller: Connection,
    upstream: TcpStream,
}

async fn connect(kind: Kind, public: SocketAddr, listener: &TcpListener) -> Pair {
    let mut caller = Connection::open(public).await;
    caller.send(kind.request()).await.unwrap();
    let accepted = wait::for_end("a connection", listener.accept()).await;
    let mut upstream = accepted.unwrap().0;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(upstream.read_u8().await.unwrap());
    }
    upstream.write_all(kind.answer().as_bytes()).await.unwrap();
    let status = caller.head().await.unwrap().start;
    assert!(
        [" 101 ", " 200 "].iter().any(|code| status.contains(code)),
        "{status}"
    );
    Pair { caller, upstream }
}

async fn held(kind: Kind) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let gateway = gateway(upstream).await;
    let public = gateway.addr("public");
    let mut pairs = Vec::new();
    for _ in 0..HELD {
        pairs.push(connect(kind, public, &listener).await);
    }
    // One more is sent all that it can be, and reads nothing.
    let Pair {
        caller: deaf,
        upstream: mut loud,
    } = connect(kind, public, &listener).await;
    let piece = kind.message(&vec![b'x'; 60_000]);
    let flood = tokio::spawn(async move { while loud.write_all(&piece).await.is_ok() {} });
    assert_eq!(gateway.reload(&configuration(upstream, "two")).await, "ok");
    assert_eq!(
        weir_tests::wire::get(public, "/version").await.text(),
        "two"
    );
    let down = pairs
        .iter_mut()
        .enumerate()
        .map(|(number, pair)| async move {
            let says = format!("to {number}.");
            let message = kind.message(says.as_bytes());
            pair.upstream.write_all(&message).await.unwrap();
            pair.caller.read_until(&says).await;
        });
    join_all(down).await;
    if !matches!(kind, Kind::Events) {
        join_all(pairs.iter_mut().map(answer)).await;
    }
    assert!(!flood.is_finished(), "who reads nothing was cut off");
    drop(deaf);
    wait::for_end("the flood to break", flood).await.unwrap();
    gateway
        .wait_for_metric("weir_requests_active", &[], |open| open == HELD as f64)
        .await;
}

/// A caller says something, too: a masked frame, of which the mask is zero.
async fn answer(pair: &mut Pair) {
    let frame = [&[0x82, 0x83, 0, 0, 0, 0][..], b"yes"].concat();
    pair.caller.send(&frame).await.unwrap();
    let mut came = vec![0; frame.len()];
    let reading = pair.upstream.read_exact(&mut came);
    wait::for_end("a caller's word", reading).await.unwrap();
    assert_eq!(came, frame);
}

#[tokio::test]
async fn websockets_outlive_a_reload_and_a_slow_reader() {
    held(Kind::Websocket).await;
}

#[tokio::test]
async fn forwarded_upgrades_outlive_a_reload_and_a_slow_reader() {
    held(Kind::Upgrade).await;
}

#[tokio::test]
async fn forwarded_events_outlive_a_reload_and_a_slow_reader() {
    held(Kind::Events).await;
}
