//! `publish` on a real Kafka: what is acknowledged is there, and what is not is never said to be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use futures_util::future::join_all;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use weir_telemetry::Code;
use weir_tests::kafka::{Kafka, Record};
use weir_tests::otlp::{Collector, Kind};
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, wait};

async fn gateway(kafka: &Kafka, collector: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }}{collector} }}
teams: [{{ name: shop, organisation: acme, owns: {{ paths: [/owned], topics: ["orders.*"] }} }}]
kafka_clusters:
  - {{ name: events, bootstrap_servers: ["{0}"], delivery_timeout: 20s, properties: {{ message.max.bytes: 4000000 }} }}
  - {{ name: tiny, bootstrap_servers: ["{0}"], properties: {{ queue.buffering.max.messages: 1 }} }}
routes:
  - name: ingest
    matches: [{{ path: {{ template: "/events/{{topic}}" }} }}]
    publish:
      cluster: events
      topic: "{{path.topic}}"
      key: "{{header.x-key}}"
      headers: {{ content-type: "{{header.content-type}}" }}
      max_body: 8MiB
  - name: brief
    matches: [{{ path: {{ template: "/brief/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", timeout: 1s }}
  - name: tiny
    matches: [{{ path: {{ template: "/tiny/{{topic}}" }} }}]
    publish: {{ cluster: tiny, topic: "{{path.topic}}", timeout: 1s }}
  - name: owned
    team: shop
    matches: [{{ path: {{ template: "/owned/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}" }}
  - name: alive
    matches: [{{ path: {{ exact: /alive }} }}]
    respond: {{ body: yes }}
"#,
        kafka.bootstrap()
    ))
    .await
}

async fn post(gateway: &Gateway, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Response {
    wire::request(gateway.addr("public"), "POST", path, headers, body).await
}

fn code(response: &Response) -> &str {
    response.header("weir-error").unwrap_or("none")
}

fn place(response: &Response) -> (i64, i64) {
    assert_eq!(response.status, 200, "{}", response.text());
    let said = response.json();
    (
        said["partition"].as_i64().unwrap(),
        said["offset"].as_i64().unwrap(),
    )
}

fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(Record::text).collect()
}

#[tokio::test]
async fn what_is_acknowledged_is_there_with_key_headers_and_trace() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("plain", 3).await;
    let collector = Collector::start().await;
    let otlp = format!(
        ", otlp: {{ endpoint: \"{}\", sample_ratio: 1.0 }}",
        collector.endpoint()
    );
    let gateway = gateway(kafka, &otlp).await;
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("traceparent: 00-{trace_id}-b7ad6b7169203331-01");
    let headers = [
        "X-Key: k1",
        "Content-Type: application/json",
        &parent,
        "tracestate: vendor=1",
    ];
    let value = b"\x00\xff{\"paid\":true}\r\n";
    let answer = post(&gateway, "/events/plain", &headers, value).await;
    let (partition, offset) = place(&answer);
    assert_eq!(answer.json()["topic"], "plain");

    let record = &kafka.consume("plain", 1).await[0];
    assert_eq!(
        (i64::from(record.partition), record.offset),
        (partition, offset)
    );
    assert_eq!(record.value.as_deref(), Some(&value[..]));
    assert_eq!(record.key.as_deref(), Some(&b"k1"[..]));
    assert_eq!(
        record.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(record.header("tracestate").as_deref(), Some("vendor=1"));
    let producer = collector.wait_for(|span| span.kind == Kind::Producer).await;
    assert_eq!(producer.trace_id, trace_id);
    let traceparent = format!("00-{trace_id}-{}-01", producer.span_id);
    assert_eq!(record.header("traceparent"), Some(traceparent));
    let server = collector.wait_for(|span| span.kind == Kind::Server).await;
    assert_eq!(producer.parent_span_id, server.span_id);
    assert_eq!(producer.attribute("messaging.destination.name"), "plain");

    let line = gateway
        .wait_for_log(|line| line["weir.action"] == "publish")
        .await;
    assert_eq!(line["messaging"]["kafka.offset"], offset);
    let labels = [("messaging_destination_name", "plain"), ("error_type", "")];
    let sent = "messaging_client_sent_messages_total";
    gateway.wait_for_metric(sent, &labels, |n| n >= 1.0).await;

    // An empty key is none.
    place(&post(&gateway, "/events/plain", &["X-Key:"], "no key").await);
    let records = kafka.consume("plain", 2).await;
    let unkeyed = records
        .iter()
        .find(|record| record.text() == "no key")
        .unwrap();
    assert_eq!(unkeyed.key, None);
}

#[tokio::test]
async fn concurrent_records_each_have_a_place_of_their_own() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("many", 2).await;
    let gateway = gateway(kafka, "").await;
    let calls = (0..200).map(|n| {
        let gateway = &gateway;
        async move { place(&post(gateway, "/events/many", &[], format!("record {n}")).await) }
    });
    let places: HashSet<_> = join_all(calls).await.into_iter().collect();
    assert_eq!(places.len(), 200);
    let values: HashSet<_> = texts(&kafka.consume("many", 200).await)
        .into_iter()
        .collect();
    assert_eq!(values.len(), 200);
    assert_eq!(kafka.count("many").await, 200);
}

#[tokio::test]
async fn a_team_publishes_to_its_own_topics_only() {
    let kafka = Kafka::shared().await;
    for topic in ["orders.paid", "others"] {
        kafka.create_topic(topic, 1).await;
    }
    let gateway = gateway(kafka, "").await;
    place(&post(&gateway, "/owned/orders.paid", &[], "mine").await);
    let refused = post(&gateway, "/owned/others", &[], "theirs").await;
    assert_eq!(
        (refused.status, code(&refused)),
        (404, Code::KafkaTopicUnknown.slug())
    );
    assert_eq!(kafka.count("others").await, 0);
}

#[tokio::test]
async fn a_topic_or_a_record_the_broker_refuses_is_named() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("sized", 1).await;
    let gateway = gateway(kafka, "").await;
    let unknown = post(&gateway, "/events/nowhere", &[], "x").await;
    assert_eq!(
        (unknown.status, code(&unknown)),
        (404, Code::KafkaTopicUnknown.slug())
    );
    assert!(
        !gateway
            .metrics()
            .await
            .contains("destination_name=\"nowhere\"")
    );
    // Beyond what the client sends at all, and beyond what the broker takes (1 MiB).
    for size in [5_000_000, 2_000_000] {
        let large = post(&gateway, "/events/sized", &[], vec![b'x'; size]).await;
        assert_eq!(
            (large.status, code(&large)),
            (413, Code::KafkaRecordTooLarge.slug()),
            "{size}"
        );
    }
    place(&post(&gateway, "/events/sized", &[], "small").await);
    assert_eq!(kafka.count("sized").await, 1);
}

#[tokio::test]
async fn a_record_the_broker_rejects_is_named() {
    let kafka = Kafka::shared().await;
    let compacted =
        NewTopic::new("compacted", 1, TopicReplication::Fixed(1)).set("cleanup.policy", "compact");
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .create()
        .unwrap();
    let options = AdminOptions::new();
    admin.create_topics([&compacted], &options).await.unwrap()[0]
        .clone()
        .unwrap();
    let gateway = gateway(kafka, "").await;
    // What is to be compacted needs a key to be compacted by.
    let rejected = post(&gateway, "/events/compacted", &[], "no key").await;
    assert_eq!(
        (rejected.status, code(&rejected)),
        (502, Code::KafkaRecordRejected.slug())
    );
    place(&post(&gateway, "/events/compacted", &["X-Key: k"], "keyed").await);
    assert_eq!(kafka.count("compacted").await, 1);
}

#[tokio::test]
async fn a_paused_broker_leaves_the_outcome_unknown_and_blocks_nobody() {
    let kafka = Kafka::start().await;
    kafka.create_topic("paused", 1).await;
    let gateway = gateway(&kafka, "").await;
    let public = gateway.addr("public");
    for path in ["/brief/paused", "/tiny/paused"] {
        wait::until(format!("a connected producer for {path}"), || async {
            (post(&gateway, path, &[], "before").await.status == 200).then_some(())
        })
        .await;
    }
    kafka.pause();
    let waiting = ["/brief/paused", "/brief/paused", "/tiny/paused"]
        .map(|path| tokio::spawn(wire::request(public, "POST", path, &[], "while")));
    for _ in 0..20 {
        assert_eq!(wire::get(public, "/alive").await.text(), "yes");
    }
    for answer in waiting {
        let answer = answer.await.unwrap();
        assert_eq!(
            (answer.status, code(&answer)),
            (504, Code::KafkaOutcomeUnknown.slug())
        );
        assert_eq!(answer.header("retry-after"), None);
    }
    let full = post(&gateway, "/tiny/paused", &[], "one more").await;
    assert_eq!(
        (full.status, code(&full)),
        (503, Code::KafkaQueueFull.slug())
    );
    let tiny = [("weir_kafka_cluster", "tiny")];
    let ratio = "weir_kafka_producer_queue_ratio";
    gateway
        .wait_for_metric(ratio, &tiny, |full| full == 1.0)
        .await;
    kafka.resume();
    wait::until("records to pass again", || async {
        (post(&gateway, "/tiny/paused", &[], "after").await.status == 200).then_some(())
    })
    .await;
    gateway
        .wait_for_metric(ratio, &tiny, |full| full == 0.0)
        .await;
    for state in ["queued", "in_flight"] {
        let of = [tiny[0], ("state", state)];
        let records = "weir_kafka_producer_records";
        gateway
            .wait_for_metric(records, &of, |held| held == 0.0)
            .await;
    }
    // Each of those of unknown outcome was written once, as it may have been.
    wait::until("the queued records", || async {
        let count = kafka.count("paused").await.unsigned_abs() as usize;
        let texts = texts(&kafka.consume("paused", count).await);
        assert!(!texts.contains(&"one more".to_owned()), "it was refused");
        (texts.iter().filter(|text| *text == "while").count() == 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stopped_broker_is_unavailable_and_what_was_refused_is_not_there() {
    let mut kafka = Kafka::start().await;
    kafka.create_topic("stopped", 1).await;
    let gateway = gateway(&kafka, "").await;
    place(&post(&gateway, "/events/stopped", &[], "before").await);
    kafka.stop().await;
    let mut refused = Vec::new();
    let (gateway, log) = (&gateway, &mut refused);
    for n in 0.. {
        let value = format!("value {n}");
        let answer = post(gateway, "/brief/stopped", &[], &value).await;
        assert!(matches!(answer.status, 503 | 504), "{}", answer.text());
        if code(&answer) == Code::KafkaUnavailable.slug() {
            assert_eq!(answer.header("retry-after"), Some("1"));
            log.push(value);
        }
        if log.len() == 5 {
            break;
        }
    }
    kafka.restart().await;
    wait::until("the producer to find the broker again", || async {
        (post(gateway, "/brief/stopped", &[], "after").await.status == 200).then_some(())
    })
    .await;
    let count = kafka.count("stopped").await.unsigned_abs() as usize;
    let written = texts(&kafka.consume("stopped", count).await);
    assert!(
        refused.iter().all(|value| !written.contains(value)),
        "{refused:?} in {written:?}"
    );
    assert!(written.contains(&"before".to_owned()));
}
