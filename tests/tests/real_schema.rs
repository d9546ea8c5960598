//! `publish` with a schema on a real Kafka and a real registry: Confluent's own deserializers read what
//! callers sent as JSON.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::kafka::{Kafka, Record};
use weir_tests::registry::Registry;
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, python, wait};

const MONEY_AVRO: &str = r#"{"type":"record","name":"Money","namespace":"shop","fields":[
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}"#;
const ORDER_AVRO: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
    {"name":"id","type":"long"},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"size","type":["null","string","int"],"default":null},
    {"name":"total","type":"shop.Money"}]}"#;
const MONEY_PROTO: &str = r#"syntax = "proto3"; package shop; message Money { int64 cents = 1; }"#;
const ORDER_PROTO: &str = r#"syntax = "proto3"; package shop; import "money.proto";
    message Nothing {} message Order { int64 id = 1; string note = 2; Money total = 3; }"#;
const ORDER_JSON: &str = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object",
    "properties":{"id":{"type":"integer"}},"required":["id"]}"#;

/// Reads the one record of each topic with Confluent's deserializer for it, and prints them as JSON.
const READER: &str = r#"
import json, os
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

pool = descriptor_pool.DescriptorPool()
def file(name, package, messages, imports=()):
    proto = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3", dependency=imports)
    for message, fields in messages:
        found = proto.message_type.add(name=message)
        for number, (field, kind, type_name) in enumerate(fields, 1):
            found.field.add(name=field, number=number, label=1, type=kind, type_name=type_name)
    pool.Add(proto)
file("money.proto", "shop", [("Money", [("cents", 3, None)])])
file("order.proto", "shop", [("Nothing", []), ("Order", [("id", 3, None), ("note", 9, None), ("total", 11, ".shop.Money")])], ["money.proto"])
order = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order"))

registry = SchemaRegistryClient({"url": os.environ["REGISTRY"]})
readers = {
    "avro": AvroDeserializer(registry),
    "json": JSONDeserializer(os.environ["JSON_SCHEMA"]),
    "protobuf": ProtobufDeserializer(order, {"use.deprecated.format": False}),
}
consumer = Consumer({"bootstrap.servers": os.environ["KAFKA"], "group.id": "reader", "enable.auto.commit": False})
said = {}
for kind, read in readers.items():
    topic = "confluent-" + kind
    consumer.assign([TopicPartition(topic, 0, 0)])
    record = consumer.poll(60)
    assert record is not None and record.error() is None, (topic, record and record.error())
    value = read(record.value(), SerializationContext(topic, MessageField.VALUE))
    said[kind] = json_format.MessageToDict(value) if kind == "protobuf" else value
consumer.close()
print(json.dumps(said, default=str))
"#;

async fn gateway(kafka: &Kafka, registry: &Registry) -> Gateway {
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"] }}]
schema_registries: [{{ name: main, url: "{}", refresh: 100ms }}]
routes:
  - name: registered
    matches: [{{ path: {{ template: "/events/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", schema: {{ kind: registry, registry: main }} }}
  - name: message
    matches: [{{ path: {{ exact: /message }} }}]
    publish:
      cluster: events
      topic: confluent-protobuf
      schema: {{ kind: registry, registry: main, message: shop.Order }}
  - name: file
    matches: [{{ path: {{ exact: /file }} }}]
    publish: {{ cluster: events, topic: from-file, schema: {{ kind: avro, file: money.avsc }} }}
"#,
        kafka.bootstrap(),
        registry.url()
    );
    let builder = Gateway::builder(&yaml).file("config/money.avsc", MONEY_AVRO);
    Box::pin(builder.start()).await
}

async fn post(gateway: &Gateway, path: &str, body: &Value) -> Response {
    let body = body.to_string();
    Box::pin(wire::request(
        gateway.addr("public"),
        "POST",
        path,
        &[],
        body.as_bytes(),
    ))
    .await
}

async fn published(gateway: &Gateway, path: &str, body: &Value) {
    let answer = post(gateway, path, body).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

fn value(record: &Record) -> &[u8] {
    record.value.as_deref().unwrap()
}

#[tokio::test]
async fn confluents_deserializers_read_what_callers_sent_as_json() {
    let kafka = Box::pin(Kafka::shared()).await;
    let registry = Box::pin(Registry::start()).await;
    for topic in ["confluent-avro", "confluent-json", "confluent-protobuf"] {
        kafka.create_topic(topic, 1).await;
    }
    registry
        .register("money-avro", "AVRO", MONEY_AVRO, &[])
        .await;
    let money = ("shop.Money", "money-avro", 1);
    let avro = registry
        .register("confluent-avro-value", "AVRO", ORDER_AVRO, &[money])
        .await;
    registry
        .register("confluent-json-value", "JSON", ORDER_JSON, &[])
        .await;
    registry
        .register("money-proto", "PROTOBUF", MONEY_PROTO, &[])
        .await;
    let money = ("money.proto", "money-proto", 1);
    let subject = "confluent-protobuf-value";
    let proto = registry
        .register(subject, "PROTOBUF", ORDER_PROTO, &[money])
        .await;
    let gateway = Box::pin(gateway(kafka, &registry)).await;

    let order =
        json!({ "id": 7, "note": "ä", "size": { "int": 4 }, "total": { "amount": "12.34" } });
    published(&gateway, "/events/confluent-avro", &order).await;
    published(
        &gateway,
        "/events/confluent-json",
        &json!({ "id": 7, "more": [1] }),
    )
    .await;
    let message = json!({ "id": "7", "note": "ä", "total": { "cents": 1234 } });
    published(&gateway, "/message", &message).await;

    let environment = [
        ("REGISTRY", registry.url()),
        ("KAFKA", kafka.bootstrap()),
        ("JSON_SCHEMA", ORDER_JSON.to_owned()),
    ];
    let environment = environment
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let read = python::run(READER, &environment);
    assert_eq!(read.code, Some(0), "{}", read.stderr);
    let said: Value = serde_json::from_str(&read.stdout).unwrap();
    let size = json!(4);
    let avro_read = json!({ "id": 7, "note": "ä", "size": size, "total": { "amount": "12.34" } });
    assert_eq!(said["avro"], avro_read);
    assert_eq!(said["json"], json!({ "id": 7, "more": [1] }));
    let proto_read = json!({ "id": "7", "note": "ä", "total": { "cents": "1234" } });
    assert_eq!(said["protobuf"], proto_read);

    let head = |id: u64| [&[0][..], &u32::try_from(id).unwrap().to_be_bytes()].concat();
    let records = Box::pin(kafka.consume("confluent-avro", 1)).await;
    assert!(value(&records[0]).starts_with(&head(avro)));
    let records = Box::pin(kafka.consume("confluent-protobuf", 1)).await;
    // The second message of its file: one index, which is 1.
    let start = [&head(proto)[..], &[2, 2, 0x08, 7]].concat();
    assert!(value(&records[0]).starts_with(&start), "{:?}", records[0]);
}

#[tokio::test]
async fn a_new_version_is_used_and_the_last_known_one_outlives_its_registry() {
    let kafka = Box::pin(Kafka::shared()).await;
    let registry = Box::pin(Registry::start()).await;
    kafka.create_topic("versions", 1).await;
    let gateway = Box::pin(gateway(kafka, &registry)).await;
    let unknown = post(&gateway, "/events/versions", &json!(1)).await;
    assert_eq!(
        (unknown.status, unknown.header("weir-error")),
        (502, Some(Code::SchemaUnusable.slug()))
    );
    let first = registry
        .register(
            "versions-value",
            "AVRO",
            r#"{"type":"array","items":"int"}"#,
            &[],
        )
        .await;
    wait::until("the first version", || async {
        let answer = post(&gateway, "/events/versions", &json!([1])).await;
        (answer.status == 200).then_some(())
    })
    .await;
    let invalid = post(&gateway, "/events/versions", &json!([1_u64 << 40])).await;
    assert_eq!(
        (invalid.status, invalid.header("weir-error")),
        (422, Some(Code::KafkaRecordInvalid.slug()))
    );
    let second = registry
        .register(
            "versions-value",
            "AVRO",
            r#"{"type":"array","items":"long"}"#,
            &[],
        )
        .await;
    assert_ne!(first, second);
    wait::until("the second version", || async {
        let answer = post(&gateway, "/events/versions", &json!([1_u64 << 40])).await;
        (answer.status == 200).then_some(())
    })
    .await;
    registry.stop().await;
    published(&gateway, "/events/versions", &json!([2])).await;
    let count = usize::try_from(kafka.count("versions").await).unwrap();
    let records = Box::pin(kafka.consume("versions", count)).await;
    let ids = [&records[0], &records[count - 1]].map(|record| u64::from(value(record)[4]));
    assert_eq!(ids, [first, second]);
}

#[tokio::test]
async fn a_schema_of_a_file_leaves_nothing_before_the_record() {
    let kafka = Box::pin(Kafka::shared()).await;
    let registry = Box::pin(Registry::start()).await;
    kafka.create_topic("from-file", 1).await;
    let gateway = Box::pin(gateway(kafka, &registry)).await;
    published(&gateway, "/file", &json!({ "amount": "-0.01" })).await;
    let records = Box::pin(kafka.consume("from-file", 1)).await;
    assert_eq!(value(&records[0]), b"\x02\xff");
}
