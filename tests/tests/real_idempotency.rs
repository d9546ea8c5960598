//! `publish` with an `Idempotency-Key`, on a real Kafka and a real Redis: what is sent again is answered as
//! the first time, and is in the topic once, whatever happens to the gateway and the broker in between.

use std::net::SocketAddr;

use futures_util::future::join_all;
use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::gateway::Builder;
use weir_tests::kafka::Kafka;
use weir_tests::redis::Redis;
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, wait};

fn builder(kafka: &Kafka, store: &str) -> Builder {
    Gateway::builder(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: keys, {store} }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"], delivery_timeout: 5s }}]
routes:
  - name: once
    matches: [{{ path: {{ template: "/once/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", key: "{{header.x-key}}", timeout: 3s, batch: {{}}, idempotency: {{ store: keys, required: true }} }}
  - name: other
    matches: [{{ path: {{ template: "/other/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", timeout: 3s, idempotency: {{ store: keys }} }}
  - name: whole
    matches: [{{ path: {{ template: "/whole/{{topic}}" }} }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", timeout: 3s, batch: {{ transaction: true }}, idempotency: {{ store: keys }} }}
"#,
        kafka.bootstrap()
    ))
}

fn in_redis(redis: &Redis) -> String {
    format!("kind: redis, addresses: [\"{}\"]", redis.addr())
}

async fn post(public: SocketAddr, path: &str, key: &str, body: &str) -> Response {
    let key = format!("Idempotency-Key: {key}");
    let headers = ["Content-Type: application/x-ndjson", &key];
    let headers = if path.starts_with("/other") {
        ["Content-Type: text/plain", &key]
    } else {
        headers
    };
    wire::request(public, "POST", path, &headers, body).await
}

fn first(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("idempotent-replayed"), None);
    answer.text()
}

fn replayed(answer: &Response, of: &str) {
    assert_eq!(answer.text(), of);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

fn refused(answer: &Response, code: Code) {
    assert_eq!(
        answer.header("weir-error"),
        Some(code.slug()),
        "{}",
        answer.text()
    );
    assert_eq!(answer.status, code.status());
}

/// Sends a request again until it is known what came of it.
async fn insist(public: SocketAddr, path: &str, key: &str, body: &str) -> Response {
    wait::until(format!("an answer to {key}"), || async {
        let answer = post(public, path, key, body).await;
        if answer.status == 200 {
            return Some(answer);
        }
        refused(&answer, Code::IdempotencyInProgress);
        assert!(answer.header("retry-after").is_some());
        None
    })
    .await
}

#[tokio::test]
async fn what_is_sent_again_is_answered_as_before_and_written_once() {
    let (kafka, redis) = (Kafka::shared().await, Redis::start().await);
    kafka.create_topic("repeats", 2).await;
    for store in ["kind: memory".to_owned(), in_redis(&redis)] {
        let before = kafka.count("repeats").await;
        let gateway = builder(kafka, &store).start().await;
        let public = gateway.addr("public");
        let path = "/other/repeats";
        let ready = || async {
            let answer = post(public, path, "ready", "{}").await;
            (answer.status == 200).then_some(())
        };
        wait::until("the store", ready).await;
        let said = first(&post(public, path, "\"a\"", "book").await);
        replayed(&post(public, path, "a", "book").await, &said);
        refused(
            &post(public, path, "a", "pen").await,
            Code::IdempotencyKeyReused,
        );
        refused(
            &post(public, path, "a b", "book").await,
            Code::IdempotencyKeyInvalid,
        );
        // The key of a route is its own.
        let elsewhere = first(&post(public, "/once/repeats", "a", "7").await);
        assert_ne!(elsewhere, said);
        let without = wire::request(public, "POST", "/once/repeats", &[], "7").await;
        refused(&without, Code::IdempotencyKeyInvalid);
        let without = wire::request(public, "POST", path, &[], "book").await;
        assert_eq!(without.status, 200, "{}", without.text());

        let many = join_all((0..16).map(|_| post(public, path, "many", "much"))).await;
        let said = many[0].text();
        assert!(
            many.iter()
                .all(|answer| answer.status == 200 && answer.text() == said)
        );
        let fresh = |answer: &&Response| answer.header("idempotent-replayed").is_none();
        assert_eq!(many.iter().filter(fresh).count(), 1);
        // ready, a, the other a, the one without a key, and many.
        assert_eq!(kafka.count("repeats").await - before, 5);
        let labels = [("weir_route", "other"), ("result", "replayed")];
        let replays = gateway
            .metric("weir_idempotency_requests_total", &labels)
            .await;
        assert_eq!(replays, 16.0);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_batch_is_written_once_and_answered_record_by_record() {
    let (kafka, redis) = (Kafka::shared().await, Redis::start().await);
    kafka.create_topic("batches", 1).await;
    let gateway = builder(kafka, &in_redis(&redis)).start().await;
    let public = gateway.addr("public");
    for (path, key) in [("/once/batches", "parts"), ("/whole/batches", "whole")] {
        let before = kafka.count("batches").await;
        let answer = wait::until("the store", || async {
            let answer = post(public, path, key, "1\n2\n3").await;
            (answer.status == 200).then_some(answer)
        });
        let answer = answer.await;
        let said = answer.text();
        replayed(&post(public, path, key, "1\n2\n3").await, &said);
        assert_eq!(answer.json()["results"].as_array().unwrap().len(), 3);
        let after = kafka.count("batches").await;
        // A transaction ends with a marker.
        assert!((3..=4).contains(&(after - before)), "{before} {after}");
    }
    let records = kafka.consume("batches", 6).await;
    let ids: Vec<_> = records
        .iter()
        .map(|r| r.header("idempotency-key-id").unwrap())
        .collect();
    assert!(ids[0].ends_with("-0") && ids[2].ends_with("-2"), "{ids:?}");
    assert!(!ids.iter().any(|id| id.contains("parts")), "{ids:?}");
    // What is invalid stays so, and what was written is not written again.
    let mixed = post(public, "/once/batches", "mixed", "1\nx\n3").await;
    assert_eq!(mixed.status, 207, "{}", mixed.text());
    let again = post(public, "/once/batches", "mixed", "1\nx\n3").await;
    assert_eq!((again.status, again.text()), (207, mixed.text()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn a_late_acknowledgement_is_the_answer_to_the_next_request() {
    let (kafka, redis) = (Kafka::start().await, Redis::start().await);
    kafka.create_topic("late", 1).await;
    let gateway = builder(&kafka, &in_redis(&redis)).start().await;
    let public = gateway.addr("public");
    insist_ready(public, "/other/late").await;
    kafka.pause();
    let late = post(public, "/other/late", "late", "x").await;
    refused(&late, Code::KafkaOutcomeUnknown);
    kafka.resume();
    let said = insist(public, "/other/late", "late", "x").await.text();
    replayed(&post(public, "/other/late", "late", "x").await, &said);
    assert_eq!(kafka.count("late").await, 2);
}

/// Publishes something else, until the way to all servers is open.
async fn insist_ready(public: SocketAddr, path: &str) {
    wait::until("a first record", || async {
        let answer = post(public, path, "ready", "{}").await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_gateway_killed_before_the_acknowledgement_leaves_no_second_record() {
    let (kafka, redis) = (Kafka::start().await, Redis::start().await);
    kafka.create_topic("killed", 2).await;
    kafka.create_topic("batched", 2).await;
    let builder = || builder(&kafka, &in_redis(&redis));
    let gateway = builder().start().await;
    let public = gateway.addr("public");
    insist_ready(public, "/other/killed").await;
    insist_ready(public, "/once/batched").await;
    kafka.pause();
    // Sent, and not acknowledged: both are in the sockets of a broker that is stopped.
    let (one, several) = tokio::join!(
        post(public, "/other/killed", "one", "x"),
        post(public, "/once/batched", "several", "1\n2\n3"),
    );
    refused(&one, Code::KafkaOutcomeUnknown);
    assert_eq!(several.status, 207, "{}", several.text());
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;

    let gateway = builder().start().await;
    let public = gateway.addr("public");
    // As long as it may still be written, nobody else sends it.
    let early = wait::until("the store", || async {
        let answer = post(public, "/other/killed", "one", "x").await;
        (answer.header("weir-error") != Some(Code::IdempotencyStoreUnavailable.slug()))
            .then_some(answer)
    });
    refused(&early.await, Code::IdempotencyInProgress);
    kafka.resume();
    let one = insist(public, "/other/killed", "one", "x").await;
    let several = insist(public, "/once/batched", "several", "1\n2\n3").await;
    let results = several.json()["results"].as_array().unwrap().clone();
    assert!(
        results.iter().all(|result| result["offset"].is_i64()),
        "{results:?}"
    );
    replayed(
        &post(public, "/other/killed", "one", "x").await,
        &one.text(),
    );
    // Each beside the one that was there before.
    assert_eq!(kafka.count("killed").await, 2);
    assert_eq!(kafka.count("batched").await, 4);
    let values = kafka.consume("batched", 4).await;
    let mut values: Vec<_> = values.iter().map(weir_tests::kafka::Record::text).collect();
    values.sort();
    assert_eq!(values, ["1", "2", "3", "{}"]);
    let labels = [("weir_route", "other"), ("result", "resumed")];
    let resumed = gateway
        .metric("weir_idempotency_requests_total", &labels)
        .await;
    assert!(resumed >= 1.0, "{resumed}");
}

#[tokio::test]
async fn without_its_store_nothing_is_sent() {
    let (kafka, mut redis) = (Kafka::shared().await, Redis::start().await);
    kafka.create_topic("storeless", 1).await;
    let gateway = builder(kafka, &in_redis(&redis)).start().await;
    let public = gateway.addr("public");
    insist_ready(public, "/other/storeless").await;
    redis.kill().await;
    let answer = post(public, "/other/storeless", "k", "x").await;
    refused(&answer, Code::IdempotencyStoreUnavailable);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(kafka.count("storeless").await, 1);
    // Who sends no key needs no store.
    let without = wire::request(public, "POST", "/other/storeless", &[], "y").await;
    assert_eq!(without.status, 200, "{}", without.text());
    redis.restart().await;
    let said = wait::until("the store", || async {
        let answer = post(public, "/other/storeless", "k", "x").await;
        (answer.status == 200).then_some(answer)
    });
    let said = said.await.text();
    replayed(&post(public, "/other/storeless", "k", "x").await, &said);
    assert_eq!(kafka.count("storeless").await, 3);
}
