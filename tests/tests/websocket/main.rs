//! `websocket` routes: what passes, what does not, and what either side is told then.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod handshake;
mod http2;
mod peer;

use std::net::SocketAddr;

use peer::{BINARY, CLOSE, Frame, PING, PONG, Peer, Server, TEXT, close};
use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::{Gateway, wait};

async fn gateway(upstream: SocketAddr, websocket: &str) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{upstream}" }}] }}]
routes: [{{ name: chat, websocket: {{ backends: [{{ upstream: up }}]{websocket} }} }}]
"#
    ))
    .await;
    let public = gateway.addr("public");
    (gateway, public)
}

/// A connection through the gateway: it, and both ends.
struct Pair {
    gateway: Gateway,
    client: Peer,
    server: Peer,
}

async fn connect(websocket: &str) -> Pair {
    connect_with(websocket, &[], &[]).await
}

async fn connect_with(websocket: &str, asks: &[&str], answers: &[&str]) -> Pair {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), websocket).await;
    let (client, server) = tokio::join!(
        Peer::ask(public, "/chat?room=1", asks),
        server.accept(answers)
    );
    assert!(client.head.starts_with("HTTP/1.1 101 "), "{}", client.head);
    Pair {
        gateway,
        client,
        server,
    }
}

impl Pair {
    async fn logged(&self) -> Value {
        self.gateway
            .wait_for_log(|line| line["weir.route"] == "chat")
            .await
    }

    /// What is written of a connection that failed by `code`.
    async fn failed(&self, code: Code) -> Value {
        let line = self.logged().await;
        assert_eq!(line["error.type"], code.slug(), "{line}");
        line
    }
}

#[tokio::test]
async fn frames_pass_as_they_came_both_ways() {
    let mut pair = connect("").await;
    let head = pair.server.head.to_ascii_lowercase();
    assert!(head.starts_with("get /chat?room=1 http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n")
    );
    assert!(pair.client.head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));

    let long = vec![b'x'; 200_000];
    for (first, says) in [
        (TEXT, b"hello".to_vec()),
        (BINARY, vec![0, 255, 1]),
        // A message in three frames, with a ping and an empty frame amid it.
        (0x01, b"one ".to_vec()),
        (PING, b"are you there".to_vec()),
        (0x00, b"".to_vec()),
        (0x80, b"two".to_vec()),
        (TEXT, long),
        (PONG, b"nobody asked".to_vec()),
    ] {
        let (client, server) = (&mut pair.client, &mut pair.server);
        let ((), frame) = tokio::join!(client.send(first, &says), server.frame());
        assert_eq!((frame.0, frame.1.len()), (first, says.len()));
        assert_eq!(frame.1, says);
        let ((), frame) = tokio::join!(server.send(first, &says), client.frame());
        assert_eq!(frame, Frame(first, says));
    }

    pair.client.send(CLOSE, close(4001, "bye")).await;
    assert_eq!(pair.server.frame().await.closed(), (4001, "bye".into()));
    pair.server.send(CLOSE, close(4001, "")).await;
    assert_eq!(pair.client.frame().await.closed(), (4001, String::new()));
    pair.client.end().await;
    pair.server.end().await;
    let line = pair.logged().await;
    assert_eq!(line["http.response.status_code"], 101);
    assert_eq!(line["error.type"], Value::Null, "{line}");
    let told = &line["weir.websocket"];
    assert_eq!(told["messages.received"], 4);
    assert_eq!(told["messages.sent.size"], 5 + 3 + 7 + 200_000);
    assert_eq!(
        (&told["close.initiator"], &told["close.code"]),
        (&json!("client"), &json!(4001))
    );
}

#[tokio::test]
async fn every_byte_may_come_alone() {
    let mut pair = connect("").await;
    for byte in [0x81, 0x83, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3] {
        pair.client.raw(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(pair.server.frame().await, Frame(TEXT, b"abc".to_vec()));
    for byte in [0x89, 0x02, b'h', b'i'] {
        pair.server.raw(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(pair.client.frame().await, Frame(PING, b"hi".to_vec()));
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    for (sent, code, close_code) in [
        (vec![0x81, 0x01, b'a'], Code::WebsocketFrameInvalid, 1002),
        (
            vec![0xc1, 0x80, 1, 2, 3, 4],
            Code::WebsocketFrameInvalid,
            1002,
        ),
        (
            vec![0x83, 0x80, 1, 2, 3, 4],
            Code::WebsocketFrameInvalid,
            1002,
        ),
        (
            vec![0x81, 0x81, 0, 0, 0, 0, 0xff],
            Code::WebsocketFrameInvalid,
            1007,
        ),
        (
            vec![0x81, 0xfe, 0x04, 0x01, 0, 0, 0, 0],
            Code::WebsocketMessageTooLarge,
            1009,
        ),
    ] {
        let mut pair = connect(", max_message: 1KiB").await;
        pair.client.raw(&sent).await;
        let (told, reason) = pair.client.frame().await.closed();
        assert_eq!(told, close_code, "{reason}");
        assert!(reason.starts_with(code.slug()), "{reason}");
        assert_eq!(
            pair.server.frame().await.closed(),
            (1001, code.slug().into())
        );
        pair.client.end().await;
        let line = pair.failed(code).await;
        assert_eq!(line["weir.websocket"]["close.initiator"], "gateway");
        let labels = [
            ("weir_route", "chat"),
            ("initiator", "gateway"),
            ("code", &close_code.to_string()),
        ];
        assert_eq!(
            pair.gateway
                .metric("weir_websocket_closes_total", &labels)
                .await,
            1.0
        );
    }
}

#[tokio::test]
async fn kinds_of_messages_that_are_not_taken_are_named() {
    let mut pair = connect(", messages: [text]").await;
    pair.client.send(TEXT, "fine").await;
    assert_eq!(pair.server.frame().await.0, TEXT);
    pair.client.send(BINARY, [1]).await;
    assert_eq!(pair.client.frame().await.closed().0, 1003);
    pair.failed(Code::WebsocketMessageInvalid).await;
}

#[tokio::test]
async fn an_upstream_that_breaks_the_protocol_is_the_upstreams_fault() {
    let mut pair = connect(", max_message: 1KiB").await;
    pair.server.send(TEXT, vec![b'x'; 1025]).await;
    assert_eq!(
        pair.client.frame().await.closed(),
        (1014, "websocket_upstream_invalid".into())
    );
    assert_eq!(pair.server.frame().await.closed().0, 1009);
    let line = pair.failed(Code::WebsocketUpstreamInvalid).await;
    assert_eq!(line["weir.fault"], "upstream");
}

#[tokio::test]
async fn either_side_is_told_when_the_other_vanishes() {
    let mut pair = connect("").await;
    let Pair {
        client,
        server,
        gateway,
    } = pair;
    client.reset();
    let mut server = server;
    assert_eq!(
        server.frame().await.closed(),
        (1001, "client_disconnected".into())
    );
    server.end().await;
    gateway
        .wait_for_log(|line| line["error.type"] == "client_disconnected")
        .await;

    pair = connect("").await;
    let Pair {
        mut client,
        server,
        gateway,
    } = pair;
    server.reset();
    let (code, reason) = client.frame().await.closed();
    assert_eq!(code, 1014, "{reason}");
    client.end().await;
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(
        (&line["weir.fault"], &line["error.type"]),
        (&json!("upstream"), &json!(reason))
    );
}

#[tokio::test]
async fn silent_sides_are_asked_and_their_answers_go_no_further() {
    let mut pair = connect(", keep_alive: { kind: ping, after: 100ms, timeout: 30s }").await;
    let asked = pair.client.frame().await;
    assert_eq!(asked.0, PING);
    pair.client.send(PONG, &asked.1).await;
    let asked = pair.server.frame().await;
    assert_eq!(asked.0, PING, "the client's pong came through: {asked:?}");
    pair.server.send(PONG, &asked.1).await;
    pair.client.send(TEXT, "still here").await;
    let mut next = pair.server.frame().await;
    while next.0 == PING {
        pair.server.send(PONG, &next.1).await;
        next = pair.server.frame().await;
    }
    assert_eq!(next, Frame(TEXT, b"still here".to_vec()));
}

#[tokio::test]
async fn a_side_that_does_not_answer_is_lost() {
    let mut pair = connect(", keep_alive: { kind: ping, after: 100ms, timeout: 100ms }").await;
    // Neither answers: the first that was asked is found lost first.
    assert_eq!(pair.client.frame().await.0, PING);
    let line = pair.logged().await;
    let code = line["error.type"].as_str().unwrap().to_owned();
    assert!(
        ["client_disconnected", "response_stalled"].contains(&&*code),
        "{line}"
    );
    assert_eq!(line["weir.error.detail"], "a ping was not answered in time");
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed() {
    let mut pair = connect(", idle: 300ms, keep_alive: { kind: ping, after: 50ms }").await;
    let mut closed = pair.client.frame().await;
    while closed.0 == PING {
        pair.client.send(PONG, &closed.1).await;
        closed = pair.client.frame().await;
    }
    assert_eq!(closed.closed(), (1001, "idle".into()));
    pair.client.send(CLOSE, close(1001, "")).await;
    let mut closed = pair.server.frame().await;
    while closed.0 == PING {
        closed = pair.server.frame().await;
    }
    assert_eq!(closed.closed(), (1001, "idle".into()));
    pair.server.send(CLOSE, close(1001, "")).await;
    let line = pair.logged().await;
    assert_eq!(line["error.type"], Value::Null, "{line}");
}

#[tokio::test]
async fn messages_that_come_too_fast_end_the_connection() {
    let mut pair = connect(", rate: { messages: 3, every: 1h }").await;
    for _ in 0..3 {
        pair.client.send(TEXT, "x").await;
        assert_eq!(pair.server.frame().await.0, TEXT);
    }
    pair.client.send(PING, "").await;
    assert_eq!(pair.server.frame().await.0, PING);
    pair.client.send(TEXT, "x").await;
    assert_eq!(pair.client.frame().await.closed().0, 1008);
    pair.failed(Code::WebsocketRateExceeded).await;
}

#[tokio::test]
async fn messages_are_charged_to_quotas_as_they_come() {
    let server = Server::start().await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
quotas:
  - {{ name: said, store: ledger, unit: websocket_messages, limit: {{ default: 5 }}, window: {{ kind: fixed, every: day }} }}
  - {{ name: open, store: ledger, unit: concurrent_requests, limit: {{ default: 1 }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes:
  - name: chat
    policies: [{{ kind: quota, quotas: [said, open] }}]
    websocket: {{ backends: [{{ upstream: up }}] }}
"#,
        server.addr()
    ))
    .await;
    let public = gateway.addr("public");
    for round in [[0, 1, 2].as_slice(), &[3, 4]] {
        let (mut client, mut upstream) =
            tokio::join!(Peer::ask(public, "/", &[]), server.accept(&[]));
        let refused = Peer::ask(public, "/", &[]).await;
        assert!(
            refused.head.starts_with("HTTP/1.1 429 "),
            "{}",
            refused.head
        );
        for _ in round {
            client.send(TEXT, "x").await;
            assert_eq!(upstream.frame().await.0, TEXT);
            upstream.send(TEXT, "what is answered is free").await;
            assert_eq!(client.frame().await.0, TEXT);
        }
        if round.len() == 2 {
            client.send(TEXT, "one too many").await;
            let (code, reason) = client.frame().await.closed();
            assert_eq!(code, 1008, "{reason}");
            assert!(reason.starts_with("quota_exhausted"), "{reason}");
            assert_eq!(upstream.frame().await.closed().0, 1001);
        } else {
            client.send(CLOSE, "").await;
            assert_eq!(upstream.frame().await, Frame(CLOSE, Vec::new()));
            upstream.send(CLOSE, "").await;
            client.frame().await;
        }
        let count = round.len();
        let ended = |line: &Value| line["weir.websocket"]["messages.sent"] == count;
        let line = gateway.wait_for_log(ended).await;
        let said = line["weir.quotas"].as_array().unwrap();
        let said = said.iter().find(|quota| quota["quota"] == "said").unwrap();
        assert_eq!(said["used"], count, "{line}");
    }
}

#[tokio::test]
async fn messages_are_held_against_a_schema_before_any_of_them_passes() {
    let schema = ", compression: refuse, schema: { type: object, required: [to], properties: { to: { type: string } } }";
    let mut pair = connect(schema).await;
    pair.client.send(0x01, r#"{"to":"#).await;
    pair.client.send(PING, "amid").await;
    assert_eq!(pair.server.frame().await, Frame(PING, b"amid".to_vec()));
    pair.client.send(0x80, r#""all"}"#).await;
    assert_eq!(
        pair.server.frame().await,
        Frame(0x01, br#"{"to":"#.to_vec())
    );
    assert_eq!(
        pair.server.frame().await,
        Frame(0x80, br#""all"}"#.to_vec())
    );
    pair.server.send(TEXT, "callers only are judged").await;
    assert_eq!(pair.client.frame().await.0, TEXT);
    pair.client.send(TEXT, r#"{"to":7}"#).await;
    let (code, reason) = pair.client.frame().await.closed();
    assert_eq!(code, 1008);
    assert!(reason.contains("/to") && !reason.contains('7'), "{reason}");
    assert_eq!(pair.server.frame().await.closed().0, 1001);
    pair.failed(Code::WebsocketMessageInvalid).await;
}

#[tokio::test]
async fn a_slow_reader_holds_its_own_sender_back_and_nobody_else() {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), ", max_message: 64MiB").await;
    let (mut slow, mut sender) = tokio::join!(Peer::ask(public, "/", &[]), server.accept(&[]));
    let flood = tokio::spawn(async move {
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..48 {
            sender.send(BINARY, &piece).await;
        }
        sender
    });
    let (mut quick, mut other) = tokio::join!(Peer::ask(public, "/", &[]), server.accept(&[]));
    for _ in 0..100 {
        quick.send(TEXT, "ping").await;
        assert_eq!(other.frame().await.1, b"ping");
        other.send(TEXT, "pong").await;
        assert_eq!(quick.frame().await.1, b"pong");
    }
    // What it says still comes through, while it takes nothing.
    slow.send(TEXT, "wait").await;
    for _ in 0..48 {
        assert_eq!(slow.frame().await.1.len(), 1 << 20);
    }
    let mut sender = wait::for_end("the flood", flood).await.unwrap();
    assert_eq!(sender.frame().await.1, b"wait");
    let open = gateway
        .metric(
            "weir_websocket_connections_active",
            &[("weir_route", "chat")],
        )
        .await;
    assert_eq!(open, 2.0);
}

#[tokio::test]
async fn connections_outlive_a_reload_and_are_told_of_a_shutdown() {
    let server = Server::start().await;
    let config = |rate: &str| {
        format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes: [{{ name: chat, websocket: {{ backends: [{{ upstream: up }}], idle: {rate} }} }}]
"#,
            server.addr()
        )
    };
    let gateway = Gateway::start(&config("1h")).await;
    let public = gateway.addr("public");
    let (mut client, mut upstream) = tokio::join!(Peer::ask(public, "/", &[]), server.accept(&[]));
    gateway.reload(&config("2h")).await;
    client.send(TEXT, "still open").await;
    assert_eq!(upstream.frame().await.1, b"still open");
    gateway.signal(Kind::SIGTERM);
    assert_eq!(client.frame().await.closed(), (1001, "draining".into()));
    assert_eq!(upstream.frame().await.closed(), (1001, "draining".into()));
    gateway.wait_exit().await;
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["error.type"], "draining");
}
