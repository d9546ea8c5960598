//! Streams over `forward` end to end: events one by one, uploads of any size in bounded memory,
//! early answers, parts of a body and conditions, on HTTP/1.1 and HTTP/2.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use weir_telemetry::Code;
use weir_tests::forwarding::{gateway, scripted};
use weir_tests::http1::{Framing, Reader};
use weir_tests::upstream::{Step, When, http2};
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, wait};

fn text(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Send(bytes.into())
}

/// An HTTP/2 connection with prior knowledge.
async fn connect(public: SocketAddr) -> SendRequest<Bytes> {
    let tcp = TcpStream::connect(public).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let (client, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    client
}

fn request(method: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri("http://shop.example.com/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// Sends a request without a body over HTTP/2: the answer's head and body.
async fn ask(public: SocketAddr, request: Request<()>) -> (http::response::Parts, Vec<u8>) {
    let (response, _) = connect(public).await.send_request(request, true).unwrap();
    let (head, mut stream) = wait::for_end("the answer", response)
        .await
        .unwrap()
        .into_parts();
    let mut body = Vec::new();
    while let Some(piece) = wait::for_end("the body", stream.data()).await {
        let piece = piece.unwrap();
        stream.flow_control().release_capacity(piece.len()).unwrap();
        body.extend_from_slice(&piece);
    }
    (head, body)
}

/// Sends a body of that many bytes in pieces, as the peer makes room for them.
async fn send(mut stream: h2::SendStream<Bytes>, mut left: usize) {
    let piece = Bytes::from(vec![b'x'; 64 << 10]);
    while left > 0 {
        stream.reserve_capacity(piece.len().min(left));
        let Some(Ok(room)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else {
            return;
        };
        let now = room.min(left).min(piece.len());
        left -= now;
        if stream.send_data(piece.slice(..now), left == 0).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn events_arrive_one_by_one_over_both_protocols() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (_gateway, public) = gateway(listener.local_addr().unwrap(), "http1").await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    let events = ["data: one\n\n", "data: two\n\n", "data: three\n\n"];
    let chunk = |event: &str| format!("{:x}\r\n{event}\r\n", event.len());

    let mut client = Connection::open(public).await;
    client
        .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let (mut upstream, _) = wait::for_end("the call", listener.accept()).await.unwrap();
    upstream.write_all(head.as_bytes()).await.unwrap();
    for event in events {
        // The next one is sent when this one has been seen.
        upstream.write_all(chunk(event).as_bytes()).await.unwrap();
        client.read_until(event).await;
    }

    let (response, _) = connect(public)
        .await
        .send_request(request("GET", &[]), true)
        .unwrap();
    let (mut upstream, _) = wait::for_end("the call", listener.accept()).await.unwrap();
    upstream.write_all(head.as_bytes()).await.unwrap();
    let mut body = wait::for_end("the head", response)
        .await
        .unwrap()
        .into_body();
    for event in events {
        upstream.write_all(chunk(event).as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while seen != event.as_bytes() {
            seen.extend_from_slice(&wait::for_end(event, body.data()).await.unwrap().unwrap());
        }
    }
}

/// An upstream that counts the bytes of each body and keeps none: it answers with their number.
async fn counting() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut reader = Reader::new(tcp);
                while let Ok(Some(head)) = reader.head().await {
                    let framing = Framing::of(&head.fields, Framing::Length(0)).unwrap();
                    assert_eq!(framing, Framing::Chunked);
                    let mut count = 0;
                    let mut sink = |piece: &[u8]| count += piece.len();
                    reader.body(framing, &mut sink).await.unwrap();
                    let count = count.to_string();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{count}",
                        count.len()
                    );
                    reader.stream().write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

/// The most memory the gateway ever held, in bytes.
fn peak(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}

const LONG: usize = 300 << 20;

/// What the gateway may hold more than with a short upload, in bytes.
const GROWTH: usize = 12 << 20;

async fn upload_http1(public: SocketAddr, length: usize) -> usize {
    let piece = vec![b'x'; 64 << 10];
    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
    let mut client = Connection::open(public).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..length / piece.len() {
        client.send(&chunk).await.unwrap();
    }
    client.send("0\r\n\r\n").await.unwrap();
    client.response().await.text().parse().unwrap()
}

async fn upload_http2(public: SocketAddr, length: usize) -> usize {
    let (response, stream) = connect(public)
        .await
        .send_request(request("POST", &[]), false)
        .unwrap();
    send(stream, length).await;
    let mut body = wait::for_end("the answer", response)
        .await
        .unwrap()
        .into_body();
    let count = wait::for_end("the count", body.data())
        .await
        .unwrap()
        .unwrap();
    std::str::from_utf8(&count).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_of_any_size_takes_no_memory() {
    let (gateway, public) = gateway(counting().await, "http1").await;
    let short = 8 << 20;
    assert_eq!(upload_http1(public, short).await, short);
    assert_eq!(upload_http2(public, short).await, short);
    let before = peak(&gateway);
    assert_eq!(upload_http1(public, LONG).await, LONG);
    let after = peak(&gateway);
    assert!(after - before < GROWTH, "HTTP/1.1: {before} then {after}");
    assert_eq!(upload_http2(public, LONG).await, LONG);
    let after = peak(&gateway);
    assert!(after - before < GROWTH, "HTTP/2: {before} then {after}");
}

#[tokio::test]
async fn a_caller_who_leaves_an_upload_that_is_stuck_ends_it() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (gateway, public) = gateway(listener.local_addr().unwrap(), "http2").await;
    let mut client = connect(public).await;
    let sent = client.send_request(request("POST", &[]), false);
    let (_response, mut stream) = sent.unwrap();
    stream.send_data(vec![b'x'; 1 << 20].into(), false).unwrap();

    let (tcp, _) = wait::for_end("the call", listener.accept()).await.unwrap();
    let mut upstream = h2::server::handshake(tcp).await.unwrap();
    let call = wait::for_end("the call", upstream.accept()).await;
    let (call, mut respond) = call.unwrap().unwrap();
    tokio::spawn(async move { while upstream.accept().await.is_some() {} });
    // It reads nothing: no more comes than its window takes.
    let mut body = call.into_body();
    let flow = body.flow_control();
    wait::until("a window that is full", || {
        std::future::ready((flow.used_capacity() == 65_535).then_some(()))
    })
    .await;

    stream.send_reset(Reason::CANCEL);
    let reset = std::future::poll_fn(|cx| respond.poll_reset(cx));
    let reason = wait::for_end("the reset", reset).await.unwrap();
    assert_eq!(reason, Reason::CANCEL);
    let line = gateway.wait_for_log(|line| line["weir.route"] == "all");
    let line = line.await;
    let left = Code::ClientDisconnected.slug();
    assert_eq!(line["error.type"], left, "{line}");
}

#[tokio::test]
async fn a_mebibyte_may_be_sent_before_any_of_it_is_read() {
    let (_upstream, _gateway, public) = scripted(Behaviour::hang()).await;
    let tcp = TcpStream::connect(public).await.unwrap();
    let mut builder = h2::client::Builder::new();
    builder.max_send_buffer_size(2 << 20);
    let (mut client, connection) = builder.handshake::<_, Bytes>(tcp).await.unwrap();
    tokio::spawn(connection);
    let sent = client.send_request(request("POST", &[]), false);
    let (_response, mut stream) = sent.unwrap();
    stream.reserve_capacity(1 << 20);
    let room = async {
        while stream.capacity() < 1 << 20 {
            let more = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
            more.unwrap().unwrap();
        }
    };
    wait::for_end("room for all of it", room).await;
}

#[tokio::test]
async fn a_refusal_amid_an_upload_reaches_the_caller() {
    let early = [
        text("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge"),
        Step::Close,
    ];
    let (_upstream, gateway, public) = scripted(Behaviour::steps(early).at(When::Head)).await;
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let mut client = Connection::open(public).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..8 {
        // It may close while we still send.
        if client.send(&chunk).await.is_err() {
            break;
        }
    }
    let answer = client.response().await;
    assert_eq!((answer.status, answer.text().as_str()), (413, "large"));

    let mut client = connect(public).await;
    let (response, stream) = client.send_request(request("POST", &[]), false).unwrap();
    tokio::spawn(send(stream, 64 << 20));
    let (head, mut body) = wait::for_end("the answer", response)
        .await
        .unwrap()
        .into_parts();
    let large = wait::for_end("the body", body.data())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((head.status.as_u16(), &large[..]), (413, &b"large"[..]));
    let line = gateway
        .wait_for_log(|line| line["network.protocol.version"] == "2")
        .await;
    assert_eq!(line["http.response.status_code"], 413);
}

#[tokio::test]
async fn trailers_of_a_request_end_its_body_and_go_no_further() {
    let upstream = http2::Upstream::start(http2::Behaviour::Echo).await;
    let (_gateway, public) = gateway(upstream.addr(), "http2").await;
    let mut client = connect(public).await;
    let asks = request("POST", &[("te", "trailers"), ("trailer", "x-sum")]);
    let (response, mut stream) = client.send_request(asks, false).unwrap();
    stream
        .send_data(Bytes::from_static(b"body"), false)
        .unwrap();
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "7".parse().unwrap());
    stream.send_trailers(trailers).unwrap();
    let head = wait::for_end("the answer", response).await.unwrap();
    assert_eq!(head.status(), 200);
    let seen = upstream.wait_for_requests(1).await.remove(0);
    assert_eq!((seen.text().as_str(), seen.complete), ("body", true));
    assert_eq!(seen.header("te"), Some("trailers"));
    assert_eq!(seen.trailers.get("x-sum"), None);
}

const MULTIPART: &str = "--b\r\nContent-Range: bytes 0-0/10\r\n\r\n0\r\n\
    --b\r\nContent-Range: bytes 9-9/10\r\n\r\n9\r\n--b--\r\n";

/// Answers with parts of `0123456789` as RFC 9110, 14 has it, or with all of it.
fn parts() -> Behaviour {
    Behaviour::new(When::Whole, |request| {
        let tagged = request.header("if-range").is_none_or(|tag| tag == "\"v\"");
        let (head, body) = match request.header("range").filter(|_| tagged) {
            Some("bytes=2-4") => (
                "206 Partial Content\r\nContent-Range: bytes 2-4/10\r\nETag: \"v\"",
                "234",
            ),
            Some("bytes=99-") => ("416 Range Not Satisfiable\r\nContent-Range: bytes */10", ""),
            Some(_) => (
                "206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=b",
                MULTIPART,
            ),
            None => (
                "200 OK\r\nAccept-Ranges: bytes\r\nETag: \"v\"",
                "0123456789",
            ),
        };
        let length = body.len();
        let sent = if request.method == "HEAD" { "" } else { body };
        vec![text(format!(
            "HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{sent}"
        ))]
    })
}

#[tokio::test]
async fn parts_of_a_body_pass_byte_by_byte_over_both_protocols() {
    let (_upstream, _gateway, public) = scripted(parts()).await;
    for (method, range, if_range, status, content_range, body) in [
        ("GET", "bytes=2-4", None, 206, Some("bytes 2-4/10"), "234"),
        (
            "GET",
            "bytes=2-4",
            Some("\"v\""),
            206,
            Some("bytes 2-4/10"),
            "234",
        ),
        ("GET", "bytes=2-4", Some("\"old\""), 200, None, "0123456789"),
        ("GET", "bytes=99-", None, 416, Some("bytes */10"), ""),
        ("GET", "bytes=0-0,9-9", None, 206, None, MULTIPART),
        ("HEAD", "bytes=2-4", None, 206, Some("bytes 2-4/10"), ""),
    ] {
        let mut fields = vec![("range", range)];
        fields.extend(if_range.map(|tag| ("if-range", tag)));
        let lines: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let one = wire::request(public, method, "/", &lines, "").await;
        assert_eq!(
            (one.status, one.text().as_str()),
            (status, body),
            "{fields:?}"
        );
        assert_eq!(one.header("content-range"), content_range, "{fields:?}");
        let (head, two) = ask(public, request(method, &fields)).await;
        assert_eq!(
            (head.status.as_u16(), &two[..]),
            (status, body.as_bytes()),
            "{fields:?}"
        );
        let said = head
            .headers
            .get("content-range")
            .map(|v| v.to_str().unwrap());
        assert_eq!(said, content_range, "{fields:?}");
        let length = head
            .headers
            .get("content-length")
            .map(|v| v.to_str().unwrap());
        assert_eq!(length, one.header("content-length"), "{fields:?}");
    }
}

#[tokio::test]
async fn what_has_not_changed_has_no_body_and_the_connection_goes_on() {
    let behaviour = Behaviour::new(When::Whole, |request| {
        let since = request.header("if-modified-since").is_some();
        let same = since || request.header("if-none-match") == Some("W/\"v\"");
        let head = if same {
            "HTTP/1.1 304 Not Modified\r\nETag: W/\"v\"\r\nContent-Length: 5\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nETag: W/\"v\"\r\nContent-Length: 5\r\n\r\nhello"
        };
        vec![text(head)]
    });
    let (upstream, _gateway, public) = scripted(behaviour).await;
    let mut client = Connection::open(public).await;
    let date = "Tue, 15 Nov 1994 12:45:26 GMT";
    for (name, value, status) in [
        ("if-none-match", "W/\"v\"", 304),
        ("if-modified-since", date, 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", date, 304),
        ("if-none-match", "W/\"v\"", 304),
    ] {
        let body = if status == 200 { "hello" } else { "" };
        let line = format!("{name}: {value}");
        client
            .send(wire::message(public, "GET", "/", &[&line], b""))
            .await
            .unwrap();
        let answer = client.response().await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, body),
            "{line}"
        );
        assert_eq!(answer.header("etag"), Some("W/\"v\""));
        let (head, two) = ask(public, request("GET", &[(name, value)])).await;
        assert_eq!(
            (head.status.as_u16(), &two[..]),
            (status, body.as_bytes()),
            "{line}"
        );
    }
    // One is given back while the next request is on its way, so that there may be two or three.
    let connections = upstream.connections();
    assert!(connections < 5, "{connections} for ten requests");
}
