//! What records take up of quotas, and that no route and no kind of action slips past one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::kafka::Kafka;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

/// A gateway whose records go to `broker`, at most so many bytes of them, and are given up after
/// `delivery`.
async fn gateway(broker: &str, upstream: SocketAddr, limit: u64, delivery: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
upstreams: [{{ name: plain, endpoints: [{{ address: "{upstream}" }}] }}]
providers: [{{ name: mock, dialect: openai, base_url: "http://{upstream}/v1" }}]
models: [{{ name: smart, targets: [{{ provider: mock, model: smart }}] }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{broker}"], delivery_timeout: {delivery} }}]
quotas:
  - {{ name: volume, store: ledger, unit: kafka_bytes, limit: {{ default: {limit} }}, window: {{ kind: fixed, every: month }}, by: [route] }}
  - {{ name: calls, store: ledger, unit: requests, limit: {{ default: 3 }}, window: {{ kind: fixed, every: month }}, by: [route] }}
  - {{ name: models, store: ledger, unit: requests, limit: {{ default: 0 }}, window: {{ kind: fixed, every: month }}, match: {{ models: [smart] }} }}
policies: {{ enforced: [{{ kind: quota, quotas: [volume, calls, models] }}] }}
routes:
  - name: ingest
    matches: [{{ path: {{ template: "/events/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", key: "{{header.x-key}}", headers: {{ kind: "{{header.x-kind}}" }}, max_body: 1KiB, timeout: 40s }}
  - name: several
    matches: [{{ path: {{ template: "/several/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", key: "{{header.x-key}}", headers: {{ kind: "{{header.x-kind}}" }}, batch: {{}}, timeout: 40s }}
  - name: brief
    matches: [{{ path: {{ exact: /brief }} }}]
    publish: {{ cluster: events, topic: brief, timeout: 50ms }}
  - name: forwarded
    matches: [{{ path: {{ exact: /forwarded }} }}]
    forward: {{ backends: [{{ upstream: plain }}] }}
  - name: answered
    matches: [{{ path: {{ exact: /answered }} }}]
    respond: {{ body: yes }}
  - name: redirected
    matches: [{{ path: {{ exact: /redirected }} }}]
    redirect: {{ location: "https://example.com/" }}
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    llm: {{ models: [smart] }}
"#
    ))
    .await
}

async fn post(gateway: &Gateway, path: &str, body: &str) -> Response {
    let headers = ["X-Key: four", "X-Kind: note", "Content-Type: text/plain"];
    wire::request(gateway.addr("public"), "POST", path, &headers, body).await
}

fn refused_by(answer: &Response) -> String {
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::QuotaExhausted.slug())
    );
    answer.json()["quota"]["name"].as_str().unwrap().to_owned()
}

async fn charged(gateway: &Gateway, quota: &str, of: impl Fn(&Value) -> bool) -> Value {
    let line = gateway.wait_for_log(of).await;
    let quotas = line["weir.quotas"].as_array().unwrap();
    let found = quotas.iter().find(|entry| entry["quota"] == *quota);
    found
        .unwrap_or_else(|| panic!("no {quota} in {line}"))
        .clone()
}

/// Key, value, and the header of the route and that of the trace, names and all.
const RECORD: u64 = 4 + 10 + (4 + 4) + (11 + 55);

#[tokio::test]
async fn no_kind_of_route_slips_past_a_quota_that_others_have_to_wait_for() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let nobody = Upstream::refusing();
    let gateway = gateway(&nobody.addr().to_string(), upstream.addr(), 1_000, "1s").await;
    for (path, status) in [
        ("/forwarded", 200),
        ("/answered", 200),
        ("/redirected", 302),
    ] {
        for _ in 0..3 {
            assert_eq!(post(&gateway, path, "").await.status, status, "{path}");
        }
        assert_eq!(
            refused_by(&post(&gateway, path, "").await),
            "calls",
            "{path}"
        );
    }
    // Records that are refused before they are made count as requests.
    for _ in 0..3 {
        let refused = post(&gateway, "/events/no%20topic", "").await;
        assert_eq!(
            refused.header("weir-error"),
            Some(Code::KafkaTopicUnknown.slug())
        );
    }
    assert_eq!(
        refused_by(&post(&gateway, "/events/no%20topic", "").await),
        "calls"
    );
    let chat = json!({ "model": "smart", "messages": [{ "role": "user", "content": "Hi" }] });
    let answer = post(&gateway, "/v1/chat/completions", &chat.to_string()).await;
    assert_eq!(answer.json()["error"]["quota"]["name"], "models");
}

#[tokio::test]
async fn a_record_that_does_not_fit_is_not_made_and_one_not_written_costs_nothing() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let nobody = Upstream::refusing();
    let gateway = gateway(&nobody.addr().to_string(), upstream.addr(), RECORD, "1s").await;
    let refused = post(&gateway, "/events/orders", "12345678901").await;
    assert_eq!(refused_by(&refused), "volume");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains(&format!("needs {} bytes", RECORD + 1)),
        "{detail}"
    );
    assert_eq!(refused.header("retry-after"), None, "waiting cannot help");
    // This one fits, as often as nothing of it is written.
    let unwritten = |line: &Value| line["error.type"] == Code::KafkaUnavailable.slug();
    for turn in 1..=2 {
        let answer = post(&gateway, "/events/orders", "1234567890").await;
        assert_eq!(
            answer.header("weir-error"),
            Some(Code::KafkaUnavailable.slug()),
            "{turn}"
        );
        // An answer may be read a moment before what it held is given back.
        gateway.wait_for_logs(turn, unwritten).await;
    }
    let volume = charged(&gateway, "volume", unwritten).await;
    assert_eq!(
        (&volume["reserved"], &volume["used"]),
        (&json!(RECORD), &json!(0))
    );
}

#[tokio::test]
async fn a_record_whose_fate_nobody_knows_costs_what_was_reserved() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let silent = Upstream::start(Behaviour::deaf()).await;
    let gateway = gateway(&silent.addr().to_string(), upstream.addr(), 1_000, "1s").await;
    wait::until_true("a connection of the producer", || silent.connections() > 0).await;
    let answer = post(&gateway, "/brief", "1234567890").await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::KafkaOutcomeUnknown.slug())
    );
    let unknown = |line: &Value| line["error.type"] == Code::KafkaOutcomeUnknown.slug();
    let volume = charged(&gateway, "volume", unknown).await;
    assert_eq!(volume["used"], volume["reserved"]);
    assert!(volume["used"].as_u64() > Some(10), "{volume}");
    assert_eq!(volume["provenance"], "estimated");
}

#[tokio::test]
async fn a_written_record_costs_its_bytes() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let kafka = Kafka::shared().await;
    kafka.create_topic("metered", 1).await;
    let gateway = gateway(&kafka.bootstrap(), upstream.addr(), 2 * RECORD - 1, "30s").await;
    let answer = post(&gateway, "/events/metered", "1234567890").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let written = |line: &Value| line["weir.route"] == "ingest";
    let volume = charged(&gateway, "volume", written).await;
    assert_eq!(volume["used"], RECORD);
    assert_eq!(volume["provenance"], "counted");
    let record = &kafka.consume("metered", 1).await[0];
    let headers = record.headers.iter().map(|(name, value)| {
        let value = value.as_deref().unwrap_or_default();
        name.len() + value.len()
    });
    let size = record.key.as_ref().unwrap().len() + record.text().len() + headers.sum::<usize>();
    assert_eq!(size as u64, RECORD);
    assert_eq!(
        refused_by(&post(&gateway, "/events/metered", "1234567890").await),
        "volume"
    );
}

async fn several(gateway: &Gateway, topic: &str, body: &str) -> Response {
    let headers = [
        "X-Key: four",
        "X-Kind: note",
        "Content-Type: application/x-ndjson",
    ];
    let (public, path) = (gateway.addr("public"), format!("/several/{topic}"));
    wire::request(public, "POST", &path, &headers, body).await
}

#[tokio::test]
async fn a_batch_costs_the_bytes_of_the_records_that_are_written_and_fits_whole_or_not() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let kafka = Kafka::shared().await;
    kafka.create_topic("metered-batches", 1).await;
    let gateway = gateway(&kafka.bootstrap(), upstream.addr(), 3 * RECORD, "30s").await;
    // One more than there is room for: none of it is written.
    let refused = several(&gateway, "metered-batches", &"1234567890\n".repeat(4)).await;
    assert_eq!(refused_by(&refused), "volume");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    let needs = format!("needs {} bytes", 4 * RECORD);
    assert!(detail.contains(&needs), "{detail}");
    assert_eq!(kafka.count("metered-batches").await, 0);

    // What is no record is not charged.
    let mixed = several(&gateway, "metered-batches", "1234567890\nno\n1234567890").await;
    assert_eq!(mixed.status, 207, "{}", mixed.text());
    let written = |line: &Value| line["http.response.status_code"] == 207;
    let volume = charged(&gateway, "volume", written).await;
    assert_eq!(
        (&volume["used"], &volume["provenance"]),
        (&json!(2 * RECORD), &json!("counted"))
    );
    let whole = several(&gateway, "metered-batches", "1234567890").await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    assert_eq!(kafka.count("metered-batches").await, 3);
}
