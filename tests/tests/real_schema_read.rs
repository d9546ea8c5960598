//! `subscribe` with a schema on a real Kafka: what Confluent's own serializers wrote, by a real registry,
//! reaches subscribers as JSON; and what nobody can read is told as such.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::events::EventSource;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::registry::Registry;
use weir_tests::{Behaviour, Gateway, Upstream, python, wait, wire};

const ORDER: &str = r#"{"type":"record","name":"Order","fields":[
    {"name":"id","type":"long"},{"name":"customer","type":{"type":"record","name":"Customer",
    "fields":[{"name":"name","type":"string"}]}}]}"#;

/// Writes orders with Confluent's serializers, which register their schemas.
const WRITER: &str = r#"
import json, os
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

pool = descriptor_pool.DescriptorPool()
proto = descriptor_pb2.FileDescriptorProto(name="order.proto", package="shop", syntax="proto3")
proto.message_type.add(name="Nothing")
order = proto.message_type.add(name="Order")
order.field.add(name="id", number=1, label=1, type=3)
order.field.add(name="note", number=2, label=1, type=9)
pool.Add(proto)
Order = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order"))

registry = SchemaRegistryClient({"url": os.environ["REGISTRY"]})
avro = AvroSerializer(registry, os.environ["AVRO"])
text = JSONSerializer('{"title":"Order","type":"object","properties":{"id":{"type":"integer"}}}', registry)
protobuf = ProtobufSerializer(Order, registry, {"use.deprecated.format": False})
producer = Producer({"bootstrap.servers": os.environ["KAFKA"]})
def write(topic, serialize, value):
    producer.produce(topic, serialize(value, SerializationContext(topic, MessageField.VALUE)), partition=0)
for id, name in [(1, "Ada"), (2, "Bob"), (3, "Ada")]:
    write("read-avro", avro, {"id": id, "customer": {"name": name}})
write("read-json", text, {"id": 5})
write("read-protobuf", protobuf, Order(id=7, note="ä"))
producer.flush()
"#;

async fn gateway(kafka: &Kafka, registry: &str) -> Gateway {
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"] }}]
schema_registries: [{{ name: main, url: "{registry}" }}]
routes:
  - name: records
    matches: [{{ path: {{ template: "/records/{{topic}}" }} }}]
    subscribe: {{ cluster: events, topic: "{{path.topic}}", start: earliest, schema: {{ kind: registry, registry: main }} }}
  - name: values
    matches: [{{ path: {{ template: "/values/{{topic}}" }} }}]
    subscribe: {{ cluster: events, topic: "{{path.topic}}", start: earliest, format: value, schema: {{ kind: registry, registry: main }} }}
  - name: cloud-events
    matches: [{{ path: {{ template: "/cloud-events/{{topic}}" }} }}]
    subscribe: {{ cluster: events, topic: "{{path.topic}}", start: earliest, format: cloud_event, schema: {{ kind: registry, registry: main }} }}
  - name: file
    matches: [{{ path: {{ template: "/file/{{topic}}" }} }}]
    subscribe: {{ cluster: events, topic: "{{path.topic}}", start: earliest, schema: {{ kind: json, file: order.json }} }}
"#,
        kafka.bootstrap()
    );
    let schema = r#"{"type":"object","required":["id"]}"#;
    let builder = Gateway::builder(&yaml).file("config/order.json", schema);
    Box::pin(builder.start()).await
}

async fn poll(gateway: &Gateway, path: &str) -> wire::Response {
    let public = gateway.addr("public");
    Box::pin(wire::request(public, "GET", path, &[], b"")).await
}

async fn records(gateway: &Gateway, path: &str) -> Vec<Value> {
    let answer = poll(gateway, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["records"].as_array().unwrap().clone()
}

/// A record that says that it was written by the schema with this id.
fn by(id: u8, record: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, id], record].concat()
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

#[tokio::test]
async fn what_confluents_serializers_wrote_is_told_as_json() {
    let kafka = Box::pin(Kafka::shared()).await;
    let registry = Box::pin(Registry::start()).await;
    for topic in ["read-avro", "read-json", "read-protobuf"] {
        kafka.create_topic(topic, 1).await;
    }
    let environment = [
        ("REGISTRY", registry.url()),
        ("KAFKA", kafka.bootstrap()),
        ("AVRO", ORDER.to_owned()),
    ];
    let environment = environment
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let wrote = python::run(WRITER, &environment);
    assert_eq!(wrote.code, Some(0), "{}", wrote.stderr);
    let gateway = Box::pin(gateway(kafka, &registry.url())).await;

    let order = |id: u8, name: &str| json!({ "id": id, "customer": { "name": name } });
    let told = records(&gateway, "/records/read-avro?wait=10s&limit=3").await;
    let values: Vec<_> = told.iter().map(|record| record["value"].clone()).collect();
    assert_eq!(values, [order(1, "Ada"), order(2, "Bob"), order(3, "Ada")]);
    let told = records(&gateway, "/records/read-json?wait=10s&limit=1").await;
    assert_eq!(told[0]["value"], json!({ "id": 5 }));
    let told = records(&gateway, "/records/read-protobuf?wait=10s&limit=1").await;
    assert_eq!(told[0]["value"], json!({ "id": "7", "note": "ä" }));

    // What was read is looked into.
    let only = "/values/read-avro?json./customer/name=Ada";
    let mut feed = EventSource::open(gateway.addr("public"), only, None).await;
    let told = feed.take(2).await;
    let values: Vec<_> = told.iter().map(|event| event.json()).collect();
    assert_eq!(values, [order(1, "Ada"), order(3, "Ada")]);
    let feed = "/cloud-events/read-avro";
    let mut feed = EventSource::open(gateway.addr("public"), feed, None).await;
    let event = feed.take(1).await[0].json();
    assert_eq!(event["datacontenttype"], "application/json");
    assert_eq!(event["data"], order(1, "Ada"));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_as_such_and_holds_up_nobody() {
    let kafka = Box::pin(Kafka::shared()).await;
    kafka.create_topic("unreadable", 1).await;
    let registry = Upstream::start(Behaviour::answer(200, &[], r#"{"schema":"\"long\""}"#)).await;
    let url = format!("http://{}", registry.addr());
    let gateway = Box::pin(gateway(kafka, &url)).await;
    let (long, cut) = (by(7, b"\x02"), by(7, b"\xff"));
    let values = [Some(&b"{}"[..]), Some(&cut), Some(&long), None];
    write(kafka, "unreadable", &values).await;

    let told = records(&gateway, "/records/unreadable?wait=10s&limit=4").await;
    let format = "it is not in the wire format of registries: it does not begin with a schema's id";
    assert_eq!(
        (&told[0]["base64"], &told[0]["undecodable"]),
        (&json!("e30="), &json!(format))
    );
    assert_eq!(told[0].get("value"), None, "{}", told[0]);
    assert_eq!(told[1]["base64"], "AAAAAAf/");
    assert!(told[1]["undecodable"].is_string(), "{}", told[1]);
    assert_eq!(told[2]["value"], 1);
    assert_eq!(told[3]["value"], Value::Null);

    let public = gateway.addr("public");
    let mut feed = EventSource::open(public, "/values/unreadable", None).await;
    let told = feed.take(3).await;
    let names: Vec<_> = told.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["undecodable", "undecodable", "message"]);
    assert_eq!(told[0].json()["base64"], "e30=");
    assert_eq!(told[2].data, "1");
    let mut feed = EventSource::open(public, "/cloud-events/unreadable", None).await;
    let told = feed.take(3).await;
    assert_eq!(told[0].json()["type"], "weir.kafka.record.undecodable");
    assert_eq!(told[0].json()["undecodable"], format);
    assert_eq!(told[2].json()["type"], "weir.kafka.record");

    // Who asks for what is in a value is not given one that nobody can look into.
    let told = records(&gateway, "/records/unreadable?wait=10s&limit=1&json.=1").await;
    assert_eq!((told.len(), &told[0]["offset"]), (1, &json!(2)));

    // A schema of a file: JSON that does not fit is told so, too.
    let told = records(&gateway, "/file/unreadable?wait=10s&limit=1").await;
    assert_eq!(
        told[0]["undecodable"],
        "/id breaks the rule `required: [\"id\"]`"
    );
}

#[tokio::test]
async fn one_question_serves_all_subscribers_and_nobody_goes_past_what_it_has_to_answer() {
    let kafka = Box::pin(Kafka::shared()).await;
    kafka.create_topic("asked", 1).await;
    let registry = Upstream::start(Behaviour::answer(500, &[], "no")).await;
    let url = format!("http://{}", registry.addr());
    let gateway = Box::pin(gateway(kafka, &url)).await;
    let public = gateway.addr("public");
    let mut feeds = Vec::new();
    for _ in 0..3 {
        let feed = "/values/asked?start=latest";
        let mut feed = EventSource::open(public, feed, None).await;
        feed.first_id().await;
        feeds.push(feed);
    }
    let long = by(9, b"\x04");
    write(kafka, "asked", &[Some(&long)]).await;
    let mut ids = Vec::new();
    for feed in &mut feeds {
        let told = feed.next().await.unwrap();
        assert_eq!(told.name, "error");
        let code = Code::SchemaRegistryUnavailable.slug();
        assert_eq!(told.json()["code"], code, "{}", told.data);
        ids.push(feed.last_id().to_owned());
    }
    let answer = poll(&gateway, "/records/asked?wait=10s").await;
    assert_eq!(answer.status, 503, "{}", answer.text());

    registry.set(Behaviour::answer(200, &[], r#"{"schema":"\"long\""}"#));
    let before = registry.requests().len();
    wait::until("what was asked for", || async {
        let answer = poll(&gateway, "/records/asked?wait=10s").await;
        (answer.status == 200).then_some(())
    })
    .await;
    for id in &ids {
        let mut feed = EventSource::open(public, "/values/asked", Some(id)).await;
        let told = feed.take(1).await;
        assert_eq!(told[0].data, "2", "nobody missed it");
    }
    assert_eq!(registry.requests().len(), before + 1);
}
