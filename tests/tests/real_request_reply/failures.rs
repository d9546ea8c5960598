//! Brokers that stop, and topics that forget.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::json;
use weir_tests::kafka::Kafka;
use weir_tests::wait;

use super::responder::Responder;
use super::setup::{accepted, code, gateway, get, location, post, topics};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_topic_holds_no_more_is_said_to_be_gone() {
    let kafka = Kafka::shared().await;
    topics(kafka, "gone").await;
    let first = gateway(kafka, "gone").await;
    let url = accepted(&first, &json!({})).await;
    let responder = Responder::start(kafka, "gone-requests");
    let reply = kafka.consume("gone-replies", 1).await[0].partition;
    drop(responder);
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    all.add_partition_offset("gone-replies", reply, Offset::End)
        .unwrap();
    let deleted = admin.delete_records(&all, &AdminOptions::new()).await;
    deleted.unwrap();
    let second = gateway(kafka, "gone").await;
    let answer = get(&second, &url).await;
    assert_eq!((answer.status, code(&answer)), (410, "kafka_reply_gone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stops_loses_no_reply() {
    let mut kafka = Kafka::start().await;
    topics(&kafka, "stopped").await;
    let gateway = gateway(&kafka, "stopped").await;
    let url = accepted(&gateway, &json!({ "n": 1 })).await;
    // So that the topic of replies is known to be followed.
    assert_eq!(get(&gateway, &url).await.status, 202);
    kafka.stop().await;
    let refused = post(&gateway, "/hasty", &[], &json!({ "n": 2 })).await;
    assert!(
        matches!(
            code(&refused),
            "kafka_unavailable" | "kafka_outcome_unknown"
        ),
        "{}: {}",
        refused.status,
        refused.text()
    );
    if code(&refused) == "kafka_outcome_unknown" {
        location(&refused);
    }
    kafka.restart().await;
    let _responder = Responder::start(&kafka, "stopped-requests");
    let answer = wait::until("the reply", || async {
        let answer = get(&gateway, &format!("{url}?wait=5s")).await;
        (answer.status != 202 && answer.status != 503).then_some(answer)
    })
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["asked"]["n"], 1);
}
