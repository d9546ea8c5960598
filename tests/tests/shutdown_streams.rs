//! SIGTERM with a thousand open streams: each has its span, its figure and its line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    reason = "the measured time is wanted in the output"
)]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use weir_tests::child::Kind;
use weir_tests::otlp::{Collector, Kind as SpanKind};
use weir_tests::upstream::{Step, When};
use weir_tests::{Behaviour, Gateway, Upstream, wait, wire};

const STREAMS: usize = 1_000;

/// The answer to the key that every WebSocket here sends (RFC 6455, 1.3).
const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A masked close frame without a reason.
const CLOSE: &[u8] = &[0x88, 0x80, 0, 0, 0, 0];

/// By path: server-sent events for ever, half an answer, no answer, a WebSocket.
fn mixture() -> Behaviour {
    Behaviour::new(When::Head, |request| {
        let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n").into_bytes();
        match request.target.get(..3) {
            Some("/ws") => vec![Step::Send(SWITCHED.to_vec()), Step::WebSocketEcho],
            Some("/se") => vec![
                Step::Send(head(
                    "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n",
                )),
                Step::Repeat {
                    piece: b"c\r\ndata: tick\n\n\r\n".to_vec(),
                    every: Duration::from_millis(250),
                    times: None,
                },
            ],
            Some("/ha") => {
                let mut begun = head("Transfer-Encoding: chunked\r\n");
                begun.extend(b"4\r\nhalf\r\n");
                vec![Step::Send(begun), Step::Hang]
            }
            _ => vec![Step::Hang],
        }
    })
}

async fn open(gateway: &Gateway, number: usize) -> wire::Connection {
    let public = gateway.addr("public");
    let mut connection = wire::Connection::open(public).await;
    let id = format!("X-Number: {number}");
    let (path, upgrade): (_, &[&str]) = match number % 4 {
        0 => ("/se", &[]),
        1 => ("/ha", &[]),
        2 => ("/si", &[]),
        _ => (
            "/ws",
            &[
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ],
        ),
    };
    let headers: Vec<&str> = upgrade.iter().copied().chain([&*id]).collect();
    let target = format!("{path}/{number}");
    connection
        .send(wire::message(public, "GET", &target, &headers, b""))
        .await
        .unwrap();
    if number % 4 != 2 {
        connection.head().await.unwrap();
    }
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_open_streams_are_all_told_of() {
    let collector = Collector::start().await;
    let upstream = Upstream::start(mixture()).await;
    let gateway = Gateway::start(&format!(
        r#"version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: 10s }}
telemetry:
  otlp: {{ endpoint: "{}", sample_ratio: 1.0 }}
  access_log: {{ output: "${{ACCESS_LOG}}" }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}], timeouts: {{ first_byte: 5m }} }}]
routes: [{{ name: r, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#,
        collector.endpoint(),
        upstream.addr()
    ))
    .await;
    let opening = |number| {
        let gateway = &gateway;
        async move { (number, open(gateway, number).await) }
    };
    let mut streams: Vec<(usize, wire::Connection)> = stream::iter(0..STREAMS)
        .map(opening)
        .buffer_unordered(32)
        .collect()
        .await;
    wait::until_true("every stream upstream", || {
        upstream.requests().len() == STREAMS
    })
    .await;
    gateway
        .wait_for_metric("weir_requests_active", &[], |n| n == STREAMS as f64)
        .await;

    gateway.signal(Kind::SIGTERM);
    // WebSockets may still end in order, and the figures can be read meanwhile.
    let counted = "http_server_request_duration_seconds_count";
    for (_, socket) in streams.iter_mut().filter(|(number, _)| number % 4 == 3) {
        socket.send(CLOSE).await.unwrap();
    }
    let sockets = [("http_response_status_code", "101")];
    gateway
        .wait_for_metric(counted, &sockets, |n| n == (STREAMS / 4) as f64)
        .await;
    let active = gateway.metric("weir_requests_active", &[]).await;
    assert_eq!(
        active,
        (STREAMS - STREAMS / 4) as f64,
        "the deadline was too short for this machine"
    );
    // The last stream to end, as its caller sees it.
    let mut ended = stream::iter(streams.iter_mut().map(|(_, open)| open.read_to_close()))
        .buffer_unordered(STREAMS);
    while ended.next().await.is_some() {}
    let last = Instant::now();
    let status = gateway.wait_exit().await;
    println!(
        "the process was gone {:?} after the last of {STREAMS} streams",
        last.elapsed()
    );
    assert_eq!(status.code(), Some(0));

    // The process is gone, so all that it told must be there already.
    let lines = gateway.access_log();
    let paths: HashSet<_> = lines
        .iter()
        .map(|l| l["url.path"].as_str().unwrap())
        .collect();
    assert_eq!((lines.len(), paths.len()), (STREAMS, STREAMS));
    let draining = |code: &serde_json::Value| code == "draining";
    let cut = lines.iter().filter(|l| draining(&l["error.type"])).count();
    assert_eq!(cut, STREAMS - STREAMS / 4);
    let spans = collector.spans();
    let kind = |kind: SpanKind| spans.iter().filter(|s| s.kind == kind).collect::<Vec<_>>();
    let (servers, clients) = (kind(SpanKind::Server), kind(SpanKind::Client));
    assert_eq!((servers.len(), clients.len()), (STREAMS, STREAMS));
    let ids: HashSet<_> = servers.iter().map(|s| &*s.span_id).collect();
    assert!(clients.iter().all(|s| ids.contains(&*s.parent_span_id)));
    let cut = servers
        .iter()
        .filter(|s| draining(s.attribute("error.type")))
        .count();
    assert_eq!(cut, STREAMS - STREAMS / 4);
}
