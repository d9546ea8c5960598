//! A table whose values have a schema: callers send and get JSON, and the topic holds what the schema says.

use std::net::SocketAddr;

use serde_json::json;
use weir_telemetry::Code;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::registry::Registry;
use weir_tests::{Gateway, wait};

use super::scene::{ask, etag, refused, yaml};

const ORDER: &str = r#"{"type":"record","name":"Order","fields":[
    {"name":"id","type":"long"},{"name":"note","type":"string"}]}"#;
const PATCH: [&str; 1] = ["Content-Type: application/merge-patch+json"];

/// The routes of a table whose values are those of a schema.
fn with(kafka: &Kafka, topic: &str, schema: &str, further: &str) -> String {
    yaml(kafka, topic, "").replace(
        "key: \"{path.id}\"",
        &format!("key: \"{{path.id}}\", schema: {schema}"),
    ) + further
}

/// What is the same with every schema: values are read as they were sent, and none that does not fit is written.
async fn values_are_json_to_callers(at: SocketAddr) -> String {
    let body = json!({ "id": 1, "note": "a" });
    let created = ask(at, "PUT", "/users/a", &[], &body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(ask(at, "GET", "/users/a", &[], "").await.json(), body);
    for wrong in [r#"{"id":"one","note":"a"}"#, r#"{"id":1}"#] {
        refused(
            &ask(at, "PUT", "/users/a", &[], wrong).await,
            Code::KafkaRecordInvalid,
        );
    }
    // What a patch makes of it has to fit, too.
    refused(
        &ask(at, "PATCH", "/users/a", &PATCH, r#"{"note":null}"#).await,
        Code::KafkaRecordInvalid,
    );
    let read = ask(at, "GET", "/users/a", &[], "").await;
    assert_eq!(
        (etag(&read), read.json()),
        (etag(&created), body),
        "nothing was written"
    );
    let patched = ask(at, "PATCH", "/users/a", &PATCH, r#"{"note":"b"}"#).await;
    assert_eq!(patched.status, 204, "{}", patched.text());
    let list = ask(at, "GET", "/users", &[], "").await.json();
    assert_eq!(list[0]["value"], json!({ "id": 1, "note": "b" }), "{list}");
    etag(&patched)
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_registered_schema_are_framed_in_the_topic_and_json_to_callers() {
    let kafka = Kafka::shared().await;
    let registry = Box::pin(Registry::start()).await;
    let topic = "table-avro";
    kafka.create_topic(topic, 1).await;
    let id = registry
        .register("table-avro-value", "AVRO", ORDER, &[])
        .await;
    let further = format!(
        "schema_registries: [{{ name: main, url: \"{}\" }}]\n",
        registry.url()
    );
    let all = with(kafka, topic, "{ kind: registry, registry: main }", &further);
    let gateway = Gateway::start(&all).await;
    let last = values_are_json_to_callers(gateway.addr("public")).await;
    let records = kafka.read_to_end(topic).await;
    let values: Vec<_> = records
        .iter()
        .map(|record| record.value.clone().unwrap())
        .collect();
    let id = u32::try_from(id).unwrap();
    let frame = [&[0][..], &id.to_be_bytes()].concat();
    // Avro's binary encoding: the number doubled, then the length of the text doubled, and the text.
    let framed = |note: &[u8]| [&frame[..], &[2, 2], note].concat();
    assert_eq!(values, [framed(b"a"), framed(b"b")]);

    // Another gateway reads what this one wrote.
    let other = Gateway::start(&all).await;
    let path = format!("/users/a?at_least={}", last.trim_matches('"'));
    let read = ask(other.addr("public"), "GET", &path, &[], "").await;
    assert_eq!(read.json(), json!({ "id": 1, "note": "b" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_schema_in_a_file_are_json_to_callers() {
    let kafka = Kafka::shared().await;
    let topic = "table-avro-file";
    kafka.create_topic(topic, 1).await;
    let all = with(kafka, topic, "{ kind: avro, file: order.avsc }", "");
    let builder = Gateway::builder(&all).file("config/order.avsc", ORDER);
    let gateway = Box::pin(builder.start()).await;
    let at = gateway.addr("public");
    values_are_json_to_callers(at).await;
    let records = kafka.read_to_end(topic).await;
    assert_eq!(
        records[0].value.as_deref(),
        Some(&[2, 2, b'a'][..]),
        "it has no frame"
    );

    // Somebody else wrote what nobody can read: that is not the reader's fault, and no reason to list nothing.
    let odd = Written {
        key: Some("odd"),
        value: Some(&[0xff]),
        ..Written::default()
    };
    kafka.write(topic, 0, &[odd]).await;
    let list = wait::until("the odd one in the list".to_owned(), || async {
        let list = ask(at, "GET", "/users", &[], "").await;
        assert_eq!(list.status, 200, "{}", list.text());
        let list = list.json();
        list[1].is_object().then_some(list)
    })
    .await;
    assert_eq!(list[0]["value"], json!({ "id": 1, "note": "b" }), "{list}");
    assert_eq!(
        (&list[1]["key"], &list[1]["base64"]),
        (&json!("odd"), &json!("/w=="))
    );
    assert!(list[1]["undecodable"].is_string(), "{list}");
    refused(
        &ask(at, "GET", "/users/odd", &[], "").await,
        Code::SchemaUnusable,
    );
    refused(
        &ask(at, "PATCH", "/users/odd", &PATCH, "{}").await,
        Code::SchemaUnusable,
    );
    let mended = ask(at, "PUT", "/users/odd", &[], r#"{"id":2,"note":""}"#).await;
    assert_eq!(mended.status, 204, "{}", mended.text());
    assert_eq!(ask(at, "GET", "/users/odd", &[], "").await.json()["id"], 2);
}
