//! The harness tested on itself: what an upstream is told to do, the raw client sees.

use std::time::Duration;

use weir_tests::http1::Fields;
use weir_tests::upstream::{Behaviour, Step, When};
use weir_tests::wire::{self, Connection};
use weir_tests::{Upstream, wait};

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n";

#[tokio::test]
async fn echo_tells_what_came_and_remembers_it() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let response = wire::request(upstream.addr(), "POST", "/a?b=c", &["X-Tag: 1"], "hello").await;
    assert_eq!((response.status, response.closed), (200, false));
    let echo = response.json();
    assert_eq!(echo["method"], "POST");
    assert_eq!(echo["target"], "/a?b=c");
    assert_eq!(echo["body"], "hello");

    let requests = upstream.wait_for_requests(1).await;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("x-tag"), Some("1"));
    assert!(
        requests[0]
            .raw_head
            .starts_with(b"POST /a?b=c HTTP/1.1\r\nHost: ")
    );
    assert!(requests[0].complete);
}

#[tokio::test]
async fn a_request_in_single_bytes_is_read_whole() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let request = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n";
    let pieces: Vec<[u8; 1]> = request.iter().map(|byte| [*byte]).collect();
    let response = wire::exchange_pieces(upstream.addr(), pieces).await;
    assert_eq!(response.json()["body"], "abcde");
    let trailers = Fields(vec![("X-Sum".to_owned(), "5".to_owned())]);
    assert_eq!(upstream.requests()[0].trailers, trailers);
}

#[tokio::test]
async fn one_connection_serves_a_sequence() {
    let upstream = Upstream::sequence([
        Behaviour::answer(201, &["X-Turn: 1"], "one"),
        Behaviour::trailers("two", &["X-Sum: 3"]),
        Behaviour::interim(103, &["Link: </s>"]),
    ])
    .await;
    let mut connection = Connection::open(upstream.addr()).await;
    let mut responses = Vec::new();
    for _ in 0..3 {
        connection.send(GET).await.unwrap();
        responses.push(connection.response().await);
    }
    assert_eq!(
        (responses[0].status, responses[0].header("x-turn")),
        (201, Some("1"))
    );
    assert_eq!(responses[1].text(), "two");
    assert_eq!(responses[1].trailers.get("x-sum"), Some("3"));
    assert_eq!(
        (responses[2].status, &responses[2].interim[..]),
        (200, &[103][..])
    );
    assert_eq!(upstream.connections(), 1);
    assert_eq!(upstream.open_connections(), 1);
    drop(connection);
    upstream.wait_for_close().await;
}

/// How a connection ends when the upstream behaves like this.
async fn ending(
    behaviour: Behaviour,
) -> (Result<u16, std::io::ErrorKind>, Option<std::io::ErrorKind>) {
    let upstream = Upstream::start(behaviour).await;
    let mut connection = Connection::open(upstream.addr()).await;
    // The upstream may have gone before it reads this.
    let _ = connection.send(GET).await;
    match connection.try_response_to("GET").await {
        Ok(response) => (Ok(response.status), response.broken),
        Err(error) => (Err(error.kind()), None),
    }
}

#[tokio::test]
async fn faults_look_as_they_are_named() {
    use std::io::ErrorKind::{ConnectionReset, InvalidData, UnexpectedEof};
    assert_eq!(
        ending(Behaviour::reset_on_accept()).await,
        (Err(ConnectionReset), None)
    );
    assert_eq!(
        ending(Behaviour::reset_before_head()).await,
        (Err(ConnectionReset), None)
    );
    assert_eq!(
        ending(Behaviour::close_before_head()).await,
        (Err(UnexpectedEof), None)
    );
    assert_eq!(
        ending(Behaviour::reset_amid_head()).await,
        (Err(ConnectionReset), None)
    );
    assert_eq!(
        ending(Behaviour::reset_amid_body()).await,
        (Ok(200), Some(ConnectionReset))
    );
    assert_eq!(
        ending(Behaviour::short_body()).await,
        (Ok(200), Some(UnexpectedEof))
    );
    assert_eq!(
        ending(Behaviour::short_chunks()).await,
        (Ok(200), Some(UnexpectedEof))
    );
    assert_eq!(
        ending(Behaviour::bad_chunk()).await,
        (Ok(200), Some(InvalidData))
    );
    assert_eq!(ending(Behaviour::garbage()).await, (Err(InvalidData), None));
    assert_eq!(
        ending(Behaviour::slow_head(Duration::from_millis(20))).await,
        (Ok(200), None)
    );
}

#[tokio::test]
async fn an_idle_connection_is_closed_though_keep_alive_was_said() {
    let upstream = Upstream::start(Behaviour::close_idle_after(Duration::from_millis(20))).await;
    let mut connection = Connection::open(upstream.addr()).await;
    connection.send(GET).await.unwrap();
    let response = connection.response().await;
    assert_eq!(response.header("connection"), Some("keep-alive"));
    assert!(!response.closed);
    connection.expect_close().await;
}

#[tokio::test]
async fn nobody_answers_at_dead_addresses() {
    let refusing = Upstream::refusing();
    let error = tokio::net::TcpStream::connect(refusing.addr())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);

    let unreachable = Upstream::unreachable().await;
    let connecting = tokio::net::TcpStream::connect(unreachable.addr());
    assert!(
        tokio::time::timeout(Duration::from_millis(200), connecting)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_hanging_upstream_notices_that_its_peer_went() {
    let upstream = Upstream::start(Behaviour::hang()).await;
    let mut connection = Connection::open(upstream.addr()).await;
    connection.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await;
    assert_eq!(upstream.open_connections(), 1);
    connection.reset();
    upstream.wait_for_close().await;
}

#[tokio::test]
async fn a_stopped_upstream_comes_back_at_its_address() {
    let upstream = Upstream::start(Behaviour::hang()).await;
    let address = upstream.addr();
    let mut connection = Connection::open(address).await;
    connection.send(GET).await.unwrap();
    upstream.wait_for_requests(1).await;
    upstream.stop().await;
    connection.expect_close().await;
    let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    let _back = Upstream::start_at(address, Behaviour::echo()).await;
    assert_eq!(wire::get(address, "/").await.status, 200);
}

#[tokio::test]
async fn streams_arrive_as_they_are_sent() {
    let upstream = Upstream::start(Behaviour::sse(Duration::from_millis(5), Some(3))).await;
    let response = wire::get(upstream.addr(), "/").await;
    assert_eq!(response.text(), "data: tick\n\n".repeat(3));
    assert_eq!(response.broken, None);

    upstream.set(Behaviour::endless_chunks(Duration::from_millis(1)));
    let mut connection = Connection::open(upstream.addr()).await;
    connection.send(GET).await.unwrap();
    connection.read_until("0123456789\r\na\r\n0123456789").await;
    drop(connection);
    upstream.wait_for_close().await;

    upstream.set(Behaviour::slow_body(&["a", "b"], Duration::from_millis(5)));
    assert_eq!(wire::get(upstream.addr(), "/").await.text(), "ab");
}

#[tokio::test]
async fn a_behaviour_may_answer_before_the_body() {
    let early = Behaviour::answer(413, &[], "too much").at(When::Head);
    let upstream = Upstream::start(early).await;
    let mut connection = Connection::open(upstream.addr()).await;
    let head = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\n";
    connection.send(head).await.unwrap();
    assert_eq!(connection.response().await.status, 413);
    assert!(!upstream.requests()[0].complete);
    connection.send("body").await.unwrap();
    upstream.wait_for_requests(1).await;
    assert_eq!(upstream.requests()[0].text(), "body");
}

#[tokio::test]
async fn expect_continue_is_answered_before_the_body() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let mut connection = Connection::open(upstream.addr()).await;
    let head = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    connection.send(head).await.unwrap();
    assert_eq!(
        connection.head().await.unwrap().start,
        "HTTP/1.1 100 Continue"
    );
    connection.send("ok").await.unwrap();
    assert_eq!(connection.response().await.json()["body"], "ok");
}

#[tokio::test]
async fn what_is_no_http_is_counted_as_garbage() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let mut connection = Connection::open(upstream.addr()).await;
    connection.send("\x16\x03\x01 hello\r\n\r\n").await.unwrap();
    connection.expect_close().await;
    assert_eq!(upstream.record().garbage(), 1);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_script_can_be_anything() {
    let behaviour = Behaviour::new(When::Whole, |request| match request.target.as_str() {
        "/reset" => vec![Step::Reset],
        _ => vec![Step::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())],
    });
    let upstream = Upstream::start(behaviour).await;
    assert_eq!(wire::get(upstream.addr(), "/").await.status, 204);
    let mut connection = Connection::open(upstream.addr()).await;
    connection
        .send("GET /reset HTTP/1.1\r\nHost: t\r\n\r\n")
        .await
        .unwrap();
    assert!(connection.try_response_to("GET").await.is_err());
}

#[tokio::test]
async fn websocket_messages_are_echoed_and_remembered() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let upstream = Upstream::start(Behaviour::websocket_echo()).await;
    let url = format!("ws://{}/chat", upstream.addr());
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.send(Message::text("hi")).await.unwrap();
    let echo = wait::for_end("the echo", socket.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(echo, Message::text("hi"));
    assert_eq!(upstream.record().messages(), ["hi"]);
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    upstream.wait_for_close().await;
}
