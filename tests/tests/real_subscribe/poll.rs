//! Asking again and again.

use serde_json::json;
use weir_tests::kafka::Kafka;
use weir_tests::wire;

use super::{gateway, values, write};

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_says_where_the_next_begins() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("polled", 1).await;
    let gateway = gateway(kafka).await;
    let public = gateway.addr("public");
    let first = wire::get(public, "/feeds/polled").await;
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let first = first.json();
    assert_eq!(first["records"], json!([]));
    write(kafka, "polled", 0, &["1", "2", "3", "4", "5", "6", "7"]).await;
    let mut cursor = first["cursor"].as_str().unwrap().to_owned();
    let mut found = Vec::new();
    for (limit, expected) in [("2", 2), ("2000", 5), ("1", 0)] {
        let target = format!("/feeds/polled?cursor={cursor}&limit={limit}&wait=100ms");
        let answer = wire::get(public, &target).await.json();
        let records = answer["records"].as_array().unwrap();
        assert_eq!(records.len(), expected, "{target}: {answer}");
        found.extend(values(records));
        cursor = answer["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(found, [1, 2, 3, 4, 5, 6, 7].map(|n| json!(n)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_it_waits_is_answered_at_once() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("awaited", 2).await;
    let gateway = gateway(kafka).await;
    let public = gateway.addr("public");
    let cursor = wire::get(public, "/feeds/awaited").await.json()["cursor"].clone();
    let target = format!(
        "/feeds/awaited?cursor={}&wait=30s",
        cursor.as_str().unwrap()
    );
    let waits = tokio::spawn(async move { wire::get(public, &target).await.json() });
    // Whether it waits already makes no difference.
    write(kafka, "awaited", 1, &["\"now\""]).await;
    let answer = waits.await.unwrap();
    assert_eq!(
        values(answer["records"].as_array().unwrap()),
        [json!("now")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_said_to_be_so() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("refused", 1).await;
    let gateway = gateway(kafka).await;
    let public = gateway.addr("public");
    for (target, status, code) in [
        ("/feeds/refused?wait=soon", 400, "query_invalid"),
        ("/feeds/refused?limit=0", 400, "query_invalid"),
        ("/feeds/refused?start=yesterday", 400, "query_invalid"),
        ("/feeds/refused?cursor=AAAA", 400, "cursor_invalid"),
        ("/feeds/no-such-topic", 404, "kafka_topic_unknown"),
        ("/feeds/no%20topic", 404, "kafka_topic_unknown"),
    ] {
        let answer = wire::get(public, target).await;
        assert_eq!(
            (answer.status, answer.header("weir-error")),
            (status, Some(code)),
            "{target}"
        );
    }
    let answer = wire::request(public, "POST", "/feeds/refused", &[], "x").await;
    assert_eq!(answer.header("weir-error"), Some("method_refused"));
}
