//! The end of a process: what is announced, what may still finish, what is cut, what is told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;
use weir_tests::child::Kind;
use weir_tests::openai::{Provider, Reply};
use weir_tests::{Behaviour, Gateway, Upstream, wait, wire};

fn yaml(upstream: &Upstream, drain_timeout: &str, more: &str) -> String {
    format!(
        r#"version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: {drain_timeout} }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
{more}
routes:
  - {{ name: r, matches: [{{ path: {{ prefix: /r }} }}], forward: {{ backends: [{{ upstream: up }}] }} }}
  - {{ name: own, matches: [{{ path: {{ exact: /own }} }}], respond: {{ body: own }} }}
"#,
        upstream.addr()
    )
}

fn provider(provider: &Provider) -> String {
    format!(
        r#"providers: [{{ name: p, dialect: openai, base_url: "{}" }}]
models: [{{ name: m, targets: [{{ provider: p, model: m }}] }}]
"#,
        provider.base_url()
    )
}

async fn ask(gateway: &Gateway, target: &str) -> wire::Connection {
    let public = gateway.addr("public");
    let mut connection = wire::Connection::open(public).await;
    connection
        .send(wire::message(public, "GET", target, &[], b""))
        .await
        .unwrap();
    connection
}

/// Waits until the gateway says that it is on its way out.
async fn draining(gateway: &Gateway) {
    wait::until("/readyz to say 503", || async {
        let ready = wire::get(gateway.addr("metrics"), "/readyz").await;
        (ready.status == 503 && ready.json()["status"] == "draining").then_some(())
    })
    .await;
}

/// A body of four bytes, of which two are sent; the rest when the test says so.
async fn half_asked(gateway: &Gateway, upstream: &Upstream) -> wire::Connection {
    let public = gateway.addr("public");
    let seen = upstream.requests().len();
    let mut slow = wire::Connection::open(public).await;
    slow.send(wire::message(
        public,
        "POST",
        "/r",
        &["Content-Length: 4"],
        b"ab",
    ))
    .await
    .unwrap();
    wait::until_true("the request upstream", || upstream.requests().len() > seen).await;
    slow
}

#[tokio::test]
async fn the_end_is_announced_and_what_is_open_may_finish() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&yaml(&upstream, "10m", "")).await;
    let public = gateway.addr("public");
    let mut slow = half_asked(&gateway, &upstream).await;
    let mut idle = ask(&gateway, "/own").await;
    assert!(!idle.response().await.closed);

    gateway.signal(Kind::SIGTERM);
    draining(&gateway).await;
    assert_eq!(gateway.metric("weir_draining", &[]).await, 1.0);
    wait::until("new connections to be refused", || async {
        tokio::net::TcpStream::connect(public)
            .await
            .is_err()
            .then_some(())
    })
    .await;
    // An idle connection is served once more, and told to go.
    idle.send(wire::message(public, "GET", "/own", &[], b""))
        .await
        .unwrap();
    let told = idle.response().await;
    assert_eq!((told.status, told.closed), (200, true));
    assert_eq!(told.header("connection"), Some("close"));

    slow.send("cd").await.unwrap();
    let answer = slow.response().await;
    assert_eq!((answer.status, answer.closed), (200, true));
    assert_eq!(answer.json()["body"], "abcd");
    assert_eq!(gateway.wait_exit().await.code(), Some(0));
    assert_eq!(gateway.access_log().len(), 3);
    assert!(!gateway.dir().join("data/weir.pid").exists());
}

#[tokio::test]
async fn an_http2_connection_gets_goaway_and_its_streams_finish() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&yaml(&upstream, "10m", "")).await;
    let tcp = tokio::net::TcpStream::connect(gateway.addr("public"))
        .await
        .unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    let connection = tokio::spawn(connection);
    let post = http::Request::post("http://a/r").body(()).unwrap();
    let (answer, mut body) = client.send_request(post, false).unwrap();
    body.send_data("ab".into(), false).unwrap();
    wait::until_true("the request upstream", || upstream.requests().len() == 1).await;
    gateway.signal(Kind::SIGTERM);
    wait::for_end("GOAWAY", async {
        while client.clone().ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    body.send_data("cd".into(), true).unwrap();
    let mut answer = answer.await.unwrap().into_body();
    let mut text = Vec::new();
    while let Some(piece) = answer.data().await {
        text.extend(piece.unwrap());
    }
    let text: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(text["body"], "abcd");
    drop((client, body, answer));
    connection.await.unwrap().unwrap();
    assert_eq!(gateway.wait_exit().await.code(), Some(0));
}

#[tokio::test]
async fn streams_beyond_the_deadline_end_in_their_own_dialect_and_never_cleanly() {
    let upstream = Upstream::start(Behaviour::sse(Duration::from_millis(5), None)).await;
    let model =
        Provider::start(Reply::completion(&["a"; 5_000], 1, 1).pause(Duration::from_millis(20)))
            .await;
    let more = provider(&model);
    let config = yaml(&upstream, "1s", &more)
        + "  - { name: llm, matches: [{ path: { prefix: /v1 } }], llm: { models: [m] } }\n";
    let gateway = Gateway::start(&config).await;
    let public = gateway.addr("public");

    let mut events = ask(&gateway, "/r/events").await;
    events.read_until("data: tick").await;
    let body = br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut chat = wire::Connection::open(public).await;
    chat.send(wire::message(
        public,
        "POST",
        "/v1/chat/completions",
        &[],
        body,
    ))
    .await
    .unwrap();
    chat.read_until("data: {").await;
    let tcp = tokio::net::TcpStream::connect(public).await.unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    let connection = tokio::spawn(connection);
    let get = http::Request::get("http://a/r/h2").body(()).unwrap();
    let (stream, _) = client.send_request(get, true).unwrap();
    let mut stream = stream.await.unwrap().into_body();
    // Read as it comes: h2 gives up on a peer whose small frames pile up.
    let broken = tokio::spawn(async move {
        loop {
            match stream.data().await {
                Some(Ok(piece)) => stream.flow_control().release_capacity(piece.len()).unwrap(),
                Some(Err(error)) => return error,
                None => panic!("the stream ended cleanly"),
            }
        }
    });
    upstream.set(Behaviour::hang());
    let mut silent = ask(&gateway, "/r/silent").await;
    upstream.wait_for_requests(3).await;

    gateway.signal(Kind::SIGTERM);
    // A request without an answer gets one.
    let refused = silent.response().await;
    assert_eq!((refused.status, refused.closed), (503, true));
    assert_eq!(refused.header("weir-error"), Some("draining"));
    assert_eq!(refused.json()["code"], "draining");
    // A model's stream says why it ends, and is not terminated all the same.
    let rest = String::from_utf8(chat.read_to_close().await).unwrap();
    let error = rest.rsplit("data: ").next().unwrap();
    assert!(error.contains(r#""code":"draining""#), "{error}");
    assert!(
        !rest.contains("[DONE]") && !rest.ends_with("0\r\n\r\n"),
        "{rest}"
    );
    // Other streams end without their terminator, or with a reset.
    let rest = String::from_utf8(events.read_to_close().await).unwrap();
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
    let broken = wait::for_end("the end of the HTTP/2 stream", broken)
        .await
        .unwrap();
    assert!(broken.is_reset(), "{broken}");
    drop(client);
    // However the connection ended: the stream is what counts.
    let _ = connection.await.unwrap();

    assert_eq!(gateway.wait_exit().await.code(), Some(0));
    let lines = gateway.access_log();
    assert_eq!(lines.len(), 4);
    for line in &lines {
        assert_eq!(line["error.type"], "draining", "{line}");
        let answered = line["url.path"] != "/r/silent";
        assert_eq!(line["weir.aborted"] == true, answered, "{line}");
        assert_eq!(
            line["http.response.status_code"],
            if answered { 200 } else { 503 }
        );
    }
}

#[tokio::test]
async fn told_twice_it_stops_at_once() {
    let upstream = Upstream::start(Behaviour::sse(Duration::from_millis(5), None)).await;
    let gateway = Gateway::start(&yaml(&upstream, "10m", "")).await;
    let mut events = ask(&gateway, "/r").await;
    events.read_until("data: tick").await;
    gateway.signal(Kind::SIGINT);
    draining(&gateway).await;
    events.read_until("data: tick").await;
    gateway.signal(Kind::SIGINT);
    assert_eq!(gateway.wait_exit().await.code(), Some(0));
    gateway.wait_for_printed("told again").await;
    assert_eq!(gateway.access_log()[0]["error.type"], "draining");
}

#[tokio::test]
async fn a_caller_who_does_not_read_does_not_hold_the_process() {
    let flood = "0123456789abcdef".repeat(1 << 12);
    let pieces = vec![flood.as_str(); 1_000];
    let upstream = Upstream::start(Behaviour::slow_body(&pieces, Duration::ZERO)).await;
    let gateway = Gateway::start(&yaml(&upstream, "1s", "")).await;
    let deaf = ask(&gateway, "/r").await;
    upstream.wait_for_requests(1).await;
    gateway.signal(Kind::SIGTERM);
    assert_eq!(gateway.wait_exit().await.code(), Some(0));
    let line = &gateway.access_log()[0];
    assert_eq!(
        (line["error.type"].as_str(), &line["weir.aborted"]),
        (Some("draining"), &true.into())
    );
    drop(deaf);
}
