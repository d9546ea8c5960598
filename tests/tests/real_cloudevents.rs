//! CloudEvents over HTTP, as a consumer of a real Kafka reads them.

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::kafka::Kafka;
use weir_tests::publishing::{JSON, accepted, code, errors, gateway, headers, post, results};

#[tokio::test]
async fn cloud_events_are_records_as_kafkas_binding_has_them() {
    let kafka = Kafka::shared().await;
    for topic in ["ce.binary", "ce.structured", "ce.batch"] {
        kafka.create_topic(topic, 1).await;
    }
    let routes = [
        (
            "binary",
            r#"topic: ce.binary, key: "{body./key}", headers: { route: yes, ce_id: mine }, cloud_events: {}"#,
        ),
        (
            "structured",
            "topic: ce.structured, cloud_events: { mode: structured, require: true }",
        ),
        (
            "batch",
            r#"topic: ce.batch, key: "{body./id}", batch: {}, cloud_events: { require: true }"#,
        ),
    ];
    let gateway = gateway(kafka, &routes).await;
    let fields = [
        "Ce-Specversion: 1.0",
        "Ce-Id: 7",
        "Ce-Source: /shop",
        "Ce-Type: paid",
        "Ce-Subject: caf%C3%A9",
        "Ce-Partitionkey: k1",
        JSON,
    ];
    let event = r#"{"specversion":"1.0","id":"8","source":"/shop","type":"paid","partitionkey":"k2", "data":{"key": 9}}"#;
    let structured = "Content-Type: application/cloudevents+json; charset=utf-8";
    let plain = "{\"key\": 1}";
    accepted(&post(&gateway, "/binary", &fields, "[1]").await);
    accepted(&post(&gateway, "/binary", &[structured], event).await);
    accepted(&post(&gateway, "/binary", &[JSON], plain).await);
    let records = kafka.consume("ce.binary", 3).await;
    let texts = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        pairs
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect()
    };
    assert_eq!(
        headers(&records[0]),
        texts(&[
            ("ce_id", "7"),
            ("ce_partitionkey", "k1"),
            ("ce_source", "/shop"),
            ("ce_specversion", "1.0"),
            ("ce_subject", "café"),
            ("ce_type", "paid"),
            ("content-type", "application/json"),
            ("route", "yes"),
        ])
    );
    assert_eq!(
        (records[0].text().as_str(), records[0].key.as_deref()),
        ("[1]", Some(&b"k1"[..]))
    );
    // The route's key goes before the event's, and points into the record's value.
    assert_eq!(
        (records[1].text().as_str(), records[1].key.as_deref()),
        (r#"{"key": 9}"#, Some(&b"9"[..]))
    );
    assert_eq!(
        records[1].header("content-type").as_deref(),
        Some("application/json")
    );
    // What is no event is a record as ever.
    assert_eq!(records[2].text(), plain);
    assert_eq!(
        headers(&records[2]),
        texts(&[("ce_id", "mine"), ("route", "yes")])
    );

    accepted(&post(&gateway, "/structured", &[structured], event).await);
    accepted(&post(&gateway, "/structured", &fields, "[1]").await);
    let records = kafka.consume("ce.structured", 2).await;
    assert_eq!(records[0].text(), event, "byte for byte");
    assert_eq!(records[0].key.as_deref(), Some(&b"k2"[..]));
    let media_type = "application/cloudevents+json; charset=UTF-8";
    assert_eq!(headers(&records[0]), texts(&[("content-type", media_type)]));
    let made: Value = serde_json::from_str(&records[1].text()).unwrap();
    assert_eq!(
        (&made["id"], &made["subject"], &made["data"]),
        (&json!("7"), &json!("café"), &json!([1]))
    );

    let batch = format!("[{event}, {{\"specversion\":\"1.0\"}}, {event}]");
    let media_type = "Content-Type: application/cloudevents-batch+json";
    let said = results(&post(&gateway, "/batch", &[media_type], batch).await, 207);
    assert_eq!(
        errors(&said),
        ["none", Code::RequestBodyInvalid.slug(), "none"]
    );
    assert_eq!(
        said[1]["error"]["detail"],
        "This is no CloudEvent: the attribute `id` is missing."
    );
    assert_eq!(
        kafka.consume("ce.batch", 2).await[1]
            .header("ce_id")
            .as_deref(),
        Some("8")
    );

    let require = "This route takes CloudEvents only: send the attributes as `ce-` fields, or an event as application/cloudevents+json.";
    for (path, headers, body, expected, detail) in [
        (
            "/structured",
            &[JSON][..],
            plain,
            Code::RequestBodyInvalid,
            require,
        ),
        ("/batch", &[JSON], "[{}]", Code::RequestBodyInvalid, require),
        (
            "/binary",
            &["Ce-Id: 1"],
            "",
            Code::RequestBodyInvalid,
            "This is no CloudEvent: the attribute `specversion` is missing.",
        ),
        (
            "/binary",
            &[structured],
            "[]",
            Code::RequestBodyInvalid,
            "This is no CloudEvent: it is not the JSON that is expected.",
        ),
        (
            "/binary",
            &["Content-Type: application/cloudevents+avro"],
            "x",
            Code::RequestBodyInvalid,
            "This is no CloudEvent: of formats of events, JSON is taken and no other.",
        ),
        (
            "/binary",
            &[media_type],
            "[]",
            Code::MediaTypeUnsupported,
            "This route takes one event at a time.",
        ),
    ] {
        let refused = post(&gateway, path, headers, body).await;
        assert_eq!(
            (refused.status, code(&refused)),
            (expected.status(), expected.slug()),
            "{path}"
        );
        assert_eq!(refused.json()["detail"], detail);
    }
    assert_eq!(kafka.count("ce.binary").await, 3);
}
