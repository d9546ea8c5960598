//! Malformed requests of every kind: refused with a code, a problem body, a record, a metric and
//! a closed connection, and never seen by an upstream. Slow ones are in `dripping.rs`.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use weir_telemetry::Code;
use weir_tests::wire::{self, Connection, Response};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

async fn start(limits: &str) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", limits: {{ {limits} }} }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
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

const GOOD: &str = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";

/// Heads that are no HTTP, by what is wrong with them.
const MALFORMED: &[(&str, &[u8])] = &[
    (
        "CL+TE",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        "TE+CL",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    ),
    (
        "a bare LF in the request line",
        b"GET /bad HTTP/1.1\nHost: a\r\n\r\n",
    ),
    (
        "a bare LF in a field",
        b"GET /bad HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    ),
    (
        "a bare LF at the end",
        b"GET /bad HTTP/1.1\r\nHost: a\r\n\n",
    ),
    (
        "a bare CR",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    ),
    (
        "two Hosts",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    ),
    ("no Host", b"GET /bad HTTP/1.1\r\nX: a\r\n\r\n"),
    (
        "a Host that is none",
        b"GET /bad HTTP/1.1\r\nHost: a b\r\n\r\n",
    ),
    (
        "a Host with a user",
        b"GET /bad HTTP/1.1\r\nHost: me@a\r\n\r\n",
    ),
    ("two hosts", b"GET http://a/bad HTTP/1.1\r\nHost: b\r\n\r\n"),
    (
        "two Content-Lengths",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    ),
    (
        "the same length twice",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    ),
    (
        "a list of lengths",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    ),
    (
        "a signed length",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    ),
    (
        "a hexadecimal length",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
    ),
    (
        "another coding",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ),
    (
        "chunked with a tab",
        b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
    ),
    (
        "TE on HTTP/1.0",
        b"POST /bad HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        "folding",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    ),
    (
        "folding of the first field",
        b"GET /bad HTTP/1.1\r\n Host: a\r\n\r\n",
    ),
    (
        "a control octet in the target",
        b"GET /b\x01ad HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a NUL in the target",
        b"GET /b\x00ad HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a DEL in the target",
        b"GET /b\x7fad HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "raw UTF-8 in the target",
        b"GET /b\xc3\xa4d HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a space in the target",
        b"GET /b ad HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    ("a fragment", b"GET /bad#x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "a control octet in a name",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nX\x01: b\r\n\r\n",
    ),
    (
        "a space before the colon",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
    ),
    (
        "an empty name",
        b"GET /bad HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    ),
    (
        "a line without a colon",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    ),
    (
        "a NUL in a value",
        b"GET /bad HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    ),
    ("no version", b"GET /bad\r\nHost: a\r\n\r\n"),
    (
        "a version that is none",
        b"GET /bad HTTP/one\r\nHost: a\r\n\r\n",
    ),
    ("no method", b" /bad HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "a method that is none",
        b"GE(T /bad HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "empty lines first",
        b"\r\n\r\n\r\nGET /bad HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a TLS ClientHello",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello hello hello hello",
    ),
    ("binary garbage", b"\xff\xfe\xfd\xfc\r\n\r\n"),
];

/// An answer that refuses with `code`, complete in every respect.
fn assert_refused(what: &str, answer: &Response, code: Code) {
    assert_eq!(answer.header("weir-error"), Some(code.slug()), "{what}");
    assert_eq!(answer.status, code.status(), "{what}");
    let status = format!("weir; error={}; details=\"{code}\"", code.proxy_error());
    assert_eq!(
        answer.header("proxy-status"),
        Some(status.as_str()),
        "{what}"
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{what}"
    );
    assert_eq!(answer.header("connection"), Some("close"), "{what}");
    assert!(answer.closed && answer.broken.is_none(), "{what}");
    let body = answer.json();
    assert_eq!(
        (&body["code"], &body["status"]),
        (&Value::from(code.slug()), &code.status().into())
    );
    assert_eq!(
        body["request_id"].as_str(),
        answer.header("x-request-id"),
        "{what}"
    );
    assert_eq!(body["trace_id"].as_str().map(str::len), Some(32), "{what}");
}

/// The record of a refusal, found by its request id.
async fn assert_recorded(gateway: &Gateway, answer: &Response, code: Code) {
    let id = answer.json()["request_id"].clone();
    let line = gateway.wait_for_log(|line| line["request_id"] == id).await;
    assert_eq!(line["error.type"], code.slug());
    assert_eq!(line["http.response.status_code"], code.status());
    assert_eq!(line["weir.fault"], code.fault().as_str());
    assert_eq!(line["trace_id"], answer.json()["trace_id"]);
}

async fn assert_counted(gateway: &Gateway, code: Code, count: usize) {
    let labels = [("listener", "public"), ("error_type", code.slug())];
    let all = |n: f64| n as usize == count;
    gateway
        .wait_for_metric("weir_requests_refused_total", &labels, all)
        .await;
}

#[tokio::test]
async fn a_malformed_head_is_refused_recorded_and_counted() {
    let (upstream, gateway, public) = start("").await;
    for (what, bytes) in MALFORMED {
        let answer = wire::exchange(public, bytes).await;
        assert_refused(what, &answer, Code::RequestHeadMalformed);
        assert_recorded(&gateway, &answer, Code::RequestHeadMalformed).await;
    }
    assert_counted(&gateway, Code::RequestHeadMalformed, MALFORMED.len()).await;
    assert_eq!((upstream.requests().len(), upstream.connections()), (0, 0));
    assert_eq!(wire::exchange(public, GOOD).await.status, 200);
}

#[tokio::test]
async fn the_second_request_of_a_connection_is_judged_like_the_first() {
    let (upstream, gateway, public) = start("").await;
    for (i, (what, bytes)) in MALFORMED.iter().enumerate() {
        // Pipelined behind a good one, with a body to be told from it, and sent once it is answered.
        let good = wire::message(public, "POST", "/good", &[], b"12345");
        let mut connection = Connection::open(public).await;
        if i % 2 == 0 {
            connection.send([&good[..], bytes].concat()).await.unwrap();
            assert_eq!(
                connection.response().await.json()["body"],
                "12345",
                "{what}"
            );
        } else {
            connection.send(&good).await.unwrap();
            assert_eq!(
                connection.response().await.json()["body"],
                "12345",
                "{what}"
            );
            connection.send(bytes).await.unwrap();
        }
        let answer = connection.response().await;
        assert_refused(what, &answer, Code::RequestHeadMalformed);
    }
    assert_counted(&gateway, Code::RequestHeadMalformed, MALFORMED.len()).await;
    let seen = upstream.requests();
    assert_eq!(seen.len(), MALFORMED.len());
    assert!(seen.iter().all(|request| request.target == "/good"));
    assert_eq!(upstream.record().garbage(), 0);
}

#[tokio::test]
async fn other_protocols_and_methods_are_refused_by_their_own_codes() {
    let (upstream, gateway, public) = start("").await;
    let cases = [
        (
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
            Code::MethodRefused,
        ),
        (
            "GET /bad HTTP/2.0\r\nHost: a\r\n\r\n",
            Code::HttpVersionUnsupported,
        ),
        (
            "GET /bad HTTP/1.2\r\nHost: a\r\n\r\n",
            Code::HttpVersionUnsupported,
        ),
        (
            "GET /bad HTTP/0.9\r\nHost: a\r\n\r\n",
            Code::HttpVersionUnsupported,
        ),
    ];
    for (bytes, code) in cases {
        let answer = wire::exchange(public, bytes).await;
        assert_refused(bytes, &answer, code);
        assert_recorded(&gateway, &answer, code).await;
    }
    assert_counted(&gateway, Code::MethodRefused, 1).await;
    assert_counted(&gateway, Code::HttpVersionUnsupported, 3).await;
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_short_http10_request_is_answered_on_a_port_that_also_speaks_http2() {
    let (_upstream, _gateway, public) = start("").await;
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "P / HTTP/1.0\r\n\r\n",
        "PRI / HTTP/1.0\r\n\r\n",
    ] {
        let answer = wire::exchange(public, request).await;
        assert_eq!((answer.status, answer.closed), (200, true), "{request}");
    }
}

#[tokio::test]
async fn a_head_too_large_or_without_end_is_refused() {
    let (upstream, gateway, public) = start("max_head_bytes: 8KiB, max_fields: 20").await;
    let long = "x".repeat(9000);
    let many = "X: y\r\n".repeat(30);
    let heads = [
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /bad HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
        format!("GET /bad HTTP/1.1\r\nHost: a\r\n{long}: x\r\n\r\n"),
        format!("GET /bad HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        long,
    ];
    for head in &heads {
        let answer = wire::exchange(public, head).await;
        assert_refused(&head[..20], &answer, Code::RequestHeadTooLarge);
        assert_recorded(&gateway, &answer, Code::RequestHeadTooLarge).await;
    }
    // Fields without end: the gateway answers while they still come.
    let (from, mut to) = TcpStream::connect(public).await.unwrap().into_split();
    let flood = tokio::spawn(async move {
        let _ = to.write_all(b"GET /bad HTTP/1.1\r\nHost: a\r\n").await;
        while to.write_all(b"X-Endless: abcdefgh\r\n").await.is_ok() {}
    });
    let mut reader = weir_tests::http1::Reader::new(from);
    let head = wait::for_end("the refusal", reader.head())
        .await
        .unwrap()
        .unwrap();
    assert!(head.start.starts_with("HTTP/1.1 431"), "{}", head.start);
    wait::for_end("the close", flood).await.unwrap();
    assert_counted(&gateway, Code::RequestHeadTooLarge, heads.len() + 1).await;
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_caller_who_leaves_amid_the_head_is_recorded() {
    let (_upstream, gateway, public) = start("").await;
    let mut connection = Connection::open(public).await;
    connection.send("GET /half HT").await.unwrap();
    drop(connection);
    let slug = Code::ClientDisconnected.slug();
    gateway
        .wait_for_log(|line| line["error.type"] == slug)
        .await;
    // One that says nothing at all is no request.
    drop(Connection::open(public).await);
    assert_counted(&gateway, Code::ClientDisconnected, 1).await;
}

#[tokio::test]
async fn a_bad_chunk_is_refused_and_never_ends_cleanly_upstream() {
    let (upstream, gateway, public) = start("").await;
    let head = "POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    for bad in [
        "zz\r\n",
        "3\r\nabcd\r\n",
        "-1\r\n",
        "ffffffffffffffffff\r\n",
        "3\nabc",
        "3 4\r\n",
    ] {
        for keep_alive in [false, true] {
            let seen = upstream.requests().len();
            let mut connection = Connection::open(public).await;
            if keep_alive {
                connection.send(GOOD).await.unwrap();
                assert_eq!(connection.response().await.status, 200);
            }
            connection.send_pieces([head, bad]).await.unwrap();
            let answer = connection.response().await;
            assert_refused(bad, &answer, Code::RequestBodyMalformed);
            assert_recorded(&gateway, &answer, Code::RequestBodyMalformed).await;
            let whole = |r: &&weir_tests::upstream::Received| r.target == "/bad" && r.complete;
            assert_eq!(
                upstream
                    .requests()
                    .iter()
                    .skip(seen)
                    .find(whole)
                    .map(|r| r.text()),
                None
            );
        }
    }
    upstream.wait_for_close().await;
    assert_eq!(upstream.record().garbage(), 0);
    assert!(
        !upstream
            .requests()
            .iter()
            .any(|r| r.target == "/bad" && r.complete)
    );
}

#[tokio::test]
async fn every_visible_character_of_a_target_is_passed_on_or_refused() {
    let (upstream, gateway, public) = start("").await;
    let mut refused = 0;
    for octet in 0x21..=0x7eu8 {
        let target = format!("/a{}b?c{}", octet as char, octet as char);
        let answer = wire::get(public, &target).await;
        if answer.status == 200 {
            // A path is sent in its normal form, where some are percent-encoded.
            let sent = upstream.requests().pop().unwrap().target;
            let encoded = format!("%{octet:02X}");
            assert_eq!(sent.replace(&encoded, &(octet as char).to_string()), target);
        } else {
            assert_refused(&target, &answer, Code::RequestHeadMalformed);
            refused += 1;
        }
    }
    assert_counted(&gateway, Code::RequestHeadMalformed, refused).await;
}
