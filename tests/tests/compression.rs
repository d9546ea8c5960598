//! `compression` end to end: what is agreed on, what an answer says of itself then, and streams
//! whose pieces arrive compressed as they come.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use weir_tests::http1::Reader;
use weir_tests::upstream::{Step, http2};
use weir_tests::wire::{self, Connection, Response};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

async fn gateway(upstream: SocketAddr, protocol: &str, policy: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
policies: {{ enforced: [{policy}] }}
upstreams: [{{ name: up, protocol: {protocol}, endpoints: [{{ address: "{upstream}" }}] }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await
}

async fn with(policy: &str, behaviour: Behaviour) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(behaviour).await;
    let gateway = gateway(upstream.addr(), "http1", policy).await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

const PLAIN: &str = "{ kind: compression }";

/// 200 KiB of text, more than any window or buffer on the way.
fn text() -> String {
    (0..10_000)
        .map(|i| format!("{i:05} lines of text\n"))
        .collect()
}

fn decoded(encoding: Option<&str>, bytes: &[u8]) -> String {
    let mut plain = String::new();
    match encoding {
        Some("gzip") => flate2::read::GzDecoder::new(bytes).read_to_string(&mut plain),
        Some("zstd") => zstd::Decoder::new(bytes)
            .unwrap()
            .read_to_string(&mut plain),
        Some("br") => brotli::Decompressor::new(bytes, 4096).read_to_string(&mut plain),
        None => (&mut &bytes[..]).read_to_string(&mut plain),
        Some(other) => panic!("nobody asked for {other}"),
    }
    .unwrap();
    plain
}

async fn get(public: SocketAddr, lines: &[&str]) -> Response {
    wire::request(public, "GET", "/", lines, "").await
}

#[tokio::test]
async fn a_caller_gets_what_it_accepts_and_the_same_text() {
    let lines = ["Content-Type: text/plain"];
    let (upstream, _gateway, public) = with(PLAIN, Behaviour::answer(200, &lines, text())).await;
    let table = [
        ("Accept-Encoding: gzip", Some("gzip")),
        ("Accept-Encoding: br", Some("br")),
        ("Accept-Encoding: zstd", Some("zstd")),
        ("Accept-Encoding: gzip, deflate, br, zstd", Some("zstd")),
        ("Accept-Encoding: gzip, br;q=0.9, zstd;q=0.8", Some("gzip")),
        ("Accept-Encoding: *, zstd;q=0", Some("br")),
        ("Accept-Encoding: gzip;q=0.5, identity;q=0", Some("gzip")),
        ("Accept-Encoding: identity", None),
        ("Accept-Encoding: gzip;q=0", None),
        ("Accept-Encoding: deflate", None),
        ("Accept-Encoding:", None),
        ("X-Other: 1", None),
    ];
    for (line, encoding) in table {
        let answer = get(public, &[line]).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{line}");
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{line}");
        assert!(decoded(encoding, &answer.body) == text(), "{line}");
        let length = encoding.is_none().then(|| text().len().to_string());
        assert_eq!(answer.header("content-length"), length.as_deref(), "{line}");
        assert_eq!(encoding.is_some(), answer.body.len() < text().len() / 3);
        assert_eq!(answer.broken, None);
    }
    // What the caller said is what the upstream may do for it.
    let seen = &upstream.requests()[0];
    assert_eq!(seen.header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn what_was_said_of_the_plain_body_is_not_said_of_the_compressed_one() {
    let lines = [
        "Content-Type: application/problem+json",
        "ETag: \"v1\"",
        "Accept-Ranges: bytes",
        "Vary: Origin",
        "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
        "Digest: sha-256=abc",
        "Content-Digest: sha-256=:abc:",
        "Repr-Digest: sha-256=:abc:",
        "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT",
    ];
    let (_upstream, _gateway, public) = with(PLAIN, Behaviour::answer(404, &lines, text())).await;
    let plain = get(public, &[]).await;
    assert_eq!((plain.status, plain.header("etag")), (404, Some("\"v1\"")));
    assert_eq!(plain.header("accept-ranges"), Some("bytes"));
    assert_eq!(plain.header("repr-digest"), Some("sha-256=:abc:"));
    assert_eq!(plain.header("vary"), Some("Origin, Accept-Encoding"));
    let packed = get(public, &["Accept-Encoding: br"]).await;
    assert_eq!(
        (packed.status, packed.header("etag")),
        (404, Some("W/\"v1\""))
    );
    assert_eq!(packed.header("vary"), Some("Origin, Accept-Encoding"));
    assert_eq!(
        packed.header("last-modified"),
        Some("Tue, 15 Nov 1994 12:45:26 GMT")
    );
    for gone in [
        "content-length",
        "accept-ranges",
        "content-md5",
        "digest",
        "content-digest",
        "repr-digest",
    ] {
        assert_eq!(packed.header(gone), None, "{gone}");
    }
    assert!(decoded(Some("br"), &packed.body) == text());
}

#[tokio::test]
async fn what_may_not_or_need_not_be_compressed_is_left_alone() {
    let (upstream, _gateway, public) = with(PLAIN, Behaviour::echo()).await;
    let kind = "Content-Type: text/plain";
    let long = text();
    for (status, lines, body, vary) in [
        (200, vec!["Content-Type: image/png"], &long[..], None),
        (200, vec![], &long, None),
        (200, vec![kind], &long[..1023], None),
        (200, vec![kind, "Content-Encoding: gzip"], &long, None),
        (200, vec![kind, "Cache-Control: no-transform"], &long, None),
        (200, vec!["Content-Type: application/grpc"], &long, None),
        (
            206,
            vec![kind, "Content-Range: bytes 0-9/100"],
            &long[..10],
            Some("Accept-Encoding"),
        ),
        (200, vec![kind, "Content-Length: 0"], "", None),
    ] {
        let answer = if lines.iter().any(|line| line.starts_with("Content-Length")) {
            let head = format!("HTTP/1.1 {status} OK\r\n{}\r\n\r\n", lines.join("\r\n"));
            Behaviour::steps([Step::Send(head.into_bytes())])
        } else {
            Behaviour::answer(status, &lines, body)
        };
        upstream.set(answer);
        let answer = get(public, &["Accept-Encoding: gzip, br, zstd"]).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, body),
            "{lines:?}"
        );
        assert_eq!(answer.header("vary"), vary, "{lines:?}");
        assert_eq!(
            answer.header("content-length"),
            Some(body.len().to_string().as_str())
        );
    }
    upstream.set(Behaviour::answer(200, &[kind], &long));
    for line in ["Range: bytes=0-99", "Cache-Control: no-transform"] {
        // Another answer would have been compressed, so caches are told.
        let answer = get(public, &["Accept-Encoding: gzip", line]).await;
        assert_eq!(answer.header("content-encoding"), None, "{line}");
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{line}");
        assert!(answer.text() == long, "{line}");
    }
}

#[tokio::test]
async fn a_head_says_what_a_get_would_and_the_connection_stays_in_step() {
    let lines = ["Content-Type: text/plain", "ETag: \"v\""];
    let (upstream, _gateway, public) = with(PLAIN, Behaviour::answer(200, &lines, text())).await;
    let mut connection = Connection::open(public).await;
    let accept = ["Accept-Encoding: gzip"];
    for method in ["HEAD", "GET", "HEAD"] {
        connection
            .send(wire::message(public, method, "/", &accept, b""))
            .await
            .unwrap();
        let answer = connection.response_to(method).await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert_eq!(answer.header("etag"), Some("W/\"v\""));
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.body.is_empty(), method == "HEAD");
    }
    let none = b"HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n\r\n";
    upstream.set(Behaviour::steps([Step::Send(none.to_vec())]));
    connection
        .send(wire::message(public, "GET", "/", &accept, b""))
        .await
        .unwrap();
    let answer = connection.response().await;
    assert_eq!(
        (answer.status, answer.header("content-encoding")),
        (204, None)
    );
    upstream.set(Behaviour::answer(200, &lines, text()));
    connection
        .send(wire::message(public, "GET", "/", &accept, b""))
        .await
        .unwrap();
    let last = connection.response().await;
    assert!(decoded(Some("gzip"), &last.body) == text());
}

/// An upstream that knows its one tag and compares it as RFC 9110, 13.1 has it.
fn tagged() -> Behaviour {
    Behaviour::new(weir_tests::upstream::When::Whole, |request| {
        let holds = |name: &str, tag: &str| {
            let mut values = request.headers.all(name).flat_map(|value| value.split(','));
            values.any(|value| value.trim() == tag)
        };
        let (strong, weak) = ("\"v1\"", "W/\"v1\"");
        let head = if holds("if-none-match", strong) || holds("if-none-match", weak) {
            format!("HTTP/1.1 304 Not Modified\r\nETag: {strong}\r\n\r\n")
        } else if request.header("if-match").is_some() && !holds("if-match", strong) {
            "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n".to_owned()
        } else if request.header("range").is_some()
            && request
                .header("if-range")
                .is_none_or(|tag| tag == strong || !tag.contains('"'))
        {
            format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nETag: {strong}\r\n\
                 Content-Range: bytes 0-1/{}\r\nContent-Length: 2\r\n\r\n00",
                text().len()
            )
        } else {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: {strong}\r\n\
                 Content-Length: {}\r\n\r\n{}",
                text().len(),
                text()
            )
        };
        vec![Step::Send(head.into_bytes())]
    })
}

#[tokio::test]
async fn conditions_hold_for_the_tag_a_caller_got() {
    let (upstream, _gateway, public) = with(PLAIN, tagged()).await;
    let accept = "Accept-Encoding: zstd";
    let first = get(public, &[accept]).await;
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(tag, "W/\"v1\"");
    let same = get(public, &[accept, &format!("If-None-Match: \"a\", {tag}")]).await;
    assert_eq!((same.status, same.header("etag")), (304, Some(&tag[..])));
    assert_eq!(same.header("vary"), Some("Accept-Encoding"));
    assert_eq!(
        (same.header("content-encoding"), same.body.len()),
        (None, 0)
    );
    let plain = get(public, &["If-None-Match: \"v1\""]).await;
    assert_eq!((plain.status, plain.header("etag")), (304, Some("\"v1\"")));
    // A weak tag is good for neither a change nor the rest of a body.
    let change = get(public, &[accept, &format!("If-Match: {tag}")]).await;
    assert_eq!(change.status, 412);
    let rest = [accept, "Range: bytes=0-1", &format!("If-Range: {tag}")];
    let rest = get(public, &rest).await;
    assert_eq!((rest.status, rest.text() == text()), (200, true));
    // The strong one is: it names the plain body, whose parts stay plain.
    let part = get(public, &[accept, "Range: bytes=0-1", "If-Range: \"v1\""]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "00"));
    assert_eq!(part.header("etag"), Some("\"v1\""));
    // A date names either: who has the beginning of a compressed body must not get plain bytes.
    let date = "If-Range: Tue, 15 Nov 1994 12:45:26 GMT";
    let whole = get(public, &[accept, "Range: bytes=0-1", date]).await;
    assert_eq!(
        (whole.status, whole.header("content-encoding")),
        (200, Some("zstd"))
    );
    assert!(decoded(Some("zstd"), &whole.body) == text());
    assert_eq!(upstream.requests().last().unwrap().header("range"), None);
    let part = get(public, &["Range: bytes=0-1", date]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "00"));
}

/// A decoder that is given what has come so far, and what it has made of that.
enum Decoder {
    Gzip(flate2::write::GzDecoder<Vec<u8>>),
    Zstd(zstd::stream::write::Decoder<'static, Vec<u8>>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
}

impl Decoder {
    fn new(encoding: &str) -> Decoder {
        match encoding {
            "gzip" => Decoder::Gzip(flate2::write::GzDecoder::new(Vec::new())),
            "zstd" => Decoder::Zstd(zstd::stream::write::Decoder::new(Vec::new()).unwrap()),
            _ => Decoder::Brotli(Box::new(brotli::DecompressorWriter::new(Vec::new(), 4096))),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> String {
        let made = match self {
            Decoder::Gzip(decoder) => {
                decoder.write_all(bytes).unwrap();
                decoder.flush().unwrap();
                decoder.get_ref()
            }
            Decoder::Zstd(decoder) => {
                decoder.write_all(bytes).unwrap();
                decoder.flush().unwrap();
                decoder.get_ref()
            }
            Decoder::Brotli(decoder) => {
                decoder.write_all(bytes).unwrap();
                decoder.flush().unwrap();
                decoder.get_ref()
            }
        };
        String::from_utf8(made.clone()).unwrap()
    }
}

#[tokio::test]
async fn events_arrive_compressed_one_by_one() {
    // The second event is sent when the first has been read, and not before.
    for encoding in ["gzip", "br", "zstd"] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let gateway = gateway(listener.local_addr().unwrap(), "http1", PLAIN).await;
        let mut client = TcpStream::connect(gateway.addr("public")).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {encoding}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let (mut upstream, _) = wait::for_end("the call", listener.accept()).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        let mut reader = Reader::new(client);
        let mut decoder = Decoder::new(encoding);
        let mut said = String::new();
        for (i, event) in ["data: one\n\n", "data: two\n\n", "data: three\n\n"]
            .iter()
            .enumerate()
        {
            let chunk = format!("{:x}\r\n{event}\r\n", event.len());
            let bytes = if i == 0 {
                format!("{head}{chunk}")
            } else {
                chunk
            };
            upstream.write_all(bytes.as_bytes()).await.unwrap();
            if i == 0 {
                let head = wait::for_end("the head", reader.head())
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(head.fields.get("content-encoding"), Some(encoding));
            }
            said.push_str(event);
            let mut got = String::new();
            while got != said {
                let chunk =
                    wait::for_end(format!("{event:?} in {encoding}"), next_chunks(&mut reader))
                        .await;
                got = decoder.take(&chunk);
            }
        }
    }
}

/// The bytes of the next chunks of a chunked body: all that have come, and at least one.
async fn next_chunks(reader: &mut Reader<TcpStream>) -> Vec<u8> {
    let (mut seen, mut body) = (reader.take(), Vec::new());
    while body.is_empty() || !seen.is_empty() {
        if seen.is_empty() {
            assert!(reader.fill().await.unwrap() > 0, "it ended");
            seen = reader.take();
        }
        let end = seen.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let size = std::str::from_utf8(&seen[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        // What is this short is not cut on its way here.
        body.extend(seen.drain(..end + 2 + size + 2).skip(end + 2).take(size));
    }
    body
}

#[tokio::test]
async fn a_stream_that_breaks_off_does_not_end_cleanly() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
    let steps = [
        Step::Send(format!("{head}3\r\nabc\r\n").into_bytes()),
        Step::Close,
    ];
    let (_upstream, _gateway, public) = with(PLAIN, Behaviour::steps(steps)).await;
    let answer = get(public, &["Accept-Encoding: gzip"]).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert!(answer.broken.is_some());
}

#[tokio::test]
async fn trailers_survive_and_digests_of_the_plain_body_do_not() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let upstream = http2::Upstream::start(http2::Behaviour::Answer {
        status: 200,
        headers: vec![pair("content-type", "text/plain")],
        body: text().into_bytes(),
        trailers: vec![pair("x-sum", "7"), pair("repr-digest", "sha-256=:abc:")],
    })
    .await;
    let gateway = gateway(upstream.addr(), "http2", PLAIN).await;
    let tcp = TcpStream::connect(gateway.addr("public")).await.unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    for (accept, digest) in [("br", false), ("identity", true)] {
        let request = http::Request::builder()
            .uri("http://shop.example.com/")
            .header("accept-encoding", accept)
            .body(())
            .unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        let (head, mut body) = response.await.unwrap().into_parts();
        let mut bytes = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece.unwrap();
            body.flow_control().release_capacity(piece.len()).unwrap();
            bytes.extend_from_slice(&piece);
        }
        let encoding = head
            .headers
            .get("content-encoding")
            .map(|v| v.to_str().unwrap());
        assert!(decoded(encoding, &bytes) == text(), "{accept}");
        assert_eq!(encoding, (!digest).then_some("br"));
        let trailers = body.trailers().await.unwrap().unwrap();
        assert_eq!(trailers["x-sum"], "7");
        assert_eq!(trailers.contains_key("repr-digest"), digest, "{accept}");
    }
}

#[tokio::test]
async fn a_route_takes_the_encodings_lengths_and_types_it_names() {
    let policy = "{ kind: compression, encodings: [{ kind: gzip, level: 1 }, { kind: br }], \
                  min_length: 10, types: [application/pdf, '+cbor'] }";
    let (upstream, _gateway, public) = with(policy, Behaviour::echo()).await;
    let accept = ["Accept-Encoding: zstd, br, gzip"];
    for (kind, body, encoding) in [
        ("application/pdf", "0123456789", Some("gzip")),
        ("application/pdf", "012345678", None),
        ("application/senml+cbor; a=b", "0123456789", Some("gzip")),
        ("text/plain", "0123456789", None),
    ] {
        upstream.set(Behaviour::answer(
            200,
            &[&format!("Content-Type: {kind}")],
            body,
        ));
        let answer = get(public, &accept).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{kind} {body}");
        assert_eq!(decoded(encoding, &answer.body), body);
    }
}
