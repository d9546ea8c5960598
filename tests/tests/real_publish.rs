//! What a record is made of, as a consumer of a real Kafka reads it; batches, and who acknowledges.

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::kafka::{Kafka, Record};
use weir_tests::otlp::{Collector, Kind};
use weir_tests::publishing::{
    JSON, accepted, code, errors, gateway, headers, post, results, traced,
};

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
        headers(record),
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

#[tokio::test]
async fn each_record_of_a_batch_is_answered_for_itself() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("batch.a", 1).await;
    kafka.create_topic("batch.b", 1).await;
    let publish = r#"topic: "batch.{body./to}", key: "{body./id}", batch: {}"#;
    let collector = Collector::start().await;
    let gateway = traced(kafka, &[("batch", publish)], &collector.endpoint()).await;
    let body = r#"[{"to": "a", "id": 1}, {"to":"b","id":2}, {"id": 3}, {"to":"a","id":4}, {"to":"nowhere"}]"#;
    let answer = post(&gateway, "/batch", &[JSON], body).await;
    let results = results(&answer, 207);
    let missing = Code::RequestBodyInvalid.slug();
    assert_eq!(
        errors(&results),
        [
            "none",
            "none",
            missing,
            "none",
            Code::KafkaTopicUnknown.slug()
        ]
    );
    assert_eq!(results[2]["error"]["retryable"], false);
    assert_eq!(
        results[0],
        json!({ "topic": "batch.a", "partition": 0, "offset": 0 })
    );
    assert_eq!(
        results[1],
        json!({ "topic": "batch.b", "partition": 0, "offset": 0 })
    );
    assert_eq!(
        results[3],
        json!({ "topic": "batch.a", "partition": 0, "offset": 1 })
    );
    let written = kafka.consume("batch.a", 2).await;
    let texts: Vec<_> = written.iter().map(Record::text).collect();
    assert_eq!(texts, [r#"{"to": "a", "id": 1}"#, r#"{"to":"a","id":4}"#]);
    assert_eq!(written[1].key.as_deref(), Some(&b"4"[..]));

    // One span for all, which each record names; each record is counted.
    let span = collector.wait_for(|span| span.kind == Kind::Producer).await;
    assert_eq!(span.attribute("messaging.batch.message_count"), 5);
    assert_eq!(span.attribute("weir.kafka.acknowledged"), 3);
    assert_eq!(span.attribute("error.type"), missing);
    for record in &written {
        assert!(
            record
                .header("traceparent")
                .unwrap()
                .contains(&span.span_id)
        );
    }
    let line = gateway
        .wait_for_log(|line| line["weir.action"] == "publish")
        .await;
    assert_eq!(line["messaging"]["batch.message_count"], 5);
    assert_eq!(line["messaging"]["batch.acknowledged"], 3);
    let sent = "messaging_client_sent_messages_total";
    let labels = [
        ("messaging_destination_name", "batch.a"),
        ("error_type", ""),
    ];
    gateway.wait_for_metric(sent, &labels, |n| n == 2.0).await;
}

#[tokio::test]
async fn a_batch_is_what_the_media_type_says_and_no_larger_than_the_route_takes() {
    let kafka = Kafka::shared().await;
    for topic in ["lines", "whole"] {
        kafka.create_topic(topic, 1).await;
    }
    let routes = [
        ("lines", "topic: lines, batch: { max_records: 3 }"),
        ("whole", "topic: whole"),
    ];
    let gateway = gateway(kafka, &routes).await;
    let ndjson = "Content-Type: application/x-ndjson";
    let lines = "{\"n\": 1}\r\n\nno json\n3\n";
    let answer = post(&gateway, "/lines", &[ndjson], lines).await;
    let lines_said = results(&answer, 207);
    assert_eq!(
        errors(&lines_said),
        ["none", Code::RequestBodyInvalid.slug(), "none"]
    );
    assert_eq!(lines_said[2]["offset"], 1);
    assert_eq!(
        results(&post(&gateway, "/lines", &[JSON], "[]").await, 200),
        [Value::Null; 0]
    );
    for (body, expected) in [
        ("[1,2,3,4]", Code::RequestTooLarge),
        ("[1,2", Code::RequestBodyInvalid),
    ] {
        let refused = post(&gateway, "/lines", &[JSON], body).await;
        assert_eq!(
            (refused.status, code(&refused)),
            (expected.status(), expected.slug())
        );
    }
    // What is no array is one record, answered as one.
    let one = post(&gateway, "/lines", &[JSON], "{}").await;
    assert_eq!((one.status, &one.json()["offset"]), (200, &json!(2)));
    let texts: Vec<_> = kafka
        .consume("lines", 3)
        .await
        .iter()
        .map(Record::text)
        .collect();
    assert_eq!(texts, ["{\"n\": 1}", "3", "{}"]);
    // A route that takes no batches takes anything as it is.
    for (media_type, body) in [(JSON, "[1,2]"), (ndjson, lines), ("X: y", "\u{0}\u{1}")] {
        accepted(&post(&gateway, "/whole", &[media_type], body).await);
    }
    let texts: Vec<_> = kafka
        .consume("whole", 3)
        .await
        .iter()
        .map(Record::text)
        .collect();
    assert_eq!(texts, ["[1,2]", lines, "\u{0}\u{1}"]);
}

#[tokio::test]
async fn an_answer_says_who_has_the_record() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("acked", 1).await;
    let routes = [
        ("all", "topic: acked"),
        ("leader", "topic: acked, ack: leader, batch: {}"),
    ];
    let gateway = gateway(kafka, &routes).await;
    let all = post(&gateway, "/all", &[], "1").await;
    assert_eq!(
        all.json(),
        json!({ "topic": "acked", "partition": 0, "offset": 0, "ack": "all" })
    );
    let leader = post(&gateway, "/leader", &[], "2").await;
    assert_eq!(
        leader.json(),
        json!({ "topic": "acked", "partition": 0, "offset": 1, "ack": "leader" })
    );
    let batch = post(&gateway, "/leader", &[JSON], "[3,4]").await;
    let results =
        [2, 3].map(|offset| json!({ "topic": "acked", "partition": 0, "offset": offset }));
    assert_eq!(batch.json(), json!({ "ack": "leader", "results": results }));
    let texts: Vec<_> = kafka
        .consume("acked", 4)
        .await
        .iter()
        .map(Record::text)
        .collect();
    assert_eq!(texts, ["1", "2", "3", "4"]);
}
