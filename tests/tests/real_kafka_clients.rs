//! What was published, as the clients read it that people have: kcat, Confluent's for Python, and the SDK of
//! CloudEvents.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::{Value, json};
use weir_tests::kafka::Kafka;
use weir_tests::publishing::{JSON, accepted, gateway, post};
use weir_tests::python;

/// Prints each record of a topic as a line of JSON; what its event is, if it is one.
const READER: &str = r#"
import json, os
from cloudevents.core.bindings import kafka
from confluent_kafka import Consumer, KafkaError, TopicPartition

consumer = Consumer({"bootstrap.servers": os.environ["KAFKA"], "group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True})
consumer.assign([TopicPartition(os.environ["TOPIC"], 0, 0)])
while True:
    record = consumer.poll(60)
    assert record is not None
    if record.error():
        assert record.error().code() == KafkaError._PARTITION_EOF, record.error()
        break
    headers = dict(record.headers() or [])
    said = {
        "key": record.key().decode() if record.key() is not None else None,
        "value": record.value().decode() if record.value() is not None else None,
        "timestamp": record.timestamp()[1],
        "headers": {name: value.decode() for name, value in headers.items() if name != "traceparent"},
    }
    media_type = headers.get("content-type", b"")
    if "ce_id" in headers or media_type.startswith(b"application/cloudevents"):
        event = kafka.from_kafka_event(kafka.KafkaMessage(headers=headers, key=record.key(), value=record.value()))
        attributes = {name: str(value) for name, value in event.get_attributes().items()}
        said["event"] = {"attributes": attributes, "data": event.get_data()}
    print(json.dumps(said))
consumer.close()
"#;

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// All of a topic, as Confluent's client reads it.
fn by_confluent(kafka: &Kafka, topic: &str) -> Vec<Value> {
    let environment = [("KAFKA", &*kafka.bootstrap()), ("TOPIC", topic)];
    let output = python::run(READER, &environment);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    lines(&output.stdout)
}

/// The same, as kcat does.
fn by_kcat(kafka: &Kafka, topic: &str) -> Vec<Value> {
    let broker = kafka.bootstrap();
    let output = Command::new("kcat")
        .args([
            "-C",
            "-b",
            &broker,
            "-t",
            topic,
            "-o",
            "beginning",
            "-e",
            "-q",
            "-J",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    lines(&text)
}

/// The headers of a line of kcat, which gives them one after the other.
fn headers(line: &Value) -> Value {
    let all: Vec<&str> = line["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    let named = all
        .chunks(2)
        .filter(|pair| pair[0] != "traceparent")
        .map(|pair| (pair[0].to_owned(), json!(pair[1])));
    Value::Object(named.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn kcat_and_confluents_client_read_key_value_time_and_headers() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("clients", 1).await;
    let publish = r#"topic: clients, key: "{header.x-key}", timestamp: "{body./at}", headers: { tenant: "{consumer}", order: "{body./order/id}" }, batch: {}"#;
    let gateway = gateway(kafka, &[("clients", publish)]).await;
    let body = |id: u64| {
        format!(
            r#"{{"at": {}, "order": {{"id": {id}}}}}"#,
            1_700_000_000_000 + id
        )
    };
    let fields = [JSON, "X-Key: café"];
    accepted(&post(&gateway, "/clients", &fields, body(1)).await);
    let batch = format!("[{},{}]", body(2), body(3));
    let answer = post(&gateway, "/clients", &fields, batch).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (confluent, kcat) =
        tokio::task::block_in_place(|| (by_confluent(kafka, "clients"), by_kcat(kafka, "clients")));
    for (index, (confluent, kcat)) in confluent.iter().zip(&kcat).enumerate() {
        let id = index as u64 + 1;
        let expected = json!({ "tenant": "checkout", "order": id.to_string() });
        assert_eq!(confluent["headers"], expected);
        assert_eq!(headers(kcat), expected);
        assert_eq!(
            (&confluent["key"], &kcat["key"]),
            (&json!("café"), &json!("café"))
        );
        let time = json!(1_700_000_000_000 + id);
        assert_eq!((&confluent["timestamp"], &kcat["ts"]), (&time, &time));
        assert_eq!(confluent["value"], kcat["payload"]);
        let value: Value = serde_json::from_str(kcat["payload"].as_str().unwrap()).unwrap();
        assert_eq!(value["order"]["id"], id);
    }
    assert_eq!((confluent.len(), kcat.len()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_of_cloud_events_finds_the_events_in_records() {
    let kafka = Kafka::shared().await;
    let routes = [
        ("binary", "topic: sdk.binary, cloud_events: {}"),
        (
            "structured",
            "topic: sdk.structured, cloud_events: { mode: structured }",
        ),
        ("batch", "topic: sdk.batch, cloud_events: {}, batch: {}"),
    ];
    for (name, _) in routes {
        kafka.create_topic(&format!("sdk.{name}"), 1).await;
    }
    let gateway = gateway(kafka, &routes).await;
    let fields = [
        "Ce-Specversion: 1.0",
        "Ce-Id: 7",
        "Ce-Source: /shop",
        "Ce-Type: paid",
        "Ce-Subject: caf%C3%A9",
        "Ce-Time: 2026-01-02T03:04:05Z",
        "Ce-Tenant: acme",
        "Ce-Partitionkey: k",
        JSON,
    ];
    let event = r#"{"specversion":"1.0","id":"7","source":"/shop","type":"paid","subject":"café","time":"2026-01-02T03:04:05Z","tenant":"acme","partitionkey":"k","datacontenttype":"application/json","data":{"order":1}}"#;
    let structured = "Content-Type: application/cloudevents+json";
    for path in ["/binary", "/structured"] {
        accepted(&post(&gateway, path, &fields, r#"{"order":1}"#).await);
        accepted(&post(&gateway, path, &[structured], event).await);
    }
    let several = "Content-Type: application/cloudevents-batch+json";
    let answer = post(&gateway, "/batch", &[several], format!("[{event},{event}]")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for (name, _) in routes {
        let topic = format!("sdk.{name}");
        let (confluent, kcat) =
            tokio::task::block_in_place(|| (by_confluent(kafka, &topic), by_kcat(kafka, &topic)));
        assert_eq!((confluent.len(), kcat.len()), (2, 2), "{name}");
        for (confluent, kcat) in confluent.iter().zip(&kcat) {
            let found = &confluent["event"]["attributes"];
            for (attribute, value) in [
                ("specversion", "1.0"),
                ("id", "7"),
                ("source", "/shop"),
                ("type", "paid"),
                ("subject", "café"),
                ("tenant", "acme"),
                ("partitionkey", "k"),
            ] {
                assert_eq!(found[attribute], value, "{name}: {attribute} of {found}");
                if name != "structured" {
                    assert_eq!(headers(kcat)[format!("ce_{attribute}")], value, "{name}");
                }
            }
            assert!(
                found["time"].as_str().unwrap().starts_with("2026-01-02"),
                "{found}"
            );
            assert_eq!(confluent["event"]["data"], json!({ "order": 1 }), "{name}");
            assert_eq!(kcat["key"], "k");
        }
    }
}
