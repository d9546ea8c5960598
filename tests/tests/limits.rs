//! Limits end to end: connections per listener, streams per connection, bytes per body.

use std::net::SocketAddr;

use h2::Reason;
use http::Request;
use tokio::net::TcpStream;
use weir_telemetry::Code;
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream};

async fn start(
    behaviour: Behaviour,
    listener: &str,
    policies: &str,
) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(behaviour).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", {listener} }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes: [{{ name: all, policies: [{policies}], forward: {{ backends: [{{ upstream: up }}] }} }}]
"#,
        upstream.addr()
    ))
    .await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_room_is_made_when_one_leaves() {
    let (_upstream, gateway, public) =
        start(Behaviour::echo(), "limits: { max_connections: 2 }", "").await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::open(public).await;
        connection.send(GET).await.unwrap();
        assert_eq!(connection.response().await.status, 200);
        held.push(connection);
    }
    let code = Code::ConnectionLimit;
    let refused = wire::exchange(public, GET).await;
    assert_eq!(
        (refused.status, refused.header("weir-error")),
        (503, Some(code.slug()))
    );
    assert_eq!(
        (refused.json()["code"].as_str(), refused.closed),
        (Some(code.slug()), true)
    );
    let line = gateway
        .wait_for_log(|line| line["error.type"] == code.slug())
        .await;
    assert_eq!(line["request_id"], refused.json()["request_id"]);
    let labels = [("listener", "public"), ("error_type", code.slug())];
    gateway
        .wait_for_metric("weir_requests_refused_total", &labels, |n| n >= 1.0)
        .await;
    // Those that are in go on.
    held[0].send(GET).await.unwrap();
    assert_eq!(held[0].response().await.status, 200);

    held.pop();
    gateway
        .wait_for_metric("weir_connections_active", &[("listener", "public")], |n| {
            n < 1.5
        })
        .await;
    assert_eq!(wire::get(public, "/").await.status, 200);
}

#[tokio::test]
async fn a_body_declared_too_large_is_refused_before_it_is_sent() {
    let policy = "{ kind: request_size, max: 1KiB }";
    let (upstream, gateway, public) = start(Behaviour::echo(), "", policy).await;
    let code = Code::RequestTooLarge;
    let head =
        "POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\nExpect: 100-continue\r\n\r\n";
    let refused = wire::exchange(public, head).await;
    assert_eq!(
        (refused.status, refused.header("weir-error")),
        (413, Some(code.slug()))
    );
    assert_eq!((refused.interim, refused.closed), (vec![], true));
    let line = gateway
        .wait_for_log(|line| line["error.type"] == code.slug())
        .await;
    assert_eq!(
        (&line["weir.route"], &line["http.request.body.size"]),
        (&"all".into(), &0.into())
    );
    let labels = [
        ("weir_route", "all"),
        ("error_type", code.slug()),
        ("fault", "client"),
    ];
    gateway
        .wait_for_metric("weir_errors_total", &labels, |n| n >= 1.0)
        .await;
    assert!(upstream.requests().is_empty());
    // The answer survives although the caller sends its body all the same.
    let sent = wire::request(public, "POST", "/", &[], vec![b'x'; 4 << 20]).await;
    assert_eq!((sent.status, sent.closed), (413, true));
    // As many as are allowed pass.
    assert_eq!(
        wire::request(public, "POST", "/", &[], vec![b'x'; 1024])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_cut_off_and_never_complete_upstream() {
    let policy = "{ kind: request_size, max: 1KiB }";
    let (upstream, _gateway, public) = start(Behaviour::echo(), "", policy).await;
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    let head = "POST /grown HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in [3, 1000] {
        let mut pieces = vec![head.to_owned()];
        pieces.extend(std::iter::repeat_n(chunk.clone(), chunks));
        pieces.push("0\r\n\r\n".to_owned());
        let refused = wire::exchange_pieces(public, pieces).await;
        let code = Code::RequestTooLarge;
        assert_eq!(
            (refused.status, refused.header("weir-error")),
            (413, Some(code.slug()))
        );
        assert!(refused.closed);
    }
    let whole = format!("{head}{chunk}{chunk}0\r\n\r\n");
    assert_eq!(wire::exchange(public, whole).await.status, 200);
    upstream.wait_for_requests(1).await;
    assert_eq!(
        upstream
            .requests()
            .iter()
            .filter(|request| request.complete)
            .count(),
        1
    );
}

#[tokio::test]
async fn a_stream_too_many_is_refused_and_may_be_tried_again() {
    let (upstream, _gateway, public) = start(
        Behaviour::hang(),
        "http2: { max_concurrent_streams: 2 }",
        "",
    )
    .await;
    let tcp = TcpStream::connect(public).await.unwrap();
    // A caller that does not wait to be told how many streams it may open.
    let (mut client, connection) = h2::client::Builder::new()
        .initial_max_send_streams(10)
        .handshake::<_, bytes::Bytes>(tcp)
        .await
        .unwrap();
    let request = || Request::get("http://a/").body(()).unwrap();
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(client.send_request(request(), true).unwrap().0);
    }
    tokio::spawn(connection);
    let refused = answers.pop().unwrap().await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::REFUSED_STREAM));
    upstream.wait_for_requests(2).await;
    upstream.set(Behaviour::answer(200, &[], "x"));
    drop(answers);
    let mut client = client.ready().await.unwrap();
    let again = client
        .send_request(request(), true)
        .unwrap()
        .0
        .await
        .unwrap();
    assert_eq!(again.status(), 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let (_upstream, gateway, public) =
        start(Behaviour::echo(), "limits: { idle_timeout: 1s }", "").await;
    let mut silent = Connection::open(public).await;
    silent.expect_close().await;
    let mut idle = Connection::open(public).await;
    idle.send(GET).await.unwrap();
    assert_eq!(idle.response().await.status, 200);
    idle.expect_close().await;
    assert!(
        gateway
            .access_log()
            .iter()
            .all(|line| line["error.type"].is_null())
    );
}

#[tokio::test]
async fn a_body_that_stops_coming_is_timed_out() {
    let (upstream, gateway, public) =
        start(Behaviour::echo(), "limits: { idle_timeout: 1s }", "").await;
    let mut connection = Connection::open(public).await;
    connection
        .send("POST /stops HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        .await
        .unwrap();
    let answer = connection.response().await;
    let code = Code::RequestBodyTimeout;
    assert_eq!(
        (answer.status, answer.header("weir-error")),
        (408, Some(code.slug()))
    );
    assert!(answer.closed);
    gateway
        .wait_for_log(|line| line["error.type"] == code.slug())
        .await;
    upstream.wait_for_close().await;
    assert!(upstream.requests().iter().all(|request| !request.complete));
}
