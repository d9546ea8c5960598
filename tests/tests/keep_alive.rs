//! The keep-alive race: an endpoint closes an idle connection as a request is sent on it. It is told as what it
//! is, and the gateway learns to leave connections alone before.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const ENDED: &str = "weir_upstream_idle_connections_ended_total";
const TIMEOUT: &str = "weir_upstream_idle_timeout_seconds";

/// For longer than connections in use are unused.
const IDLE: Duration = Duration::from_millis(150);

async fn gateway(endpoint: SocketAddr) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{endpoint}" }}] }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await
}

async fn post(gateway: &Gateway) -> Response {
    wire::request(gateway.addr("public"), "POST", "/pay", &[], "once").await
}

async fn idle_timeout(gateway: &Gateway) -> Value {
    let upstreams = gateway.admin("/upstreams").await.json();
    upstreams[0]["endpoints"][0]["idle_timeout"].clone()
}

fn ended(by: &str) -> [(&str, &str); 2] {
    [("weir_upstream", "up"), ("by", by)]
}

#[tokio::test]
async fn it_is_named_in_record_explanation_and_metric() {
    let upstream = Upstream::sequence([Behaviour::echo(), Behaviour::close_before_head()]).await;
    let gateway = gateway(upstream.addr()).await;
    assert_eq!(post(&gateway).await.status, 200);
    tokio::time::sleep(IDLE).await;
    let answer = post(&gateway).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.header("weir-error"), Some("connection_terminated"));
    let id = answer.header("x-request-id").expect("each answer has one");
    let story = gateway.admin(&format!("/requests/{id}")).await.json();
    let text = story["explanation"].as_str().expect("it is explained");
    assert!(
        text.contains("a keep-alive race: the endpoint closed it"),
        "{text}"
    );
    let line = gateway
        .wait_for_log(|line| line["http.response.status_code"] == 502)
        .await;
    assert_eq!(
        line["weir.attempts"][0]["keep_alive_race"], "closed",
        "{line}"
    );
    gateway
        .wait_for_metric(ENDED, &ended("race"), |n| n == 1.0)
        .await;
    upstream.set(Behaviour::echo());
    assert_eq!(post(&gateway).await.status, 200);
    upstream.set(Behaviour::reset_before_head());
    tokio::time::sleep(IDLE).await;
    assert_eq!(post(&gateway).await.status, 502);
    gateway
        .wait_for_log(|line| line["weir.attempts"][0]["keep_alive_race"] == "reset")
        .await;
    // A new connection is ended for another reason.
    upstream.set(Behaviour::close_before_head());
    assert_eq!(post(&gateway).await.status, 502);
    gateway
        .wait_for_metric(ENDED, &ended("race"), |n| n == 2.0)
        .await;
}

#[tokio::test]
async fn an_endpoint_that_says_when_it_closes_connections_is_believed() {
    let said = Behaviour::answer(200, &["Keep-Alive: timeout=1, max=100"], "");
    let upstream = Upstream::start(said).await;
    let gateway = gateway(upstream.addr()).await;
    assert_eq!(post(&gateway).await.status, 200);
    let timeout = idle_timeout(&gateway).await;
    assert_eq!(
        timeout,
        serde_json::json!({ "seconds": 1.0, "source": "said" })
    );
    let labels = [("weir_upstream", "up")];
    gateway
        .wait_for_metric(TIMEOUT, &labels, |n| n == 1.0)
        .await;
    for connections in 2..5 {
        // It would be closed after a second.
        tokio::time::sleep(Duration::from_millis(950)).await;
        assert_eq!(post(&gateway).await.status, 200);
        assert_eq!(
            upstream.connections(),
            connections,
            "one that is not about to be closed"
        );
    }
    gateway
        .wait_for_metric(ENDED, &ended("gateway"), |n| n >= 1.0)
        .await;
    // It says so no more.
    upstream.set(Behaviour::echo());
    assert_eq!(post(&gateway).await.status, 200);
    assert_eq!(idle_timeout(&gateway).await, Value::Null);
}

#[tokio::test]
async fn an_endpoint_that_does_not_say_is_watched() {
    let idle = Duration::from_millis(300);
    let upstream = Upstream::start(Behaviour::close_idle_after(idle)).await;
    let gateway = gateway(upstream.addr()).await;
    for times in [1.0, 2.0, 3.0] {
        assert_eq!(idle_timeout(&gateway).await, Value::Null);
        assert_eq!(post(&gateway).await.status, 200);
        gateway
            .wait_for_metric(ENDED, &ended("endpoint"), |n| n == times)
            .await;
    }
    let timeout = wait::until("a timeout to be learnt", || async {
        let timeout = idle_timeout(&gateway).await;
        timeout.is_object().then_some(timeout)
    })
    .await;
    assert_eq!(timeout["source"], "learnt");
    assert!(
        timeout["seconds"].as_f64() < Some(idle.as_secs_f64()),
        "{timeout}"
    );
}
