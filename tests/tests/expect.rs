//! `Expect: 100-continue` end to end: who asks for the body, and who never gets it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use weir_telemetry::Code;
use weir_tests::forwarding::{gateway, scripted};
use weir_tests::http1::{Framing, Reader};
use weir_tests::upstream::{Step, When, http2};
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, wait};

fn text(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Send(bytes.into())
}

const EXPECTING: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

#[tokio::test]
async fn the_upstream_is_who_asks_for_an_expected_body() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (_gateway, public) = gateway(listener.local_addr().unwrap(), "http1").await;
    let mut client = Connection::open(public).await;
    client.send(EXPECTING).await.unwrap();
    let (tcp, _) = wait::for_end("the call", listener.accept()).await.unwrap();
    let mut upstream = Reader::new(tcp);
    let head = wait::for_end("the head", upstream.head())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(head.fields.get("expect"), Some("100-continue"));
    // Other news of it is no leave to send.
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    upstream.stream().write_all(hints).await.unwrap();
    let first = client.head().await.unwrap();
    assert_eq!(first.start, "HTTP/1.1 103 Early Hints");
    upstream
        .stream()
        .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 100 Continue");
    client.send("body").await.unwrap();
    let mut body = Vec::new();
    let mut sink = |piece: &[u8]| body.extend_from_slice(piece);
    upstream.body(Framing::Length(4), &mut sink).await.unwrap();
    assert_eq!(body, b"body");
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    upstream.stream().write_all(answer).await.unwrap();
    assert_eq!(client.response().await.text(), "ok");
}

#[tokio::test]
async fn a_final_answer_instead_of_the_100_is_passed_on_and_no_body_asked_for() {
    let refusal = [text(
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
    )];
    let (upstream, _gateway, public) = scripted(Behaviour::steps(refusal).at(When::Head)).await;
    let mut client = Connection::open(public).await;
    client.send(EXPECTING).await.unwrap();
    let answer = client.response().await;
    assert_eq!((answer.status, answer.interim), (401, vec![]));
    assert!(
        answer.closed,
        "what would come next cannot be told from the body"
    );
    assert!(upstream.requests()[0].body.is_empty());
}

#[tokio::test]
async fn an_upstream_that_never_asks_gets_the_body_all_the_same() {
    // It reads the body without a word, as HTTP/1.0 and some servers do.
    let (_gateway, public) = gateway(silent().await, "http1").await;
    let mut client = Connection::open(public).await;
    client.send(EXPECTING).await.unwrap();
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 100 Continue");
    client.send("body").await.unwrap();
    assert_eq!(client.response().await.text(), "body");
}

async fn silent() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut reader = Reader::new(tcp);
        reader.head().await.unwrap();
        let mut body = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n".to_vec();
        let mut sink = |piece: &[u8]| body.extend_from_slice(piece);
        reader.body(Framing::Length(4), &mut sink).await.unwrap();
        reader.stream().write_all(&body).await.unwrap();
        std::future::pending::<()>().await;
    });
    address
}

#[tokio::test]
async fn an_http2_upstream_is_not_asked_whether_it_wants_a_body() {
    let upstream = http2::Upstream::start(http2::Behaviour::Echo).await;
    let (_gateway, public) = gateway(upstream.addr(), "http2").await;
    let mut client = Connection::open(public).await;
    client.send(EXPECTING).await.unwrap();
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 100 Continue");
    client.send("body").await.unwrap();
    assert_eq!(client.response().await.json()["body"], "body");
    assert_eq!(upstream.requests()[0].header("expect"), None);
}

#[tokio::test]
async fn what_else_is_expected_is_refused() {
    let (upstream, gateway, public) = scripted(Behaviour::echo()).await;
    let slug = Code::ExpectationFailed.slug();
    for expectation in ["200-ok", "100-continue, fast", "100-continued"] {
        let line = format!("Expect: {expectation}");
        let answer = wire::request(public, "POST", "/", &[&line], "body").await;
        assert_eq!(
            (answer.status, answer.header("weir-error")),
            (417, Some(slug))
        );
    }
    let tcp = TcpStream::connect(public).await.unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::builder()
        .uri("http://shop.example.com/")
        .header("expect", "magic");
    let (response, _) = client
        .send_request(request.body(()).unwrap(), true)
        .unwrap();
    let head = wait::for_end("the answer", response).await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["weir-error"]),
        (417, &slug.parse().unwrap())
    );
    assert!(upstream.requests().is_empty());
    gateway
        .wait_for_log(|line| line["error.type"] == slug)
        .await;
    // HTTP/1.0 has no expectations, and an empty list none either.
    let old = "POST / HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody";
    let old = wire::exchange(public, old).await;
    assert_eq!((old.status, old.interim), (200, vec![]));
    let none = wire::request(public, "POST", "/", &["Expect:"], "body").await;
    assert_eq!((none.status, none.interim), (200, vec![]));
    // Who sends the body at once need not be told to.
    let at_once = wire::exchange(public, format!("{EXPECTING}body")).await;
    assert_eq!(at_once.json()["body"], "body");
}
