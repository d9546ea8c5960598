//! Cursors: whose they are, and for what.

use serde_json::json;
use weir_tests::kafka::Kafka;
use weir_tests::{Gateway, wire};

use super::{KEYS, configuration, gateway, values, with_keys, write};

async fn ask(gateway: &Gateway, topic: &str, cursor: &str) -> (u16, String, serde_json::Value) {
    let target = format!("/feeds/{topic}?cursor={cursor}");
    let answer = wire::get(gateway.addr("public"), &target).await;
    let code = answer.header("weir-error").unwrap_or_default().to_owned();
    (answer.status, code, answer.json())
}

async fn end(gateway: &Gateway, topic: &str) -> String {
    let answer = wire::get(gateway.addr("public"), &format!("/feeds/{topic}")).await;
    answer.json()["cursor"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_replaced_without_losing_anybody() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("keys", 1).await;
    let old = gateway(kafka).await;
    let both = "cursor_keys: [{ secret: newer }, { secret: cursors }]";
    let both = with_keys(kafka, both).await;
    let new = with_keys(kafka, "cursor_keys: [{ secret: newer }]").await;
    let cursor = end(&old, "keys").await;
    write(kafka, "keys", 0, &["1"]).await;
    let (status, _, answer) = ask(&both, "keys", &cursor).await;
    assert_eq!(
        (status, values(answer["records"].as_array().unwrap())),
        (200, vec![json!(1)])
    );
    let (status, code, _) = ask(&new, "keys", &cursor).await;
    assert_eq!((status, &*code), (400, "cursor_invalid"));
    let newer = answer["cursor"].as_str().unwrap();
    write(kafka, "keys", 0, &["2"]).await;
    let (status, _, answer) = ask(&new, "keys", newer).await;
    assert_eq!(
        (status, values(answer["records"].as_array().unwrap())),
        (200, vec![json!(2)])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_of_one_topic() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("mine", 1).await;
    kafka.create_topic("other", 1).await;
    let gateway = gateway(kafka).await;
    let cursor = end(&gateway, "mine").await;
    assert_eq!(ask(&gateway, "mine", &cursor).await.0, 200);
    assert_eq!(ask(&gateway, "other", &cursor).await.1, "cursor_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_keeps_a_key_of_its_own_where_none_is_said() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("own-key", 1).await;
    let alone = with_keys(kafka, "").await;
    let cursor = end(&alone, "own-key").await;
    let other = with_keys(kafka, "").await;
    assert_eq!(ask(&other, "own-key", &cursor).await.1, "cursor_invalid");
    // It outlives a reload.
    let with_more = configuration(kafka, "").replace("max_records: 5", "max_records: 6");
    alone.reload(&with_more).await;
    assert_eq!(ask(&alone, "own-key", &cursor).await.0, 200);
    alone.reload(&configuration(kafka, KEYS)).await;
    assert_eq!(ask(&alone, "own-key", &cursor).await.1, "cursor_invalid");
}
