//! The echo over real sockets, byte by byte where it matters.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

async fn connect() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve::serve(listener, answer));
    TcpStream::connect(address).await.unwrap()
}

/// Sends bytes and reads one answer: its head, and as much body as it announces.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> (String, Vec<u8>) {
    stream.write_all(request).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split_once("content-length: ").unwrap().1;
    let length: usize = length.split_once("\r\n").unwrap().0.parse().unwrap();
    let mut body = vec![
        0;
        if request.starts_with(b"HEAD") {
            0
        } else {
            length
        }
    ];
    stream.read_exact(&mut body).await.unwrap();
    (head, body)
}

async fn echoed(stream: &mut TcpStream, request: &[u8]) -> Value {
    let (head, body) = exchange(stream, request).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn what_was_sent_comes_back_and_the_connection_serves_on() {
    let mut stream = connect().await;
    let get = b"GET /a%20b/c?x=1&y=%C3%A9 HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\n\r\n";
    let seen = echoed(&mut stream, get).await;
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["path"], "/a%20b/c");
    assert_eq!(seen["query"], "x=1&y=%C3%A9");
    assert_eq!(seen["headers"]["host"], "h");
    assert_eq!(seen["headers"]["x-two"], "1, 2");
    assert_eq!(seen["body"], "");

    let put = b"PUT /d HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhi there";
    let seen = echoed(&mut stream, put).await;
    assert_eq!(seen["method"], "PUT");
    assert_eq!(seen["query"], Value::Null);
    assert_eq!(seen["body"], "hi there");
    assert_eq!(seen["body_bytes"], 8);
}

#[tokio::test]
async fn chunks_and_trailers_are_taken_apart() {
    let mut stream = connect().await;
    let chunked = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                    3\r\nhi \r\n5;x=y\r\nthere\r\n0\r\nx-sum: 1\r\n\r\n";
    assert_eq!(echoed(&mut stream, chunked).await["body"], "hi there");
    let next = echoed(&mut stream, b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(next["path"], "/next");
}

#[tokio::test]
async fn what_is_no_text_comes_back_in_base64() {
    let mut stream = connect().await;
    let post =
        b"POST / HTTP/1.1\r\nHost: h\r\nX-Odd: \xff\r\nContent-Length: 3\r\n\r\n\xff\x00\x01";
    let seen = echoed(&mut stream, post).await;
    assert_eq!(seen["body_base64"], "/wAB");
    assert_eq!(seen.get("body"), None);
    assert_eq!(seen["headers"]["x-odd"], "\u{fffd}");
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let mut stream = connect().await;
    exchange(&mut stream, b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let next = echoed(&mut stream, b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(next["path"], "/next");
}

#[tokio::test]
async fn a_body_is_taken_up_to_the_limit() {
    let mut largest = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        serve::MAX_BODY
    );
    largest.push_str(&"a".repeat(serve::MAX_BODY));
    let seen = echoed(&mut connect().await, largest.as_bytes()).await;
    assert_eq!(seen["body_bytes"], serve::MAX_BODY);

    let mut beyond = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        serve::MAX_BODY + 1
    );
    beyond.push_str(&"a".repeat(serve::MAX_BODY + 1));
    let (head, _) = exchange(&mut connect().await, beyond.as_bytes()).await;
    assert!(head.starts_with("http/1.1 413 "), "{head}");
}

#[tokio::test]
async fn broken_framing_is_refused() {
    let mut stream = connect().await;
    let broken = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    let (head, _) = exchange(&mut stream, broken).await;
    assert!(head.starts_with("http/1.1 400 "), "{head}");
}
