//! Batches in one transaction, on a real Kafka: a consumer of committed records sees all or none.

use futures_util::future::join_all;
use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::kafka::{Kafka, Record};
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, wait};

async fn gateway(kafka: &Kafka) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
quotas: [{{ name: volume, store: ledger, unit: kafka_bytes, limit: {{ default: 100000000 }}, window: {{ kind: fixed, every: month }}, by: [route] }}]
policies: {{ enforced: [{{ kind: quota, quotas: [volume] }}] }}
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"], delivery_timeout: 10s, properties: {{ message.max.bytes: 4000000 }} }}]
routes:
  - name: whole
    matches: [{{ path: {{ template: "/whole/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", key: "{{body./key}}", partition: "{{body./partition}}", max_body: 8MiB, timeout: 60s, batch: {{ transaction: true }} }}
  - name: brief
    matches: [{{ path: {{ template: "/brief/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", timeout: 1s, batch: {{ transaction: true }} }}
  - name: alive
    matches: [{{ path: {{ exact: /alive }} }}]
    respond: {{ body: yes }}
"#,
        kafka.bootstrap()
    ))
    .await
}

async fn post(gateway: &Gateway, path: &str, body: &Value) -> Response {
    let headers = ["Content-Type: application/json"];
    let (address, body) = (gateway.addr("public"), body.to_string());
    wire::request(address, "POST", path, &headers, body).await
}

fn code(answer: &Response) -> &str {
    answer.header("weir-error").unwrap_or("none")
}

/// The values a consumer of committed records sees before `last`, which is in the topic.
async fn seen_before(kafka: &Kafka, topic: &str, last: &str) -> Vec<String> {
    for count in 1.. {
        let records = kafka.consume(topic, count).await;
        let texts: Vec<_> = records.iter().map(Record::text).collect();
        if texts.last().is_some_and(|text| text == last) {
            return texts[..count - 1].to_vec();
        }
    }
    Vec::new()
}

#[tokio::test]
async fn a_batch_is_committed_whole_and_its_places_are_said() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("whole", 2).await;
    let gateway = gateway(kafka).await;
    let batch =
        json!([{ "partition": 0, "n": 1 }, { "partition": 1, "n": 2 }, { "partition": 0, "n": 3 }]);
    let answer = post(&gateway, "/whole/whole", &batch).await;
    let place = |partition: i32, offset: i64| json!({ "topic": "whole", "partition": partition, "offset": offset });
    let results = [place(0, 0), place(1, 0), place(0, 1)];
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json(),
        json!({ "ack": "all", "transaction": "committed", "results": results })
    );
    for record in kafka.consume("whole", 3).await {
        let said: Value = serde_json::from_str(&record.text()).unwrap();
        assert_eq!(said["partition"], record.partition);
    }
    // The mark of a commit takes an offset itself: the next transaction begins after it.
    let next = post(&gateway, "/whole/whole", &json!([{ "partition": 0 }])).await;
    assert_eq!(next.json()["results"][0], place(0, 3));
    let empty = post(&gateway, "/whole/whole", &json!([])).await;
    assert_eq!((empty.status, &empty.json()["results"]), (200, &json!([])));
}

#[tokio::test]
async fn more_batches_than_transactions_at_a_time_are_all_committed() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("many", 1).await;
    let gateway = gateway(kafka).await;
    let calls = (0..12).map(|n| {
        let gateway = &gateway;
        async move {
            post(gateway, "/whole/many", &json!([[n], [n], [n]]))
                .await
                .status
        }
    });
    assert_eq!(join_all(calls).await, [200; 12]);
    let texts = kafka.consume("many", 36).await;
    let texts: Vec<_> = texts.iter().map(Record::text).collect();
    for n in 0..12 {
        assert_eq!(
            texts
                .iter()
                .filter(|text| **text == format!("[{n}]"))
                .count(),
            3
        );
    }
}

#[tokio::test]
async fn one_record_that_is_refused_leaves_nothing_of_its_batch() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("none", 1).await;
    let gateway = gateway(kafka).await;
    let large = "x".repeat(2_000_000);
    let none = "The records are written all or none, and none was.";
    for (bad, expected, why) in [
        // By the broker, which takes 1 MiB; by the client, which knows no such partition; by us.
        (
            json!({ "large": large }),
            Code::KafkaRecordTooLarge,
            Code::KafkaRecordTooLarge.title(),
        ),
        (
            json!({ "partition": 7 }),
            Code::KafkaTopicUnknown,
            "The topic has no partition of that number.",
        ),
        (
            json!({ "partition": "x" }),
            Code::RequestBodyInvalid,
            "This route makes the record's partition of {body./partition}; send a number from 0.",
        ),
    ] {
        let answer = post(
            &gateway,
            "/whole/none",
            &json!([{ "n": 1 }, bad, { "n": 3 }]),
        )
        .await;
        assert_eq!(
            (answer.status, code(&answer)),
            (expected.status(), expected.slug()),
            "{}",
            answer.text()
        );
        let said = answer.json();
        assert_eq!(
            said["detail"],
            format!("At index 1 of the batch: {why} {none}")
        );
        let details: Vec<_> = (0..3)
            .map(|n| &said["results"][n]["error"]["detail"])
            .collect();
        assert_eq!(details, [none, why, none]);
        assert_eq!(said["results"][0]["error"]["code"], expected.slug());
    }
    let line = gateway
        .wait_for_log(|line| line["error.type"] == Code::KafkaRecordTooLarge.slug())
        .await;
    assert_eq!(line["weir.quotas"][0]["used"], 0, "{line}");
    let answer = post(&gateway, "/whole/none", &json!([{ "end": true }])).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(seen_before(kafka, "none", r#"{"end":true}"#).await, [""; 0]);
}

#[tokio::test]
async fn a_broker_that_says_nothing_leaves_nothing_written_and_blocks_nobody() {
    let kafka = Kafka::start().await;
    kafka.create_topic("silent", 1).await;
    let gateway = gateway(&kafka).await;
    assert_eq!(
        post(&gateway, "/whole/silent", &json!(["before"]))
            .await
            .status,
        200
    );
    kafka.pause();
    let batch = json!(["while"]);
    let calls = (0..6).map(|_| post(&gateway, "/brief/silent", &batch));
    let alive = async {
        for _ in 0..20 {
            assert_eq!(
                wire::get(gateway.addr("public"), "/alive").await.text(),
                "yes"
            );
        }
    };
    let (answers, ()) = tokio::join!(join_all(calls), alive);
    for answer in answers {
        // Four wait for the broker, the others for those; the commit of none was asked for.
        let codes = [Code::KafkaUnavailable.slug(), Code::KafkaQueueFull.slug()];
        assert!(codes.contains(&code(&answer)), "{}", answer.text());
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    kafka.resume();
    wait::until("transactions to pass again", || async {
        (post(&gateway, "/whole/silent", &json!(["after"]))
            .await
            .status
            == 200)
            .then_some(())
    })
    .await;
    assert_eq!(
        seen_before(&kafka, "silent", r#""after""#).await,
        [r#""before""#]
    );
}
