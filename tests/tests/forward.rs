//! `forward` end to end over HTTP/1: methods, bodies both ways at once, interim and early
//! answers, keep-alive, pipelining. What the heads say is in `forward_heads.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weir_telemetry::Code;
use weir_tests::http1::{Framing, Reader};
use weir_tests::upstream::{Step, When};
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

async fn gateway(upstream: SocketAddr) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{upstream}" }}] }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await
}

async fn scripted(behaviour: Behaviour) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(behaviour).await;
    let gateway = gateway(upstream.addr()).await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

fn text(bytes: &'static str) -> Step {
    Step::Send(bytes.as_bytes().to_vec())
}

/// An upstream that answers at once and sends back each byte of the body as it comes, with the
/// request's own framing.
async fn streaming_echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut reader = Reader::new(&mut tcp);
                let Ok(Some(head)) = reader.head().await else {
                    return;
                };
                let ahead = reader.take();
                let framing = match head.fields.get("content-length") {
                    Some(length) => format!("Content-Length: {length}"),
                    None => "Transfer-Encoding: chunked".to_owned(),
                };
                let answer = format!("HTTP/1.1 200 OK\r\n{framing}\r\nConnection: close\r\n\r\n");
                tcp.write_all(answer.as_bytes()).await.unwrap();
                tcp.write_all(&ahead).await.unwrap();
                let (mut from, mut to) = tcp.split();
                // The gateway's close is the end of it.
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

/// Sends `wire` and reads the answer's body meanwhile.
async fn both_ways(public: SocketAddr, wire: Vec<u8>) -> Vec<u8> {
    let (from, mut to) = TcpStream::connect(public).await.unwrap().into_split();
    let upload = tokio::spawn(async move {
        to.write_all(&wire).await.unwrap();
        to
    });
    let mut reader = Reader::new(from);
    let head = wait::for_end("the head", reader.head())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(head.start, "HTTP/1.1 200 OK");
    let framing = Framing::of(&head.fields, Framing::UntilClose).unwrap();
    let mut body = Vec::new();
    let mut sink = |piece: &[u8]| body.extend_from_slice(piece);
    wait::for_end("the body", reader.body(framing, &mut sink))
        .await
        .unwrap();
    upload.await.unwrap();
    body
}

fn eight_mebibytes() -> Vec<u8> {
    (0..8u32 << 20)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[tokio::test]
async fn eight_mebibytes_go_up_and_come_down_together() {
    let gateway = gateway(streaming_echo().await).await;
    let body = eight_mebibytes();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let echoed = both_ways(
        gateway.addr("public"),
        [head.into_bytes(), body.clone()].concat(),
    )
    .await;
    assert!(echoed == body, "{} bytes came back", echoed.len());

    let mut chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(77_777) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let echoed = both_ways(gateway.addr("public"), chunked).await;
    assert!(echoed == body, "{} bytes came back chunked", echoed.len());

    let line = gateway
        .wait_for_log(|line| line["http.request.body.size"] == body.len())
        .await;
    assert_eq!(line["http.response.body.size"], body.len());
}

#[tokio::test]
async fn every_method_and_body_arrives_as_it_was_sent() {
    let (upstream, _gateway, public) = scripted(Behaviour::echo()).await;
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "M-SEARCH",
    ] {
        let answer = wire::request(public, method, "/m?q=1", &[], "").await;
        assert_eq!(answer.status, 200, "{method}");
        assert_eq!(answer.json()["method"], method);
        assert_eq!(answer.json()["body"], "");
    }
    let sent = wire::request(public, "POST", "/", &["Content-Type: text/plain"], "12345").await;
    assert_eq!(sent.json()["body"], "12345");
    let empty = wire::request(public, "POST", "/", &["Content-Length: 0"], "").await;
    assert_eq!(empty.json()["body"], "");
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let pieces = [
        chunked,
        "3;x=y\r\nab",
        "c\r\n",
        "2\r\nde\r\n0\r\n",
        "Trailer-Field: 1\r\n\r\n",
    ];
    assert_eq!(
        wire::exchange_pieces(public, pieces).await.json()["body"],
        "abcde"
    );
    let none = wire::exchange(public, format!("{chunked}0\r\n\r\n")).await;
    assert_eq!(none.json()["body"], "");
    assert!(upstream.requests().iter().all(|request| request.complete));
    assert_eq!(upstream.record().garbage(), 0);
}

#[tokio::test]
async fn head_and_bodiless_statuses_keep_the_connection_in_step() {
    let (upstream, _gateway, public) = scripted(Behaviour::answer(200, &["X-A: 1"], "body")).await;
    let mut connection = Connection::open(public).await;
    connection
        .send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let head = connection.response_to("HEAD").await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("4"))
    );
    assert_eq!(head.header("x-a"), Some("1"));

    upstream.set(Behaviour::steps([text(
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    )]));
    connection
        .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let none = connection.response().await;
    assert_eq!((none.status, none.header("content-length")), (204, None));
    assert_eq!(none.header("transfer-encoding"), None);

    let unchanged = "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n";
    upstream.set(Behaviour::steps([text(unchanged)]));
    connection
        .send("GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\n\r\n")
        .await
        .unwrap();
    let unchanged = connection.response().await;
    assert_eq!(
        (unchanged.status, unchanged.header("etag")),
        (304, Some("\"x\""))
    );

    upstream.set(Behaviour::trailers("last", &[]));
    connection
        .send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(connection.response_to("HEAD").await.status, 200);
    connection
        .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(connection.response().await.text(), "last");
}

#[tokio::test]
async fn an_http10_client_is_served_and_told_the_end_by_the_close() {
    let (upstream, _gateway, public) = scripted(Behaviour::echo()).await;
    let answer = wire::exchange(public, "GET /old HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status, answer.closed), (200, true));
    let seen = &upstream.requests()[0];
    assert_eq!(seen.version, "HTTP/1.1");
    assert_eq!(seen.headers.all("host").count(), 1, "{:?}", seen.headers);

    upstream.set(Behaviour::slow_body(
        &["one", "two"],
        std::time::Duration::ZERO,
    ));
    let answer = wire::exchange(public, "GET /old HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!((answer.text().as_str(), answer.closed), ("onetwo", true));
}

#[tokio::test]
async fn one_connection_carries_many_requests_and_one_upstream_connection_too() {
    let (upstream, _gateway, public) = scripted(Behaviour::echo()).await;
    let mut connection = Connection::open(public).await;
    for i in 0..20 {
        let request = wire::message(public, "POST", &format!("/{i}"), &[], b"abc");
        connection.send(request).await.unwrap();
        let answer = connection.response().await;
        assert_eq!(answer.json()["target"], format!("/{i}"));
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
    assert_eq!(upstream.connections(), 1);
    connection
        .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let last = connection.response().await;
    assert_eq!(
        (last.header("connection"), last.closed),
        (Some("close"), true)
    );
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (_upstream, _gateway, public) = scripted(Behaviour::echo()).await;
    let one = wire::message(public, "POST", "/0", &[], b"first");
    let two = wire::message(public, "GET", "/1", &[], b"");
    let chunked =
        b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    let all = [&one[..], &two, chunked, &two].concat();
    // Whole, and cut at places that fall into heads, bodies and between requests.
    for cut in [
        all.len(),
        1,
        one.len() - 2,
        one.len() + 1,
        one.len() + two.len() + 7,
    ] {
        let mut connection = Connection::open(public).await;
        let (first, rest) = all.split_at(cut);
        connection.send_pieces([first, rest]).await.unwrap();
        for target in ["/0", "/1", "/2", "/1"] {
            assert_eq!(
                connection.response().await.json()["target"],
                target,
                "cut at {cut}"
            );
        }
    }
}

#[tokio::test]
async fn a_caller_who_expects_it_is_told_to_continue_and_the_connection_is_kept() {
    let (upstream, _gateway, public) = scripted(Behaviour::echo()).await;
    let mut connection = Connection::open(public).await;
    for _ in 0..2 {
        let head =
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
        connection.send(head).await.unwrap();
        assert_eq!(
            connection.head().await.unwrap().start,
            "HTTP/1.1 100 Continue"
        );
        connection.send("abc").await.unwrap();
        assert_eq!(connection.response().await.json()["body"], "abc");
    }
    let expectation = upstream.requests()[0].header("expect").map(str::to_owned);
    assert_eq!(expectation.as_deref(), Some("100-continue"));
}

#[tokio::test]
async fn a_refused_caller_is_not_told_to_continue() {
    let (upstream, _gateway, public) =
        scripted(Behaviour::answer(417, &[], "no").at(When::Head)).await;
    drop(upstream);
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let answer = wire::exchange(public, request).await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::ConnectionRefused.slug())
    );
    assert_eq!((answer.status, answer.interim), (502, vec![]));
}

#[tokio::test]
async fn interim_answers_are_passed_on() {
    let hint = "Link: </style.css>; rel=preload";
    let (_upstream, _gateway, public) = scripted(Behaviour::interim(103, &[hint])).await;
    let answer = wire::get(public, "/").await;
    assert_eq!((answer.status, &answer.interim[..]), (200, &[103][..]));
    assert_eq!(answer.text(), "after the interim response");
    // HTTP/1.0 has none.
    let old = wire::exchange(public, "GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!((old.status, old.interim), (200, vec![]));
}

#[tokio::test]
async fn an_answer_before_the_body_is_whole_reaches_the_caller() {
    let early = [
        text("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nearly"),
        Step::Close,
    ];
    let (_upstream, gateway, public) = scripted(Behaviour::steps(early).at(When::Head)).await;
    // More than any buffer on the way holds.
    let request = wire::message(public, "POST", "/", &[], &eight_mebibytes());
    let answer = wire::exchange(public, request).await;
    assert_eq!((answer.status, answer.text().as_str()), (403, "early"));
    let line = gateway
        .wait_for_log(|line| line["http.response.status_code"] == 403)
        .await;
    assert_eq!(line["error.type"], serde_json::Value::Null);
}

#[tokio::test]
async fn an_upstream_that_stops_reading_but_goes_on_answering_is_passed_on() {
    let mut steps = vec![text(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    )];
    steps.extend((0..3).map(|_| text("3\r\nabc\r\n")));
    steps.extend([text("0\r\n\r\n"), Step::Close]);
    let (_upstream, _gateway, public) = scripted(Behaviour::steps(steps).at(When::Head)).await;
    let request = wire::message(public, "PUT", "/", &[], &eight_mebibytes());
    let answer = wire::exchange(public, request).await;
    assert_eq!((answer.text().as_str(), answer.broken), ("abcabcabc", None));
}

#[tokio::test]
async fn a_broken_answer_never_ends_cleanly() {
    let (upstream, gateway, public) = scripted(Behaviour::short_body()).await;
    for behaviour in [
        Behaviour::short_body(),
        Behaviour::short_chunks(),
        Behaviour::reset_amid_body(),
    ] {
        upstream.set(behaviour);
        let answer = wire::get(public, "/").await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.broken.is_some(),
            "it ended cleanly after {:?}",
            answer.text()
        );
    }
    let slug = Code::HttpResponseIncomplete.slug();
    let line = gateway
        .wait_for_log(|line| line["error.type"] == slug)
        .await;
    assert_eq!(
        (&line["weir.aborted"], &line["weir.fault"]),
        (&true.into(), &"upstream".into())
    );
    gateway
        .wait_for_metric("weir_errors_total", &[("error_type", slug)], |n| n >= 3.0)
        .await;
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_upstream_request() {
    let (upstream, gateway, public) = scripted(Behaviour::hang()).await;
    let mut connection = Connection::open(public).await;
    connection
        .send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    upstream.wait_for_requests(1).await;
    connection.reset();
    upstream.wait_for_close().await;
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/gone")
        .await;
    assert_eq!(line["error.type"], Code::ClientDisconnected.slug());
    assert_eq!(line["http.response.status_code"], 499);
}

#[tokio::test]
async fn a_caller_who_leaves_amid_the_body_leaves_it_unfinished_upstream() {
    let (upstream, _gateway, public) = scripted(Behaviour::echo()).await;
    for head in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let seen = upstream.requests().len();
        let mut connection = Connection::open(public).await;
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n3\r\nabc\r\n");
        connection.send(request).await.unwrap();
        wait::until_true("the request", || upstream.requests().len() > seen).await;
        connection.finish().await.unwrap();
        upstream.wait_for_close().await;
        assert!(!upstream.requests()[seen].complete, "{head}");
    }
}

#[tokio::test]
async fn an_event_arrives_before_the_upstream_has_finished() {
    let events =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let steps = [text(events), text("d\r\ndata: first\n\n\r\n"), Step::Hang];
    let (upstream, _gateway, public) = scripted(Behaviour::steps(steps)).await;
    let mut connection = Connection::open(public).await;
    connection
        .send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    connection.read_until("data: first").await;
    assert_eq!(upstream.open_connections(), 1);
    drop(connection);
    upstream.wait_for_close().await;
}

#[tokio::test]
async fn a_slow_reader_holds_the_upstream_back() {
    let (_upstream, gateway, public) =
        scripted(Behaviour::endless_chunks(std::time::Duration::ZERO)).await;
    let mut tcp = TcpStream::connect(public).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 64];
    tcp.read_exact(&mut some).await.unwrap();
    // Nobody reads on: what the gateway holds for this caller stays bounded, and it serves others.
    let other = wire::get(gateway.addr("metrics"), "/healthz").await;
    assert_eq!(other.status, 200);
    drop(tcp);
    gateway
        .wait_for_metric("weir_requests_active", &[("weir_route", "all")], |n| {
            n < 0.5
        })
        .await;
}

#[tokio::test]
async fn what_has_come_of_a_sized_answer_is_not_held_back() {
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst";
    let (_upstream, _gateway, public) = scripted(Behaviour::steps([text(begun), Step::Hang])).await;
    let mut connection = Connection::open(public).await;
    connection
        .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    // The other half never comes: only what is sent on at once can be seen.
    connection.read_until("first").await;
}
