//! Protocols that begin as HTTP/1.1 and leave it: WebSocket through `forward`, and answers that
//! pretend to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use weir_telemetry::Code;
use weir_tests::upstream::Step;
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

async fn start(behaviour: Behaviour) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(behaviour).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#,
        upstream.addr()
    ))
    .await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

async fn websocket(public: SocketAddr) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let url = format!("ws://{public}/ws?room=1");
    let connecting = tokio_tungstenite::connect_async(url);
    wait::for_end("the handshake", connecting).await.unwrap().0
}

const ASK: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn websocket_messages_pass_both_ways_and_the_close_too() {
    let (upstream, gateway, public) = start(Behaviour::websocket_echo()).await;
    let mut socket = websocket(public).await;
    for text in ["one", "two", &"three ".repeat(50_000)] {
        socket.send(Message::text(text)).await.unwrap();
        let echoed = wait::for_end("an echo", socket.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(echoed, Message::text(text));
    }
    socket
        .send(Message::binary(vec![0, 255, 13, 10]))
        .await
        .unwrap();
    let echoed = wait::for_end("an echo", socket.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(echoed, Message::binary(vec![0, 255, 13, 10]));
    assert_eq!(upstream.record().messages().len(), 4);
    let seen = &upstream.requests()[0];
    assert_eq!(
        (seen.header("upgrade"), seen.target.as_str()),
        (Some("websocket"), "/ws?room=1")
    );
    assert_eq!(
        seen.header("connection")
            .map(str::to_ascii_lowercase)
            .as_deref(),
        Some("upgrade")
    );

    socket.close(None).await.unwrap();
    let farewell = wait::for_end("the close", socket.next()).await;
    assert!(
        matches!(farewell, Some(Ok(Message::Close(_))) | None),
        "{farewell:?}"
    );
    upstream.wait_for_close().await;
    let line = gateway.wait_for_log(|line| line["url.path"] == "/ws").await;
    assert_eq!(line["http.response.status_code"], 101);
    assert_eq!(line["error.type"], serde_json::Value::Null, "{line}");
}

#[tokio::test]
async fn frames_sent_right_behind_the_request_are_not_lost() {
    let (upstream, _gateway, public) = start(Behaviour::websocket_echo()).await;
    let mut connection = Connection::open(public).await;
    // "Hi", masked with zeros; the handshake's answer is not waited for.
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'H', b'i'];
    connection
        .send([ASK.as_bytes(), &frame].concat())
        .await
        .unwrap();
    assert_eq!(
        connection.head().await.unwrap().start,
        "HTTP/1.1 101 Switching Protocols"
    );
    connection.read_until("Hi").await;
    assert_eq!(upstream.record().messages(), ["Hi"]);
}

#[tokio::test]
async fn a_caller_who_vanishes_ends_the_upstream_connection() {
    let (upstream, gateway, public) = start(Behaviour::websocket_echo()).await;
    let mut connection = Connection::open(public).await;
    connection.send(ASK).await.unwrap();
    connection.head().await.unwrap();
    connection.reset();
    upstream.wait_for_close().await;
    gateway.wait_for_log(|line| line["url.path"] == "/ws").await;
}

#[tokio::test]
async fn an_upstream_that_vanishes_ends_the_callers_connection() {
    let switch =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let steps = [
        Step::Send(switch.to_vec()),
        Step::Send(vec![0x81, 2, b'H', b'i']),
        Step::Close,
    ];
    let (_upstream, _gateway, public) = start(Behaviour::steps(steps)).await;
    let mut connection = Connection::open(public).await;
    connection.send(ASK).await.unwrap();
    connection.read_until("Hi").await;
    connection.expect_close().await;
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_answer() {
    let (upstream, _gateway, public) = start(Behaviour::answer(403, &["X-A: 1"], "no")).await;
    let mut connection = Connection::open(public).await;
    connection.send(ASK).await.unwrap();
    let answer = connection.response().await;
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    // The connection still speaks HTTP.
    upstream.set(Behaviour::echo());
    connection
        .send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(connection.response().await.json()["target"], "/next");
    let refused = tokio_tungstenite::connect_async(format!("ws://{public}/ws")).await;
    assert!(matches!(refused, Err(Error::Http(_))), "{refused:?}");
}

#[tokio::test]
async fn a_101_nobody_asked_for_is_an_upstreams_error() {
    let switch =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nboo";
    let (_upstream, gateway, public) =
        start(Behaviour::steps([Step::Send(switch.to_vec()), Step::Close])).await;
    let answer = wire::get(public, "/").await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::HttpProtocolError.slug())
    );
    assert_eq!(answer.status, 502);
    gateway
        .wait_for_log(|line| line["error.type"] == Code::HttpProtocolError.slug())
        .await;
}
