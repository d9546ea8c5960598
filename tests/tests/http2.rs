//! HTTP/2 end to end: from callers with prior knowledge, to upstreams, and between the versions.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir_telemetry::Code;
use weir_tests::upstream::http2;
use weir_tests::wire;
use weir_tests::{Behaviour, Gateway, Upstream, wait};

async fn gateway(upstream: SocketAddr, protocol: &str) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams:
  - name: up
    endpoints: [{{ address: "{upstream}" }}]
    protocol: {protocol}
    retries: {{ max: 2, budget_percent: 100 }}
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await;
    let public = gateway.addr("public");
    (gateway, public)
}

/// A connection with prior knowledge.
async fn connect(public: SocketAddr) -> SendRequest<Bytes> {
    let tcp = TcpStream::connect(public).await.unwrap();
    let (client, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    client
}

fn request(method: &str, path: &str) -> Request<()> {
    let uri = format!("http://shop.example.com{path}");
    Request::builder().method(method).uri(uri).body(()).unwrap()
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn read(response: Response<RecvStream>) -> Result<Answer, h2::Error> {
    let (head, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let trailers = stream.trailers().await?;
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
        trailers,
    })
}

/// Sends a request, with a body unless that is `None`, and reads the answer.
async fn exchange(
    client: &SendRequest<Bytes>,
    request: Request<()>,
    body: Option<Vec<u8>>,
) -> Result<Answer, h2::Error> {
    let mut client = client.clone().ready().await?;
    let (response, mut stream) = client.send_request(request, body.is_none())?;
    if let Some(body) = body {
        tokio::spawn(async move {
            let mut rest = Bytes::from(body);
            while !rest.is_empty() {
                stream.reserve_capacity(rest.len());
                let Some(Ok(room)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await
                else {
                    return;
                };
                let piece = rest.split_to(room.min(rest.len()));
                let _ = stream.send_data(piece, false);
            }
            let _ = stream.send_data(Bytes::new(), true);
        });
    }
    wait::for_end("the HTTP/2 answer", async { read(response.await?).await }).await
}

async fn get(client: &SendRequest<Bytes>, path: &str) -> Answer {
    exchange(client, request("GET", path), None).await.unwrap()
}

#[tokio::test]
async fn many_streams_of_one_connection_are_answered_each_with_its_own_body() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let (gateway, public) = gateway(upstream.addr(), "http1").await;
    let client = connect(public).await;
    let streams = (0..80).map(|i| {
        let client = client.clone();
        tokio::spawn(async move {
            let body = format!("body {i} ").repeat(2000);
            let sent = exchange(
                &client,
                request("POST", &format!("/{i}")),
                Some(body.clone().into()),
            );
            let answer = sent.await.unwrap();
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json()["target"], format!("/{i}"));
            assert_eq!(answer.json()["body"], body);
        })
    });
    for stream in streams.collect::<Vec<_>>() {
        stream.await.unwrap();
    }
    let labels = [("listener", "public"), ("protocol", "http2")];
    gateway
        .wait_for_metric("weir_connections_total", &labels, |n| n as u32 == 1)
        .await;
    let line = gateway.wait_for_log(|line| line["url.path"] == "/7").await;
    assert_eq!(
        (&line["network.protocol.version"], &line["server.address"]),
        (&"2".into(), &"shop.example.com".into())
    );
}

#[tokio::test]
async fn an_http1_upstream_is_asked_in_its_own_terms() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let (_gateway, public) = gateway(upstream.addr(), "http1").await;
    let client = connect(public).await;
    let mut cookies = request("GET", "/p?q=1");
    for crumb in ["a=1", "b=2", "c=3"] {
        cookies
            .headers_mut()
            .append("cookie", crumb.parse().unwrap());
    }
    cookies
        .headers_mut()
        .insert("te", "trailers".parse().unwrap());
    assert_eq!(exchange(&client, cookies, None).await.unwrap().status, 200);
    let seen = &upstream.requests()[0];
    assert_eq!(
        (seen.version.as_str(), seen.target.as_str()),
        ("HTTP/1.1", "/p?q=1")
    );
    assert_eq!(
        seen.headers.all("host").collect::<Vec<_>>(),
        ["shop.example.com"]
    );
    assert_eq!(
        seen.headers.all("cookie").collect::<Vec<_>>(),
        ["a=1; b=2; c=3"]
    );
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example.com"));

    // A body whose length nobody said, on methods that usually have one and on those that do not.
    for method in ["POST", "GET", "DELETE"] {
        let answer = exchange(&client, request(method, "/"), Some(b"abc".to_vec()))
            .await
            .unwrap();
        assert_eq!(answer.json()["body"], "abc", "{method}");
    }
    let mut long = request("PUT", "/");
    long.headers_mut()
        .insert("content-length", "3".parse().unwrap());
    assert_eq!(
        exchange(&client, long, Some(b"abc".to_vec()))
            .await
            .unwrap()
            .json()["body"],
        "abc"
    );
    // And none at all.
    let answer = exchange(&client, request("POST", "/none"), None)
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.json()["body"].as_str()),
        (200, Some(""))
    );
    let none = upstream.requests().pop().unwrap();
    assert_eq!(
        (
            none.header("content-length"),
            none.header("transfer-encoding")
        ),
        (Some("0"), None)
    );
    assert_eq!(upstream.record().garbage(), 0);
}

#[tokio::test]
async fn an_http1_answer_comes_without_what_http2_forbids() {
    let lines = ["Connection: close", "Keep-Alive: x", "Upgrade: y", "X-A: 1"];
    let upstream = Upstream::start(Behaviour::answer(201, &lines, "made")).await;
    let (_gateway, public) = gateway(upstream.addr(), "http1").await;
    let client = connect(public).await;
    let answer = get(&client, "/").await;
    assert_eq!((answer.status, answer.body.as_slice()), (201, &b"made"[..]));
    for gone in ["connection", "keep-alive", "upgrade", "transfer-encoding"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert_eq!(answer.header("x-a"), Some("1"));
    upstream.set(Behaviour::interim(103, &[]));
    assert_eq!(get(&client, "/").await.body, b"after the interim response");
    upstream.set(Behaviour::answer(200, &[], "x"));
    let head = exchange(&client, request("HEAD", "/"), None).await.unwrap();
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, Some("1"), 0)
    );
}

#[tokio::test]
async fn eight_mebibytes_pass_through_flow_control_both_ways() {
    let upstream = http2::Upstream::start(http2::Behaviour::Echo).await;
    let (gateway, public) = gateway(upstream.addr(), "http2").await;
    let client = connect(public).await;
    let body = "0123456789abcdef".repeat(8 << 16);
    let answer = exchange(&client, request("POST", "/"), Some(body.clone().into()))
        .await
        .unwrap();
    let line = gateway.wait_for_log(|_| true).await;
    assert!(
        answer.json()["body"] == body,
        "{} bytes came back: {line}",
        answer.body.len()
    );
    assert_eq!(
        upstream.requests()[0].header("host"),
        Some("shop.example.com")
    );
}

#[tokio::test]
async fn trailers_of_an_http2_upstream_reach_an_http2_caller() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let behaviour = http2::Behaviour::Answer {
        status: 200,
        headers: vec![
            pair("content-type", "application/grpc"),
            pair("trailer", "grpc-status"),
        ],
        body: b"message".to_vec(),
        trailers: vec![pair("grpc-status", "0"), pair("grpc-message", "fine")],
    };
    let upstream = http2::Upstream::start(behaviour).await;
    let (_gateway, public) = gateway(upstream.addr(), "http2").await;
    let answer = get(&connect(public).await, "/").await;
    assert_eq!(answer.body, b"message");
    let trailers = answer.trailers.unwrap();
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(trailers["grpc-message"], "fine");
    // HTTP/1 callers get the answer without them.
    let old = wire::get(public, "/").await;
    assert_eq!((old.text().as_str(), old.broken), ("message", None));
}

#[tokio::test]
async fn an_http1_caller_is_served_by_an_http2_upstream() {
    let upstream = http2::Upstream::start(http2::Behaviour::Echo).await;
    let (gateway, public) = gateway(upstream.addr(), "http2").await;
    let headers = [
        "Host: shop.example.com",
        "Connection: x-hop",
        "X-Hop: 1",
        "TE: trailers",
    ];
    let plain = wire::request(public, "POST", "/p", &headers, "abc").await;
    let line = gateway.wait_for_log(|line| line["url.path"] == "/p").await;
    assert_eq!(
        (plain.status, plain.json()["body"].as_str()),
        (200, Some("abc")),
        "{line}"
    );
    let chunked =
        "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let chunked = wire::exchange(public, chunked).await;
    let line = gateway.wait_for_log(|line| line["url.path"] == "/c").await;
    assert_eq!(chunked.json()["body"], "abc", "{line}");
    assert_eq!(
        wire::exchange(public, "GET /old HTTP/1.0\r\n\r\n")
            .await
            .status,
        200
    );
    let seen = upstream.requests();
    // `:authority`, and a Host that says the same (RFC 9113, 8.3.1).
    assert!(
        seen[0]
            .headers
            .all("host")
            .all(|host| host == "shop.example.com")
    );
    assert!(seen.iter().all(|request| request.version == "HTTP/2"));
    for gone in ["connection", "x-hop", "transfer-encoding"] {
        assert!(
            seen.iter().all(|request| request.header(gone).is_none()),
            "{gone}"
        );
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_whatever_its_method() {
    let upstream = http2::Upstream::start(http2::Behaviour::Refuse { first: 1 }).await;
    let (gateway, public) = gateway(upstream.addr(), "http2").await;
    let answer = wire::request(public, "POST", "/again", &[], "abc").await;
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/again")
        .await;
    assert_eq!(
        (answer.status, answer.json()["body"].as_str()),
        (200, Some("abc")),
        "{line}"
    );
    let attempts = line["weir.attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{line}");

    upstream.set(http2::Behaviour::Refuse { first: 1000 });
    let answer = wire::request(public, "POST", "/never", &[], "abc").await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::StreamRefused.slug())
    );
    assert_eq!(answer.status, Code::StreamRefused.status());
}

#[tokio::test]
async fn a_stream_beyond_a_goaway_is_sent_again_on_another_connection() {
    let behaviour = http2::Behaviour::GoAwayUnprocessed { connections: 1 };
    let upstream = http2::Upstream::start(behaviour).await;
    let (_gateway, public) = gateway(upstream.addr(), "http2").await;
    let answer = wire::request(public, "POST", "/", &[], "abc").await;
    assert_eq!(
        (answer.status, answer.json()["body"].as_str()),
        (200, Some("abc"))
    );
    assert_eq!(upstream.connections(), 2);
    // One that finishes what it has leaves a clean slate for the next request.
    upstream.set(http2::Behaviour::GoAwayAfter { requests: 1 });
    for _ in 0..5 {
        assert_eq!(wire::get(public, "/").await.status, 200);
    }
}

#[tokio::test]
async fn a_stream_the_upstream_resets_is_an_error_with_its_code() {
    let upstream = http2::Upstream::start(http2::Behaviour::Reset(Reason::INTERNAL_ERROR)).await;
    let (gateway, public) = gateway(upstream.addr(), "http2").await;
    let answer = wire::request(public, "POST", "/reset", &[], "abc").await;
    assert_eq!(answer.status, 502);
    assert!(answer.header("weir-error").is_some());
    assert_eq!(upstream.requests().len(), 1, "a POST is never replayed");

    upstream.set(http2::Behaviour::ResetAmidBody(Reason::INTERNAL_ERROR));
    let cut = wire::get(public, "/cut").await;
    assert_eq!((cut.status, cut.broken.is_some()), (200, true));
    let error = exchange(&connect(public).await, request("GET", "/cut2"), None)
        .await
        .err()
        .unwrap();
    assert!(error.is_reset(), "{error:?}");
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/cut2")
        .await;
    assert_eq!(line["error.type"], Code::HttpResponseIncomplete.slug());
    assert_eq!(line["weir.aborted"], true);
}

#[tokio::test]
async fn a_stream_the_caller_resets_ends_the_upstream_request_and_no_other() {
    let upstream = Upstream::start(Behaviour::hang()).await;
    let (gateway, public) = gateway(upstream.addr(), "http1").await;
    let mut client = connect(public).await;
    let (response, mut stream) = client
        .send_request(request("POST", "/gone"), false)
        .unwrap();
    stream.send_data(Bytes::from_static(b"abc"), true).unwrap();
    upstream.wait_for_requests(1).await;
    stream.send_reset(Reason::CANCEL);
    upstream.wait_for_close().await;
    drop(response);
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/gone")
        .await;
    assert_eq!(line["error.type"], Code::ClientDisconnected.slug());
    upstream.set(Behaviour::answer(200, &[], "still here"));
    assert_eq!(get(&client, "/").await.body, b"still here");
}

#[tokio::test]
async fn errors_reach_http2_callers_in_full() {
    let refusing = Upstream::refusing();
    let (_gateway, public) = gateway(refusing.addr(), "http2").await;
    let answer = get(&connect(public).await, "/").await;
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::ConnectionRefused.slug())
    );
    assert_eq!(answer.json()["code"], Code::ConnectionRefused.slug());
    assert_eq!(
        answer.json()["request_id"].as_str(),
        answer.header("x-request-id")
    );
}

#[tokio::test]
async fn a_preface_may_come_in_pieces_and_a_broken_one_is_refused() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let (gateway, public) = gateway(upstream.addr(), "http1").await;
    let mut tcp = TcpStream::connect(public).await.unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" {
        tcp.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut frame = [0; 9];
    wait::for_end("a SETTINGS frame", tcp.read_exact(&mut frame))
        .await
        .unwrap();
    assert_eq!(frame[3], 4);

    let broken = wire::exchange(public, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").await;
    assert_eq!(
        broken.header("weir-error"),
        Some(Code::RequestHeadMalformed.slug())
    );
    assert_eq!((broken.status, broken.closed), (400, true));
    gateway
        .wait_for_log(|line| line["error.type"] == Code::RequestHeadMalformed.slug())
        .await;
    assert!(upstream.requests().is_empty());
}
