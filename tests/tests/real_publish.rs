//! What a record is made of, as a consumer of a real Kafka reads it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;
use weir_telemetry::Code;
use weir_tests::Gateway;
use weir_tests::kafka::{Kafka, Record};
use weir_tests::wire::{self, Response};

const JSON: &str = "Content-Type: application/json";
/// The SHA-256 of `key-of-checkout`.
const DIGEST: &str = "b6bf576e02cbe50186adcc29f82161acc2f2b1170ab71bb9b046cd28bd24cb19";

/// A gateway with one route for each `publish`, at `/NAME`.
async fn gateway(kafka: &Kafka, routes: &[(&str, &str)]) -> Gateway {
    let routes = routes.iter().map(|(name, publish)| {
        format!(
            "  - {{ name: {name}, matches: [{{ path: {{ exact: /{name} }} }}], policies: [{{ kind: key_auth }}], publish: {{ cluster: events, {publish} }} }}\n"
        )
    });
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
teams: [{{ name: shop, organisation: acme, owns: {{ topics: ["*"] }} }}]
consumers: [{{ name: checkout, team: shop, credentials: [{{ kind: key, id: ci, sha256: "{DIGEST}" }}] }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"], delivery_timeout: 20s }}]
routes:
{}"#,
        kafka.bootstrap(),
        routes.collect::<String>()
    ))
    .await
}

async fn post(gateway: &Gateway, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Response {
    let headers = [&["X-Api-Key: key-of-checkout"], headers].concat();
    wire::request(gateway.addr("public"), "POST", path, &headers, body).await
}

fn code(response: &Response) -> &str {
    response.header("weir-error").unwrap_or("none")
}

fn accepted(response: &Response) {
    assert_eq!(response.status, 200, "{}", response.text());
}

/// A header that the record has, in order with the others.
fn pairs(record: &Record) -> Vec<(&str, String)> {
    let headers = record
        .headers
        .iter()
        .filter(|(name, _)| name != "traceparent");
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap()).unwrap();
    headers
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect()
}

#[tokio::test]
async fn a_record_is_made_of_its_body_and_of_who_sent_it() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("made.eu", 4).await;
    let publish = r#"topic: "made.{body./region}", key: "{body./order/id}-{body./order/lines/0/sku}", partition: "{body./p}", timestamp: "{body./at}", headers: { by: "{consumer}", of: "{team}", paid: "{body./paid}", none: "{body./nothing}", list: "{body./order/lines}" }"#;
    let gateway = gateway(kafka, &[("made", publish)]).await;
    let body = r#"{"region": "eu", "order": {"id": 12345678901234567890, "lines": [{"sku": "a~b"}]},
        "p": 3, "at": "2026-04-05T17:31:00.25+02:00", "paid": true, "nothing": null}"#;
    accepted(&post(&gateway, "/made", &[JSON], body).await);
    let record = &kafka.consume("made.eu", 1).await[0];
    assert_eq!(record.text(), body, "byte for byte");
    assert_eq!(
        record.key.as_deref(),
        Some(&b"12345678901234567890-a~b"[..])
    );
    assert_eq!(
        (record.partition, record.timestamp),
        (3, Some(1_775_403_060_250))
    );
    let expected = [("by", "checkout"), ("of", "shop"), ("paid", "true")];
    assert_eq!(
        pairs(record),
        expected.map(|(name, value)| (name, value.to_owned()))
    );

    // What is not given is left to the key, and to the moment.
    accepted(
        &post(
            &gateway,
            "/made",
            &[JSON],
            r#"{"region": "eu", "at": 1700000000000}"#,
        )
        .await,
    );
    let records = kafka.consume("made.eu", 2).await;
    let second = records.iter().find(|record| record.text() != body).unwrap();
    assert_eq!(
        (&second.key, second.timestamp),
        (&None, Some(1_700_000_000_000))
    );
}

#[tokio::test]
async fn what_no_record_can_be_made_of_is_refused_and_says_why() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("unmade", 1).await;
    let publish = r#"topic: "{body./topic}", partition: "{body./p}", timestamp: "{body./at}""#;
    let gateway = gateway(kafka, &[("unmade", publish)]).await;
    for (body, code_expected, detail) in [
        (
            json!({ "p": 0 }),
            Code::RequestBodyInvalid,
            "This route makes the topic of {body./topic}, and the request has none.",
        ),
        (
            json!({ "topic": "no topic" }),
            Code::KafkaTopicUnknown,
            "This route publishes to no topic of that name.",
        ),
        (
            json!({ "topic": "unmade", "p": "two" }),
            Code::RequestBodyInvalid,
            "This route makes the record's partition of {body./p}; send a number from 0.",
        ),
        (
            json!({ "topic": "unmade", "p": -1 }),
            Code::RequestBodyInvalid,
            "This route makes the record's partition of {body./p}; send a number from 0.",
        ),
        (
            json!({ "topic": "unmade", "p": "+1" }),
            Code::RequestBodyInvalid,
            "This route makes the record's partition of {body./p}; send a number from 0.",
        ),
        (
            json!({ "topic": "unmade", "p": 1.0 }),
            Code::RequestBodyInvalid,
            "This route makes the record's partition of {body./p}; send a number from 0.",
        ),
        (
            json!({ "topic": "unmade", "at": "today" }),
            Code::RequestBodyInvalid,
            "This route makes the record's timestamp of {body./at}; send a moment after 1970, as 2026-04-05T17:31:00Z, or in milliseconds since then.",
        ),
        (
            json!({ "topic": "unmade", "at": -1 }),
            Code::RequestBodyInvalid,
            "This route makes the record's timestamp of {body./at}; send a moment after 1970, as 2026-04-05T17:31:00Z, or in milliseconds since then.",
        ),
        (
            json!({ "topic": "unmade", "p": 7 }),
            Code::KafkaTopicUnknown,
            "The topic has no partition of that number.",
        ),
    ] {
        let refused = post(&gateway, "/unmade", &[JSON], body.to_string()).await;
        assert_eq!(
            (refused.status, code(&refused)),
            (code_expected.status(), code_expected.slug()),
            "{body}"
        );
        assert_eq!(refused.json()["detail"], detail, "{body}");
    }
    let no_json = post(&gateway, "/unmade", &[], "topic=unmade").await;
    assert_eq!(code(&no_json), Code::RequestBodyInvalid.slug());
    accepted(&post(&gateway, "/unmade", &[JSON], r#"{"topic":"unmade"}"#).await);
    assert_eq!(kafka.count("unmade").await, 1);
}
