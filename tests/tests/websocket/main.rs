//! `websocket` routes: what passes, what does not, and what either side is told then.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod peer;

use std::net::SocketAddr;

use peer::{BINARY, CLOSE, Frame, PING, PONG, Peer, Server, TEXT, close};
use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::wire::{self, Connection};
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
async fn compression_is_agreed_on_by_both_or_by_none() {
    let offer = "Sec-WebSocket-Extensions: x-other, permessage-deflate; client_max_window_bits";
    let agrees = "Sec-WebSocket-Extensions: permessage-deflate";
    let mut pair = connect_with("", &[offer], &[agrees]).await;
    let head = pair.server.head.to_ascii_lowercase();
    assert!(
        head.contains("sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n"),
        "{head}"
    );
    assert!(
        pair.client
            .head
            .to_ascii_lowercase()
            .contains("sec-websocket-extensions: permessage-deflate\r\n")
    );
    pair.client
        .send(0xc1, [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])
        .await;
    assert_eq!(pair.server.frame().await.0, 0xc1);

    let mut pair = connect_with(", compression: refuse", &[offer], &[]).await;
    assert!(
        !pair
            .server
            .head
            .to_ascii_lowercase()
            .contains("sec-websocket-extensions")
    );
    pair.client.send(0xc1, [0xf2, 0x48]).await;
    assert_eq!(pair.client.frame().await.closed().0, 1002);
}

#[tokio::test]
async fn subprotocols_are_those_of_the_route() {
    let asks = ["Sec-WebSocket-Protocol: mqtt, chat.v2, chat.v1"];
    let route = ", subprotocols: [chat.v1, chat.v2]";
    let pair = connect_with(route, &asks, &["Sec-WebSocket-Protocol: chat.v1"]).await;
    assert!(
        pair.server
            .head
            .to_ascii_lowercase()
            .contains("sec-websocket-protocol: chat.v2, chat.v1\r\n")
    );
    assert!(
        pair.client
            .head
            .to_ascii_lowercase()
            .contains("sec-websocket-protocol: chat.v1\r\n")
    );

    let server = Server::start().await;
    let (_gateway, public) = gateway(server.addr(), route).await;
    let refused = Peer::ask(public, "/", &["Sec-WebSocket-Protocol: mqtt"]).await;
    assert!(
        refused.head.starts_with("HTTP/1.1 400 "),
        "{}",
        refused.head
    );
    assert!(
        refused
            .head
            .to_ascii_lowercase()
            .contains("weir-error: websocket_handshake_invalid")
    );
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_before_anybody_is_asked() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let (_gateway, public) = gateway(nobody, "").await;
    let plain = wire::get(public, "/chat").await;
    assert_eq!(
        (plain.status, plain.header("upgrade")),
        (426, Some("websocket"))
    );
    assert_eq!(
        plain.header("weir-error"),
        Some(Code::UpgradeRequired.slug())
    );

    let ask = |lines: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: chat.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{lines}\r\n"
        )
    };
    let key = format!("Sec-WebSocket-Key: {}\r\n", peer::KEY);
    for (lines, status, code) in [
        (
            format!("{key}Sec-WebSocket-Version: 8\r\n"),
            426,
            Code::UpgradeRequired,
        ),
        (
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n".into(),
            400,
            Code::WebsocketHandshakeInvalid,
        ),
        (
            format!("{key}Sec-WebSocket-Version: 13\r\nContent-Length: 2\r\n"),
            400,
            Code::WebsocketHandshakeInvalid,
        ),
        (
            format!("{key}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a,,b\r\n"),
            400,
            Code::WebsocketHandshakeInvalid,
        ),
        (
            format!("{key}Sec-WebSocket-Version: 13\r\nOrigin: https://evil.example\r\n"),
            403,
            Code::OriginDenied,
        ),
    ] {
        let mut connection = Connection::open(public).await;
        connection.send(ask(&lines)).await.unwrap();
        let answer = connection.response().await;
        assert_eq!(
            (answer.status, answer.header("weir-error")),
            (status, Some(code.slug())),
            "{lines}"
        );
        if status == 426 {
            assert_eq!(answer.header("sec-websocket-version"), Some("13"));
        }
    }
}

#[tokio::test]
async fn pages_of_the_same_host_and_those_named_are_let_in() {
    connect_with("", &["Origin: https://chat.example.com"], &[]).await;
    connect_with(
        ", origins: [\"https://*.shop.example\"]",
        &["Origin: https://www.shop.example"],
        &[],
    )
    .await;
    let server = Server::start().await;
    let (_gateway, public) =
        gateway(server.addr(), ", origins: [\"https://*.shop.example\"]").await;
    let refused = Peer::ask(public, "/", &["Origin: https://chat.example.com"]).await;
    assert!(
        refused.head.starts_with("HTTP/1.1 403 "),
        "{}",
        refused.head
    );
}

#[tokio::test]
async fn an_upstream_that_agrees_to_what_nobody_asked_is_not_believed() {
    for answers in [
        "Sec-WebSocket-Protocol: mqtt",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Sec-WebSocket-Extensions: x-other",
    ] {
        let server = Server::start().await;
        let (_gateway, public) = gateway(server.addr(), "").await;
        let answers = [answers];
        let (client, _server) = tokio::join!(Peer::ask(public, "/", &[]), server.accept(&answers));
        assert!(
            client.head.starts_with("HTTP/1.1 502 "),
            "{answers:?}: {}",
            client.head
        );
        assert!(
            client
                .head
                .to_ascii_lowercase()
                .contains("weir-error: websocket_upstream_invalid")
        );
    }
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

/// RFC 8441 from the caller: the same route, on a stream of HTTP/2.
#[tokio::test]
async fn a_stream_of_http2_is_a_connection_too() {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), "").await;
    let tcp = tokio::net::TcpStream::connect(public).await.unwrap();
    let (mut client, mut connection) = h2::client::handshake(tcp).await.unwrap();
    let settled = std::future::poll_fn(|cx| {
        let _ = std::future::Future::poll(std::pin::Pin::new(&mut connection), cx);
        match client.is_extended_connect_protocol_enabled() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    });
    wait::for_end("the setting", settled).await;
    tokio::spawn(connection);
    let request = http::Request::builder()
        .method("CONNECT")
        .uri("http://chat.example.com/chat?room=1")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    let (answer, mut up) = client.send_request(request, false).unwrap();
    let (answer, mut upstream) =
        tokio::join!(wait::for_end("an answer", answer), server.accept(&[]));
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    let head = upstream.head.to_ascii_lowercase();
    assert!(head.starts_with("get /chat?room=1 http/1.1\r\n"), "{head}");
    let mut down = answer.into_body();
    // "Hi", masked with zeros, and a close.
    let hi = [0x81, 0x82, 0, 0, 0, 0, b'H', b'i'];
    up.send_data(hi.to_vec().into(), false).unwrap();
    assert_eq!(upstream.frame().await, Frame(TEXT, b"Hi".to_vec()));
    upstream.send(TEXT, "Ho").await;
    let said = wait::for_end("data", down.data()).await.unwrap().unwrap();
    assert_eq!(&said[..], [0x81, 2, b'H', b'o']);
    let bye = [0x88, 0x80, 0, 0, 0, 0];
    up.send_data(bye.to_vec().into(), true).unwrap();
    assert_eq!(upstream.frame().await, Frame(CLOSE, Vec::new()));
    upstream.send(CLOSE, "").await;
    let said = wait::for_end("data", down.data()).await.unwrap().unwrap();
    assert_eq!(&said[..], [0x88, 0]);
    while let Some(rest) = wait::for_end("the end", down.data()).await {
        assert!(rest.unwrap().is_empty());
    }
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["http.request.method"], "CONNECT", "{line}");
    assert_eq!(line["error.type"], Value::Null, "{line}");
}

#[tokio::test]
async fn a_page_says_who_it_is_by_a_subprotocol() {
    let server = Server::start().await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
consumers: [{{ name: ann, credentials: [{{ kind: key, id: page, sha256: "{}" }}] }}]
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes:
  - name: chat
    policies: [{{ kind: key_auth, sources: [{{ kind: bearer }}, {{ kind: subprotocol }}] }}]
    websocket: {{ backends: [{{ upstream: up }}] }}
"#,
        weir_tests::consumer::sha256("a/b+="),
        server.addr()
    ))
    .await;
    let public = gateway.addr("public");
    let offers = ["Sec-WebSocket-Protocol: weir, weir.key.YS9iKz0"];
    let (client, upstream) = tokio::join!(Peer::ask(public, "/", &offers), server.accept(&[]));
    assert!(
        client
            .head
            .to_ascii_lowercase()
            .contains("\r\nsec-websocket-protocol: weir\r\n"),
        "{}",
        client.head
    );
    let head = upstream.head.to_ascii_lowercase();
    assert!(!head.contains("sec-websocket-protocol"), "{head}");
    assert!(head.contains("\r\nweir-consumer: ann\r\n"), "{head}");
    for (offers, status) in [("weir, weir.key.bm8", 401), ("weir", 401)] {
        let offers = format!("Sec-WebSocket-Protocol: {offers}");
        let refused = Peer::ask(public, "/", &[&offers]).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(refused.head.starts_with(&start), "{}", refused.head);
    }
}

/// RFC 8441 to the upstream: what the caller asks by an upgrade goes up as an extended CONNECT.
#[tokio::test]
async fn an_upstream_may_be_asked_on_a_stream_of_http2() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, protocol: http2, endpoints: [{{ address: "{upstream}" }}] }}]
routes: [{{ name: chat, websocket: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await;
    let public = gateway.addr("public");
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::Builder::new()
            .enable_connect_protocol()
            .handshake::<_, bytes::Bytes>(tcp)
            .await
            .unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        tokio::spawn(async move { while connection.accept().await.is_some() {} });
        let (head, mut up) = request.into_parts();
        let answer = http::Response::builder().header("sec-websocket-protocol", "chat.v1");
        let mut down = respond
            .send_response(answer.body(()).unwrap(), false)
            .unwrap();
        let said = up.data().await.unwrap().unwrap();
        down.send_data(bytes::Bytes::from_static(&[0x81, 2, b'H', b'o']), false)
            .unwrap();
        let bye = up.data().await.unwrap().unwrap();
        down.send_data(bytes::Bytes::from_static(&[0x88, 0]), true)
            .unwrap();
        (head, said, bye)
    });
    let offers = ["Sec-WebSocket-Protocol: chat.v1"];
    let mut client = Peer::ask(public, "/chat?room=1", &offers).await;
    let head = client.head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(
        head.contains("\r\nsec-websocket-protocol: chat.v1\r\n"),
        "{head}"
    );
    assert!(head.contains(&"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_ascii_lowercase()));
    client.send(TEXT, "Hi").await;
    assert_eq!(client.frame().await, Frame(TEXT, b"Ho".to_vec()));
    client.send(CLOSE, "").await;
    assert_eq!(client.frame().await, Frame(CLOSE, Vec::new()));
    client.end().await;
    let (head, said, bye) = wait::for_end("the upstream", serving).await.unwrap();
    assert_eq!(head.method, "CONNECT");
    assert_eq!(head.uri.path_and_query().unwrap(), "/chat?room=1");
    let protocol = head.extensions.get::<h2::ext::Protocol>();
    assert_eq!(protocol.map(h2::ext::Protocol::as_str), Some("websocket"));
    for absent in ["sec-websocket-key", "upgrade", "connection"] {
        assert!(!head.headers.contains_key(absent), "{absent}");
    }
    assert_eq!((said[0], bye[0]), (TEXT, CLOSE));
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["error.type"], Value::Null, "{line}");
}
