//! REST, over each version of HTTP.

use h2::client;
use http::Request;
use tokio::net::TcpStream;
use weir_tests::otlp::{Kind, StatusCode};
use weir_tests::upstream::http2;
use weir_tests::{Behaviour, Upstream, wire};

use super::{Scene, TRACEPARENT, told};

fn forward(upstream: &str, more: &str) -> String {
    format!(
        "upstreams: [{{ name: up, endpoints: [{{ address: \"{upstream}\" }}] {more} }}]\n\
         routes:\n  - name: all\n    matches: [{{ path: {{ prefix: /shop }} }}]\n    \
         forward: {{ backends: [{{ upstream: up }}], rewrite: {{ path: {{ strip_prefix: /shop }} }} }}"
    )
}

fn header() -> String {
    format!("traceparent: {TRACEPARENT}")
}

#[tokio::test]
async fn rest_over_http1() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let scene = Scene::start(&forward(&upstream.addr().to_string(), "")).await;
    let target = "/shop/orders?token=not-to-be-shown";
    let answer = wire::request(scene.public(), "GET", target, &[&header()], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let spans = scene.spans(&[Kind::Server, Kind::Client]).await;
    let [server, client] = &spans[..] else {
        unreachable!()
    };
    assert_eq!(server.name, "GET /shop");
    assert_eq!(server.attribute("url.path"), "/shop/orders");
    // That there was a query is known; what it said is not kept.
    assert_eq!(server.attribute("url.query"), "REDACTED");
    assert_eq!(server.attribute("network.protocol.version"), "1.1");
    assert_eq!(client.name, "GET");
    let url = format!("http://{}/orders", upstream.addr());
    assert_eq!(client.attribute("url.full"), &*url);
    let sent = &upstream.requests()[0];
    assert_eq!(sent.header("traceparent"), Some(&*told(client)));
}

#[tokio::test]
async fn what_nobody_registered_as_a_method_is_told_apart() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let scene = Scene::start(&forward(&upstream.addr().to_string(), "")).await;
    let answer = wire::request(scene.public(), "BREW", "/shop", &[&header()], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for span in scene.spans(&[Kind::Server, Kind::Client]).await {
        assert_eq!(span.attribute("http.request.method"), "_OTHER");
        assert_eq!(span.attribute("http.request.method_original"), "BREW");
    }
}

#[tokio::test]
async fn an_attempt_that_failed_is_an_error_and_so_is_its_request() {
    let upstream = Upstream::start(Behaviour::close_before_head()).await;
    let more = ", retries: { max: 1, budget_percent: 100 }";
    let scene = Scene::start(&forward(&upstream.addr().to_string(), more)).await;
    let answer = wire::request(scene.public(), "GET", "/shop", &[&header()], "").await;
    assert_eq!(answer.status, 502);
    let spans = scene
        .spans(&[Kind::Server, Kind::Client, Kind::Client])
        .await;
    for span in &spans {
        assert_eq!(span.status, StatusCode::Error);
        assert_eq!(span.attribute("error.type"), "connection_terminated");
    }
    assert_eq!(spans[2].attribute("http.request.resend_count"), 1);
}

#[tokio::test]
async fn rest_over_http2_on_both_sides() {
    let upstream = http2::Upstream::start(http2::Behaviour::Echo).await;
    let scene = Scene::start(&forward(&upstream.addr().to_string(), ", protocol: http2")).await;
    let tcp = TcpStream::connect(scene.public()).await.unwrap();
    let (mut client, connection) = client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://shop.example.com/shop").header("traceparent", TRACEPARENT);
    let (answer, _) = client
        .send_request(request.body(()).unwrap(), true)
        .unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    let spans = scene.spans(&[Kind::Server, Kind::Client]).await;
    assert_eq!(spans[0].attribute("network.protocol.version"), "2");
    assert_eq!(spans[0].attribute("server.address"), "shop.example.com");
}
