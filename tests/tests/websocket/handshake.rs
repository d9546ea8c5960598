//! What is agreed on before a connection is open, and with whom.

use std::net::SocketAddr;

use weir_telemetry::Code;
use weir_tests::Gateway;
use weir_tests::wire::{self, Connection};

use crate::peer::{self, Peer, Server};
use crate::{connect_with, gateway};

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
