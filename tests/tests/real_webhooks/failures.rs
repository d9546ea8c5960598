//! Receivers that do not take records: tried again, waited for, or given up.

use std::collections::HashSet;

use weir_tests::kafka::{Kafka, Written};
use weir_tests::upstream::{Behaviour, Step, When};
use weir_tests::{Upstream, wait};

use super::setup::{
    Setup, assert_each_and_in_order, failing_first, no_content, number, write_numbered,
};

#[tokio::test]
async fn keys_keep_their_order_while_records_are_tried_again() {
    let kafka = Kafka::shared().await;
    // Every third record fails the first two times.
    let receiver = Upstream::start(failing_first(2, |number| number % 3 == 0)).await;
    let setup = Setup::new(kafka, &receiver, "ordered", 3).await;
    let gateway = setup
        .start("retries: { backoff: { first: 50ms, max: 200ms } }\n    max_in_flight: 8")
        .await;
    let written = write_numbered(kafka, "ordered", 3, 5, 20).await;
    let all = wait::until("all records", || async {
        let requests = receiver.requests();
        let taken: HashSet<u64> = requests.iter().map(number).collect();
        (taken.len() == written).then_some(requests)
    })
    .await;
    assert!(all.len() >= written);
    let labels = [("weir_webhook", "hook"), ("outcome", "delivered")];
    gateway
        .wait_for_metric("weir_webhook_records_total", &labels, |n| {
            n >= written as f64
        })
        .await;
    assert_each_and_in_order(&receiver.requests(), written);
}

#[tokio::test]
async fn what_is_refused_or_given_up_is_a_dead_letter_with_the_reason() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("letters-dead", 1).await;
    let receiver = Upstream::start(Behaviour::new(When::Whole, |request| {
        let status = match request.json()["key"].as_str() {
            Some("refused") => "422 No",
            Some("failing") => "500 No",
            _ => "200 Yes",
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        vec![Step::Send(answer.into_bytes())]
    }))
    .await;
    let setup = Setup::new(kafka, &receiver, "letters", 1).await;
    let gateway = setup
        .start(
            "retries: { max_attempts: 3, backoff: { first: 20ms, max: 50ms } }\n    \
             dead_letter: { topic: letters-dead }",
        )
        .await;
    let record = |key| Written {
        key: Some(key),
        value: Some(b"{\"n\":1}"),
        headers: &[("x", b"y")],
        timestamp: None,
    };
    let records = [record("refused"), record("failing"), record("good")];
    kafka.write("letters", 0, &records).await;

    let letters = kafka.consume("letters-dead", 2).await;
    for (key, error, attempts, offset) in
        [("refused", "422", "1", "0"), ("failing", "500", "3", "1")]
    {
        let letter = letters
            .iter()
            .find(|letter| letter.key.as_deref() == Some(key.as_bytes()))
            .unwrap();
        assert_eq!(letter.text(), "{\"n\":1}");
        for (name, value) in [
            ("x", "y"),
            ("weir-error", error),
            ("weir-attempts", attempts),
            ("weir-original-topic", "letters"),
            ("weir-original-partition", "0"),
            ("weir-original-offset", offset),
            ("weir-webhook", "hook"),
        ] {
            assert_eq!(letter.header(name).as_deref(), Some(value), "{name}");
        }
        assert!(letter.header("weir-failed-at").is_some());
    }
    let labels = [("weir_webhook", "hook"), ("outcome", "dead_letter")];
    gateway
        .wait_for_metric("weir_webhook_records_total", &labels, |n| n == 2.0)
        .await;
    let labels = [("weir_webhook", "hook"), ("outcome", "delivered")];
    gateway
        .wait_for_metric("weir_webhook_records_total", &labels, |n| n == 1.0)
        .await;
    // All three are done, and are not given out again.
    let lag = [("weir_webhook", "hook")];
    gateway
        .wait_for_metric("weir_webhook_lag_records", &lag, |n| n == 0.0)
        .await;
    let keys = receiver.requests();
    let of = |key: &str| keys.iter().filter(|r| r.json()["key"] == key).count();
    assert_eq!([of("refused"), of("failing"), of("good")], [1, 3, 1]);
}

#[tokio::test]
async fn without_a_dead_letter_topic_the_partition_waits_and_says_so() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(Behaviour::answer(404, &[], "")).await;
    let setup = Setup::new(kafka, &receiver, "stuck", 1).await;
    let gateway = setup
        .start("retries: { backoff: { first: 50ms, max: 2s } }\n    ordering: partition")
        .await;
    write_numbered(kafka, "stuck", 1, 1, 2).await;
    let labels = [("weir_webhook", "hook"), ("reason", "undeliverable")];
    gateway
        .wait_for_metric("weir_webhook_paused", &labels, |n| n == 1.0)
        .await;
    let shown = gateway.admin("/webhooks").await.json();
    let partition = &shown[0]["partitions"][0];
    assert_eq!(partition["paused"]["reason"], "undeliverable", "{shown}");
    assert_eq!(partition["next_offset"], 0);
    assert!(partition["last_error"].as_str().unwrap().contains("404"));
    let lag = [("weir_webhook", "hook")];
    gateway
        .wait_for_metric("weir_webhook_lag_records", &lag, |n| n == 2.0)
        .await;
    // Once the receiver takes it, all goes on.
    receiver.set(no_content());
    let labels = [("weir_webhook", "hook"), ("outcome", "delivered")];
    gateway
        .wait_for_metric("weir_webhook_records_total", &labels, |n| n == 2.0)
        .await;
}

#[tokio::test]
async fn a_receiver_that_asks_to_wait_is_waited_for_and_that_is_no_try() {
    let kafka = Kafka::shared().await;
    let busy = Behaviour::answer(503, &["Retry-After: 1"], "");
    let receiver = Upstream::sequence([busy.clone(), busy, no_content()]).await;
    let setup = Setup::new(kafka, &receiver, "asked", 1).await;
    // One try is all a record has.
    let gateway = setup.start("retries: { max_attempts: 1 }").await;
    write_numbered(kafka, "asked", 1, 1, 1).await;
    let labels = [("weir_webhook", "hook"), ("reason", "receiver")];
    gateway
        .wait_for_metric("weir_webhook_paused", &labels, |n| n == 1.0)
        .await;
    let requests = receiver.wait_for_requests(3).await;
    let ids: HashSet<_> = requests.iter().map(|r| r.header("webhook-id")).collect();
    assert_eq!(ids.len(), 1, "an id is the same each time");
    let labels = [("weir_webhook", "hook"), ("outcome", "delivered")];
    gateway
        .wait_for_metric("weir_webhook_records_total", &labels, |n| n == 1.0)
        .await;
}

#[tokio::test]
async fn an_open_breaker_and_a_quota_hold_records_without_a_try() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(Behaviour::answer(500, &[], "")).await;
    let setup = Setup::new(kafka, &receiver, "held", 1).await;
    let gateway = setup
        .breaker()
        .start("quotas: [sent]\n    retries: { max_attempts: 100, backoff: { first: 20ms, max: 50ms } }")
        .await;
    write_numbered(kafka, "held", 1, 6, 2).await;
    let paused = |reason| [("weir_webhook", "hook"), ("reason", reason)];
    gateway
        .wait_for_metric("weir_webhook_paused", &paused("destination"), |n| n == 1.0)
        .await;
    receiver.set(no_content());
    // The quota lets six through in three seconds.
    gateway
        .wait_for_metric("weir_webhook_paused", &paused("quota"), |n| n == 1.0)
        .await;
    let labels = [("weir_webhook", "hook"), ("outcome", "delivered")];
    gateway
        .wait_for_metric("weir_webhook_records_total", &labels, |n| n == 12.0)
        .await;
}
