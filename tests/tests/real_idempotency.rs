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

/// Sends a batch that is written all or none until it is known what came of it.
async fn insist_whole(public: SocketAddr, path: &str, key: &str, body: &str) -> Response {
    wait::until(format!("an answer to {key}"), || async {
        let answer = post(public, path, key, body).await;
        let came = answer.status == 200;
        assert!(
            came || matches!(answer.status, 409 | 503 | 504),
            "{} {}",
            answer.status,
            answer.text()
        );
        came.then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_gateway_is_killed_amid_is_there_once_and_whole() {
    const BATCHES: usize = 12;
    let (kafka, redis) = (Kafka::start().await, Redis::start().await);
    kafka.create_topic("amid", 1).await;
    let builder = || builder(&kafka, &in_redis(&redis));
    let gateway = builder().start().await;
    let public = gateway.addr("public");
    insist_ready(public, "/whole/amid").await;
    let body = |n: usize| format!("\"{n} a\"\n\"{n} b\"\n\"{n} c\"");
    // Some of them are over when the gateway dies, some are under way, and some have not begun.
    let sent = (0..BATCHES).map(|n| {
        let body = body(n);
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(20 * n as u64)).await;
            let head = format!(
                "POST /whole/amid HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n\
                 Idempotency-Key: {n}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            // Whatever is answered, the caller does not get it.
            if let Ok(mut stream) = tokio::net::TcpStream::connect(public).await {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await;
                tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            }
        })
    });
    let sent: Vec<_> = sent.collect();
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    join_all(sent).await;

    let gateway = builder().start().await;
    let public = gateway.addr("public");
    insist_ready(public, "/other/amid").await;
    let again = (0..BATCHES).map(|n| {
        let body = body(n);
        async move { insist_whole(public, "/whole/amid", &n.to_string(), &body).await }
    });
    let answers = join_all(again).await;
    for (n, answer) in answers.iter().enumerate() {
        let key = n.to_string();
        replayed(
            &post(public, "/whole/amid", &key, &body(n)).await,
            &answer.text(),
        );
        assert_eq!(answer.json()["transaction"], "committed");
    }
    let end = post(public, "/other/amid", "end", "end").await;
    assert_eq!(end.status, 200, "{}", end.text());
    // Those of the batches, and the three others: nothing stands twice before the last.
    let records = kafka.consume("amid", 3 * BATCHES + 3).await;
    assert_eq!(
        records.last().map(weir_tests::kafka::Record::text),
        Some("end".to_owned())
    );
    for (n, answer) in answers.iter().enumerate() {
        let said = answer.json();
        for (at, letter) in ["a", "b", "c"].into_iter().enumerate() {
            let text = format!("\"{n} {letter}\"");
            let found: Vec<_> = records.iter().filter(|r| r.text() == text).collect();
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(said["results"][at]["offset"], found[0].offset, "{text}");
        }
    }
}
