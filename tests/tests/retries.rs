//! What is tried again, and what never is: a replay must be provably safe.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use weir_telemetry::Code;
use weir_tests::upstream::{Step, When, http2};
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream};

/// A gateway before one upstream with these endpoints, of which `more` is said.
async fn gateway(endpoints: &[SocketAddr], more: &str) -> Gateway {
    let endpoints: Vec<String> = endpoints
        .iter()
        .map(|address| format!(r#"{{ address: "{address}" }}"#))
        .collect();
    let endpoints = endpoints.join(", ");
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{endpoints}], {more} }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await
}

const TWICE: &str = "retries: { max: 2, budget_percent: 100 }";

/// The attempts of the request for that path.
async fn attempts(gateway: &Gateway, path: &str) -> Vec<Value> {
    let line = gateway.wait_for_log(|line| line["url.path"] == path).await;
    line["weir.attempts"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn reasons(attempts: &[Value]) -> Vec<Option<&str>> {
    attempts
        .iter()
        .map(|attempt| attempt["retried"].as_str())
        .collect()
}

/// Two connections' worth of trust: one request that is answered and keeps its connection, and
/// the next on it, which the upstream meets by closing.
fn closes_a_kept_connection() -> [Behaviour; 3] {
    [
        Behaviour::echo(),
        Behaviour::close_before_head(),
        Behaviour::echo(),
    ]
}

#[tokio::test]
async fn a_refused_connection_is_tried_on_another_endpoint_whatever_the_method() {
    let nobody = Upstream::refusing();
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = gateway(&[nobody.addr(), upstream.addr()], TWICE).await;
    for i in 0..4 {
        let path = format!("/{i}");
        let response = wire::request(gateway.addr("public"), "POST", &path, &[], "payload").await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json()["body"], "payload");
    }
    let line = gateway
        .wait_for_log(|line| {
            line["weir.attempts"]
                .as_array()
                .is_some_and(|all| all.len() == 2)
        })
        .await;
    let all = line["weir.attempts"].as_array().unwrap();
    assert_eq!(reasons(all), [Some("not_connected"), None]);
    assert_eq!(all[0]["error"], Code::ConnectionRefused.slug());
    assert_eq!(all[0]["endpoint"], nobody.addr().to_string());
    assert_eq!(all[1]["endpoint"], upstream.addr().to_string());
    assert!(line.get("error.type").is_none(), "{line}");
    let retries = [("weir_upstream", "up"), ("reason", "not_connected")];
    assert!(
        gateway
            .metric("weir_upstream_retries_total", &retries)
            .await
            >= 1.0
    );
}

#[tokio::test]
async fn each_attempt_has_a_span_of_its_own() {
    let upstream = Upstream::sequence([Behaviour::reset_before_head(), Behaviour::echo()]).await;
    let gateway = gateway(&[upstream.addr()], TWICE).await;
    assert_eq!(
        wire::get(gateway.addr("public"), "/spans").await.status,
        200
    );
    let told: Vec<String> = upstream
        .wait_for_requests(2)
        .await
        .iter()
        .map(|request| request.header("traceparent").unwrap().to_owned())
        .collect();
    let all = attempts(&gateway, "/spans").await;
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/spans")
        .await;
    for (attempt, traceparent) in all.iter().zip(&told) {
        let parts: Vec<&str> = traceparent.split('-').collect();
        assert_eq!(line["trace_id"], parts[1]);
        assert_eq!(attempt["span_id"], parts[2]);
    }
    let spans: HashSet<&str> = all
        .iter()
        .filter_map(|attempt| attempt["span_id"].as_str())
        .collect();
    assert_eq!(spans.len(), 2);
    assert_eq!(reasons(&all), [Some("idempotent"), None]);
}

#[tokio::test]
async fn a_post_is_never_replayed() {
    for behaviour in [
        Behaviour::reset_before_head(),
        Behaviour::close_before_head(),
        Behaviour::reset_amid_head(),
        // The head has arrived, the body may have not.
        Behaviour::steps([Step::Reset]).at(When::Head),
    ] {
        let upstream = Upstream::sequence([behaviour, Behaviour::echo()]).await;
        let gateway = gateway(&[upstream.addr()], TWICE).await;
        let response = wire::request(gateway.addr("public"), "POST", "/once", &[], "pay").await;
        assert_eq!(response.status, 502, "{}", response.text());
        assert_eq!(upstream.requests().len(), 1);
        assert_eq!(reasons(&attempts(&gateway, "/once").await), [None]);
    }
}

#[tokio::test]
async fn a_kept_connection_that_closes_under_a_post_fails_it_once() {
    let upstream = Upstream::sequence(closes_a_kept_connection()).await;
    let gateway = gateway(&[upstream.addr()], TWICE).await;
    assert_eq!(
        wire::get(gateway.addr("public"), "/first").await.status,
        200
    );
    let response = wire::request(gateway.addr("public"), "POST", "/once", &[], "pay").await;
    assert_eq!(
        response.header("weir-error"),
        Some(Code::ConnectionTerminated.slug())
    );
    let all = attempts(&gateway, "/once").await;
    assert_eq!(reasons(&all), [None]);
    assert_eq!(all[0]["reused"], true);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_closes_under_a_get_is_replaced() {
    let upstream = Upstream::sequence(closes_a_kept_connection()).await;
    let gateway = gateway(&[upstream.addr()], TWICE).await;
    assert_eq!(
        wire::get(gateway.addr("public"), "/first").await.status,
        200
    );
    let response = wire::get(gateway.addr("public"), "/again").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["connection"], 1);
    let all = attempts(&gateway, "/again").await;
    assert_eq!(reasons(&all), [Some("idempotent"), None]);
    assert_eq!(
        (&all[0]["reused"], &all[1]["reused"]),
        (&true.into(), &false.into())
    );
}

#[tokio::test]
async fn a_put_is_replayed_with_its_whole_body() {
    let upstream = Upstream::sequence([Behaviour::reset_before_head(), Behaviour::echo()]).await;
    let gateway = gateway(&[upstream.addr()], TWICE).await;
    let response = wire::request(gateway.addr("public"), "PUT", "/put", &[], "payload").await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["body"], "payload");
}

#[tokio::test]
async fn a_replayed_body_of_unknown_length_still_ends() {
    // The first piece comes with the head, the end later: only the first attempt hears of it.
    let upstream = Upstream::sequence([Behaviour::reset_before_head(), Behaviour::echo()]).await;
    let gateway = gateway(&[upstream.addr()], TWICE).await;
    let mut connection = Connection::open(gateway.addr("public")).await;
    let head = "PUT /put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7\r\npayload\r\n";
    connection.send(head).await.unwrap();
    weir_tests::wait::until_true("the first piece at the upstream", || {
        upstream
            .requests()
            .first()
            .is_some_and(|request| request.text() == "payload")
    })
    .await;
    connection.send("0\r\n\r\n").await.unwrap();
    let response = connection.response().await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.json()["body"], "payload");
    assert_eq!(
        reasons(&attempts(&gateway, "/put").await),
        [Some("idempotent"), None]
    );
}

#[tokio::test]
async fn a_body_that_was_passed_on_is_not_sent_again() {
    let upstream = Upstream::sequence([Behaviour::reset_before_head(), Behaviour::echo()]).await;
    let gateway = gateway(&[upstream.addr()], TWICE).await;
    let mut connection = Connection::open(gateway.addr("public")).await;
    connection
        .send("PUT /put HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        .await
        .unwrap();
    weir_tests::wait::until_true("the first piece at the upstream", || {
        upstream
            .requests()
            .first()
            .is_some_and(|request| request.text() == "12345")
    })
    .await;
    connection.send("67890").await.unwrap();
    let response = connection.response().await;
    assert_eq!(
        response.header("weir-error"),
        Some(Code::ConnectionTerminated.slug())
    );
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn what_http2_declares_unprocessed_is_replayed_whatever_the_method() {
    for behaviour in [
        http2::Behaviour::Refuse { first: 1 },
        http2::Behaviour::GoAwayUnprocessed { connections: 1 },
    ] {
        let upstream = http2::Upstream::start(behaviour).await;
        let gateway = gateway(&[upstream.addr()], &format!("protocol: http2, {TWICE}")).await;
        let response = wire::request(gateway.addr("public"), "POST", "/post", &[], "pay").await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json()["body"], "pay");
        let all = attempts(&gateway, "/post").await;
        assert_eq!(reasons(&all), [Some("stream_refused"), None]);
        assert_eq!(all[0]["error"], Code::StreamRefused.slug());
    }
}

#[tokio::test]
async fn a_connection_that_says_goaway_is_left_without_a_failure() {
    let upstream = http2::Upstream::start(http2::Behaviour::GoAwayAfter { requests: 1 }).await;
    let gateway = gateway(&[upstream.addr()], "protocol: http2, retries: { max: 0 }").await;
    for _ in 0..5 {
        let response = wire::request(gateway.addr("public"), "POST", "/", &[], "pay").await;
        assert_eq!(response.status, 200, "{}", response.text());
    }
    assert_eq!(upstream.connections(), 5);
}

#[tokio::test]
async fn the_budget_bounds_retries_when_everything_fails() {
    let nobody = Upstream::refusing();
    let more = "retries: { max: 3, budget_percent: 10 }";
    let gateway = gateway(&[nobody.addr()], more).await;
    let requests = 100;
    for _ in 0..requests {
        let response = wire::get(gateway.addr("public"), "/").await;
        assert_eq!(
            response.header("weir-error"),
            Some(Code::ConnectionRefused.slug())
        );
    }
    let retries = gateway.metric("weir_upstream_retries_total", &[]).await;
    // A tenth, and the three that a fresh budget holds.
    assert!(
        (retries - 13.0).abs() < f64::EPSILON,
        "{retries} retries of {requests} requests"
    );
}

#[tokio::test]
async fn without_retries_nothing_is_tried_again() {
    let nobody = Upstream::refusing();
    let gateway = gateway(&[nobody.addr()], "retries: { max: 0 }").await;
    wire::get(gateway.addr("public"), "/one").await;
    assert_eq!(reasons(&attempts(&gateway, "/one").await), [None]);
}

#[tokio::test]
async fn the_total_deadline_stops_retries() {
    let slow = Behaviour::steps([Step::Pause(Duration::from_millis(250)), Step::Reset]);
    let upstream = Upstream::start(slow).await;
    let more = "retries: { max: 10, budget_percent: 100 }, timeouts: { total: 600ms }";
    let gateway = gateway(&[upstream.addr()], more).await;
    let response = wire::get(gateway.addr("public"), "/late").await;
    assert_eq!(
        response.header("weir-error"),
        Some(Code::RequestDeadlineExceeded.slug())
    );
    let all = attempts(&gateway, "/late").await;
    assert!((1..=3).contains(&all.len()), "{all:?}");
    assert_eq!(
        all.last().unwrap()["error"],
        Code::RequestDeadlineExceeded.slug()
    );
    assert!(all.last().unwrap().get("retried").is_none());
}

#[tokio::test]
async fn a_retry_that_nobody_may_make_leaves_the_first_failure_as_the_answer() {
    let nobody = Upstream::refusing();
    let more = "retries: { max: 2, budget_percent: 100 }, \
        breaker: { error_percent: 1, minimum_requests: 1, open_for: 60s }";
    let gateway = gateway(&[nobody.addr()], more).await;
    let response = wire::get(gateway.addr("public"), "/first").await;
    assert_eq!(
        response.header("weir-error"),
        Some(Code::ConnectionRefused.slug())
    );
    assert_eq!(reasons(&attempts(&gateway, "/first").await), [None]);
    let response = wire::get(gateway.addr("public"), "/second").await;
    assert_eq!(
        response.header("weir-error"),
        Some(Code::BreakerOpen.slug())
    );
}
