//! `publish` without a broker: what is refused before one is asked, and that nothing is promised
//! that no broker said. What a broker says is in `real_kafka.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use weir_telemetry::Code;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const TEXT: &str = "Content-Type: text/plain";

async fn gateway(broker: SocketAddr) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
teams: [{{ name: shop, organisation: acme, owns: {{ paths: [/owned], topics: ["orders.*"] }} }}]
kafka_clusters:
  - {{ name: events, bootstrap_servers: ["{broker}"], delivery_timeout: 1s }}
  - {{ name: tiny, bootstrap_servers: ["{broker}"], delivery_timeout: 60s, properties: {{ queue.buffering.max.messages: 1 }} }}
routes:
  - name: ingest
    matches: [{{ path: {{ template: "/events/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", max_body: 1KiB, timeout: 20s }}
  - name: owned
    team: shop
    matches: [{{ path: {{ template: "/owned/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}" }}
  - name: named
    matches: [{{ path: {{ exact: /named }} }}]
    publish: {{ cluster: events, topic: "{{header.x-topic}}" }}
  - name: short
    matches: [{{ path: {{ exact: /short }} }}]
    publish: {{ cluster: tiny, topic: short, timeout: 50ms }}
  - name: alive
    matches: [{{ path: {{ exact: /alive }} }}]
    respond: {{ body: yes }}
"#
    ))
    .await
}

async fn post(gateway: &Gateway, path: &str, body: &[u8]) -> Response {
    wire::request(gateway.addr("public"), "POST", path, &[TEXT], body).await
}

fn refused(response: &Response, code: Code) {
    assert_eq!(
        response.header("weir-error"),
        Some(code.slug()),
        "{}",
        response.text()
    );
    assert_eq!(response.status, code.status());
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(response.json()["code"], code.slug());
    assert_eq!(
        response.json()["request_id"],
        response.header("x-request-id").unwrap()
    );
    let proxy_status = response.header("proxy-status").unwrap();
    assert!(
        proxy_status.contains(&format!("details=\"{code}\"")),
        "{proxy_status}"
    );
}

#[tokio::test]
async fn what_needs_no_broker_is_refused_without_one() {
    let nobody = Upstream::refusing();
    let gateway = gateway(nobody.addr()).await;
    refused(
        &post(&gateway, "/events/a", &[b'x'; 1025]).await,
        Code::RequestTooLarge,
    );
    let missing = post(&gateway, "/named", b"x").await;
    refused(&missing, Code::RequestBodyInvalid);
    assert!(
        missing.text().contains("header.x-topic"),
        "{}",
        missing.text()
    );
    for path in [
        "/events/no%20topic",
        "/events/a%24b",
        "/owned/other",
        "/owned/orders",
    ] {
        refused(&post(&gateway, path, b"x").await, Code::KafkaTopicUnknown);
    }
}

#[tokio::test]
async fn without_a_broker_a_record_is_not_claimed_to_be_written() {
    let nobody = Upstream::refusing();
    let gateway = gateway(nobody.addr()).await;
    // Queued at first, and certain not to be sent when it is given up.
    let first = post(&gateway, "/events/orders", b"one").await;
    refused(&first, Code::KafkaUnavailable);
    assert_eq!(first.header("retry-after"), Some("1"));
    // By then the cluster is known to be out of reach.
    let second = post(&gateway, "/events/orders", b"two").await;
    refused(&second, Code::KafkaUnavailable);
    assert_eq!(second.header("retry-after"), Some("1"));
    let line = gateway
        .wait_for_log(|line| line["error.type"] == Code::KafkaUnavailable.slug())
        .await;
    assert_eq!(line["weir.action"], "publish");
    assert_eq!(line["messaging"]["destination.name"], "orders");
    assert!(line["messaging"]["kafka.offset"].is_null());
    let labels = [("error_type", Code::KafkaUnavailable.slug())];
    gateway
        .wait_for_metric("weir_errors_total", &labels, |n| n >= 2.0)
        .await;
    let sent = "messaging_client_sent_messages_total";
    gateway.wait_for_metric(sent, &labels, |n| n >= 2.0).await;
    assert!(
        !gateway
            .metrics()
            .await
            .contains("destination_name=\"orders\""),
        "a name from a caller"
    );
}

#[tokio::test]
async fn a_broker_that_says_nothing_leaves_the_outcome_unknown_and_blocks_nobody() {
    let silent = Upstream::start(Behaviour::deaf()).await;
    let gateway = gateway(silent.addr()).await;
    let public = gateway.addr("public");
    wait::until_true("a connection of the producer", || silent.connections() > 0).await;
    let first = post(&gateway, "/short", b"one").await;
    refused(&first, Code::KafkaOutcomeUnknown);
    assert_eq!(
        first.header("retry-after"),
        None,
        "trying again may write it twice"
    );
    let second = post(&gateway, "/short", b"two").await;
    refused(&second, Code::KafkaQueueFull);
    assert_eq!(second.header("retry-after"), Some("1"));
    let waiting =
        tokio::spawn(
            async move { wire::request(public, "POST", "/events/orders", &[TEXT], "x").await },
        );
    for _ in 0..20 {
        assert_eq!(wire::get(public, "/alive").await.text(), "yes");
    }
    let given_up = waiting.await.unwrap();
    assert_ne!(given_up.status, 200, "{}", given_up.text());
}
