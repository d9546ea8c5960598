//! Records that were written by a schema: sent as JSON, given up where they cannot be read, and waited with
//! while their registry is away.

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::registry::Registry;
use weir_tests::upstream::{Behaviour, Received};
use weir_tests::{Gateway, Upstream};

use super::setup::{Setup, no_content};

const BY_REGISTRY: &str = "schema: { kind: registry, registry: main }";

/// A registry's answer: each record is a number.
fn long() -> Behaviour {
    Behaviour::answer(200, &[], r#"{"schema":"\"long\""}"#)
}

/// A record that says that it was written by the schema with this id.
fn by(id: u64, record: &[u8]) -> Vec<u8> {
    let id = u32::try_from(id).unwrap().to_be_bytes();
    [&[0][..], &id, record].concat()
}

async fn write(kafka: &Kafka, topic: &str, values: &[Option<&[u8]>]) {
    let records: Vec<_> = values
        .iter()
        .map(|value| Written {
            key: Some("k"),
            value: *value,
            ..Written::default()
        })
        .collect();
    kafka.write(topic, 0, &records).await;
}

fn values(requests: &[Received]) -> Vec<Value> {
    let sent = requests.iter().map(Received::json);
    sent.map(|record| record["value"].clone()).collect()
}

fn labels<'a>(name: &'a str, value: &'a str) -> [(&'a str, &'a str); 2] {
    [("weir_webhook", "hook"), (name, value)]
}

async fn records(gateway: &Gateway, outcome: &str, wanted: impl Fn(f64) -> bool) {
    let labels = labels("outcome", outcome);
    gateway
        .wait_for_metric("weir_webhook_records_total", &labels, wanted)
        .await;
}

#[tokio::test]
async fn what_a_registrys_schemas_describe_is_sent_as_json() {
    let kafka = Kafka::shared().await;
    let registry = Box::pin(Registry::start()).await;
    let order = r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}"#;
    let avro = registry.register("order-avro", "AVRO", order, &[]).await;
    let object = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["id"]}"#;
    let text = registry.register("order-json", "JSON", object, &[]).await;
    let proto = r#"syntax = "proto3"; message Nothing {} message Order { int64 id = 1; }"#;
    let proto = registry.register("order-proto", "PROTOBUF", proto, &[]);
    let proto = proto.await;

    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "described", 1).await;
    let setup = setup.registry(&registry.url());
    // The second message of its file, and the first field of that.
    let written = [
        by(avro, b"\x0a"),
        by(text, br#"{"id": 6}"#),
        by(proto, b"\x02\x02\x08\x07"),
    ];
    let mut all: Vec<_> = written.iter().map(|value| Some(&**value)).collect();
    all.push(None);
    write(kafka, "described", &all).await;
    let gateway = setup.start(BY_REGISTRY).await;
    let sent = receiver.wait_for_requests(4).await;
    let order = |id: Value| json!({ "id": id });
    assert_eq!(
        values(&sent),
        [
            order(5.into()),
            order(6.into()),
            order("7".into()),
            Value::Null
        ]
    );
    records(&gateway, "delivered", |n| n == 4.0).await;
    // What was asked for that is among the attempts of the first.
    let first = gateway
        .wait_for_log(|line| line["weir.delivery"]["kafka.offset"] == 0)
        .await;
    assert!(
        first.to_string().contains("schema_registry/main"),
        "{first}"
    );
}

#[tokio::test]
async fn what_a_files_schema_describes_is_sent_as_json() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "by-file", 1).await;
    let options = "schema: { kind: avro, file: long.avsc }\n    format: value";
    let builder = Gateway::builder(&setup.yaml(options)).file("config/long.avsc", "\"long\"");
    let gateway = builder.start().await;
    let record = Written {
        value: Some(b"\x54"),
        headers: &[("content-type", b"application/avro")],
        ..Written::default()
    };
    kafka.write("by-file", 0, &[record]).await;
    let sent = receiver.wait_for_requests(1).await.remove(0);
    assert_eq!(sent.text(), "42");
    assert_eq!(sent.header("content-type"), Some("application/json"));
    records(&gateway, "delivered", |n| n == 1.0).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_a_dead_letter_as_it_was_and_the_rest_goes_on() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("unread-dead", 1).await;
    let registry = Upstream::start(long()).await;
    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "unread", 1).await;
    let setup = setup.registry(&registry.url(""));
    let (good, cut) = (by(7, b"\x02"), by(7, b"\xff"));
    write(kafka, "unread", &[Some(b"{}"), Some(&cut), Some(&good)]).await;
    let options = format!("{BY_REGISTRY}\n    dead_letter: {{ topic: unread-dead }}");
    let gateway = setup.start(&options).await;

    let letters = kafka.consume("unread-dead", 2).await;
    let code = Code::KafkaRecordUndecodable.slug();
    for (letter, value, offset) in [(&letters[0], &b"{}"[..], "0"), (&letters[1], &cut, "1")] {
        assert_eq!(letter.value.as_deref(), Some(value));
        assert_eq!(letter.header("weir-error").as_deref(), Some(code));
        assert_eq!(letter.header("weir-attempts").as_deref(), Some("1"));
        assert_eq!(
            letter.header("weir-original-offset").as_deref(),
            Some(offset)
        );
    }
    let why = letters[0].header("weir-error-detail").unwrap();
    assert!(why.contains("it is not in the wire format"), "{why}");
    records(&gateway, "delivered", |n| n == 1.0).await;
    assert_eq!(values(&receiver.requests()), [json!(1)]);
    let line = gateway
        .wait_for_log(|line| line["weir.delivery"]["outcome"] == "dead_letter")
        .await;
    assert_eq!(line["error.type"], code, "{line}");
}

#[tokio::test]
async fn what_cannot_be_read_holds_its_partition_where_there_is_no_dead_letter_topic() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("unreadable-dead", 1).await;
    let registry = Upstream::start(long()).await;
    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "unreadable", 1).await;
    let setup = setup.registry(&registry.url(""));
    let good = by(7, b"\x02");
    write(kafka, "unreadable", &[Some(b"{}"), Some(&good)]).await;
    let options = format!("{BY_REGISTRY}\n    retries: {{ backoff: {{ first: 50ms, max: 1s }} }}");
    let gateway = setup.start(&options).await;
    gateway
        .wait_for_metric(
            "weir_webhook_paused",
            &labels("reason", "undeliverable"),
            |n| n == 1.0,
        )
        .await;
    assert_eq!(receiver.requests().len(), 0);
    // With one, it goes on.
    let options = format!("{options}\n    dead_letter: {{ topic: unreadable-dead }}");
    gateway.reload(&setup.yaml(&options)).await;
    receiver.wait_for_requests(1).await;
    assert_eq!(kafka.consume("unreadable-dead", 1).await[0].text(), "{}");
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_waited_for_and_gives_nothing_up() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("waited-dead", 1).await;
    let registry = Upstream::start(Behaviour::answer(500, &[], "no")).await;
    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "waited", 1).await;
    let setup = setup.registry(&registry.url(""));
    let good = by(9, b"\x04");
    write(kafka, "waited", &[Some(&good)]).await;
    // One try is all a record has.
    let options = format!(
        "{BY_REGISTRY}\n    retries: {{ max_attempts: 1 }}\n    dead_letter: {{ topic: waited-dead }}"
    );
    let gateway = setup.start(&options).await;
    gateway
        .wait_for_metric("weir_webhook_paused", &labels("reason", "schema"), |n| {
            n == 1.0
        })
        .await;
    let shown = gateway.admin("/webhooks").await.json();
    let partition = &shown[0]["partitions"][0];
    let code = Code::SchemaRegistryUnavailable.slug();
    assert!(
        partition["last_error"].as_str().unwrap().contains(code),
        "{shown}"
    );
    records(&gateway, "held", |n| n >= 2.0).await;
    registry.set(long());
    let sent = receiver.wait_for_requests(1).await;
    assert_eq!(values(&sent), [json!(2)]);
    records(&gateway, "delivered", |n| n == 1.0).await;
    for outcome in ["failed", "dead_letter"] {
        records(&gateway, outcome, |n| n == 0.0).await;
    }
    assert_eq!(kafka.count("waited-dead").await, 0);
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_asked_for_again_until_the_tries_are_spent() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("missing-dead", 1).await;
    let registry = Upstream::start(Behaviour::answer(404, &[], "{}")).await;
    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "missing", 1).await;
    let setup = setup.registry(&registry.url(""));
    let first = by(3, b"\x06");
    write(kafka, "missing", &[Some(&first)]).await;
    let options = |tries: u32| {
        format!(
            "{BY_REGISTRY}\n    dead_letter: {{ topic: missing-dead }}\n    \
             retries: {{ max_attempts: {tries}, backoff: {{ first: 50ms, max: 100ms }} }}"
        )
    };
    let gateway = setup.start(&options(100_000)).await;
    records(&gateway, "failed", |n| n >= 2.0).await;
    // Whoever wrote the record registers its schema late.
    registry.set(long());
    let sent = receiver.wait_for_requests(1).await;
    assert_eq!(values(&sent), [json!(3)]);
    // And of another, never.
    registry.set(Behaviour::answer(404, &[], "{}"));
    gateway.reload(&setup.yaml(&options(3))).await;
    let second = by(4, b"\x06");
    write(kafka, "missing", &[Some(&second)]).await;
    let letter = kafka.consume("missing-dead", 1).await.remove(0);
    let code = Code::SchemaUnusable.slug();
    assert_eq!(letter.header("weir-error").as_deref(), Some(code));
    assert_eq!(letter.header("weir-attempts").as_deref(), Some("3"));
    assert_eq!(letter.value, Some(second));
    assert_eq!(receiver.requests().len(), 1);
}
