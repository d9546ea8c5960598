//! Where a group begins, and that nothing is skipped from then on.

use weir_tests::child::Kind;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::{Gateway, Upstream, wait};

use super::setup::{Setup, no_content, number};

async fn write(kafka: &Kafka, topic: &str, partition: i32, number: usize) {
    let value = format!("{{\"n\":{number}}}");
    let record = Written {
        value: Some(value.as_bytes()),
        ..Written::default()
    };
    kafka.write(topic, partition, &[record]).await;
}

/// The numbers that came, each once, in order.
fn numbers(receiver: &Upstream) -> Vec<u64> {
    let mut numbers: Vec<u64> = receiver.requests().iter().map(number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

async fn come(receiver: &Upstream, expected: &[u64]) {
    wait::until_true("the records", || numbers(receiver).len() >= expected.len()).await;
    assert_eq!(numbers(receiver), expected);
}

/// The configuration, beginning with the next record, and noticing soon what is new in the cluster.
fn from_latest(setup: &Setup) -> String {
    let properties = "properties: { topic.metadata.refresh.interval.ms: 3000 }, bootstrap_servers";
    let yaml = setup.yaml("").replace("start: earliest", "start: latest");
    yaml.replace("bootstrap_servers", properties)
}

async fn partitions(gateway: &Gateway, count: f64) {
    let hook = [("weir_webhook", "hook")];
    gateway
        .wait_for_metric("weir_webhook_partitions", &hook, |n| n == count)
        .await;
}

#[tokio::test]
async fn what_comes_while_no_gateway_runs_is_not_skipped_though_nothing_was_done_before() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "begun", 2).await;
    write(kafka, "begun", 0, 100).await;
    let gateway = Gateway::start(&from_latest(&setup)).await;
    wait::until("a beginning", || async {
        let committed = kafka.committed("g-begun", "begun").await;
        (committed == [Some(1), Some(0)]).then_some(())
    })
    .await;
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    write(kafka, "begun", 0, 1).await;
    write(kafka, "begun", 1, 2).await;
    let _next = Gateway::start(&from_latest(&setup)).await;
    come(&receiver, &[1, 2]).await;
}

#[tokio::test]
async fn topics_and_partitions_that_come_later_begin_with_their_first_record() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "grown", 1).await;
    write(kafka, "grown", 0, 100).await;
    let yaml = from_latest(&setup).replace("topics: [grown]", "topics: [grown, sprung]");
    let gateway = Gateway::start(&yaml).await;
    partitions(&gateway, 1.0).await;
    kafka.create_topic("sprung", 1).await;
    write(kafka, "sprung", 0, 1).await;
    kafka.add_partitions("grown", 2).await;
    write(kafka, "grown", 1, 2).await;
    come(&receiver, &[1, 2]).await;
    partitions(&gateway, 3.0).await;
    let shown: serde_json::Value = gateway.admin("/webhooks").await.json();
    assert_eq!(shown[0]["trouble"], serde_json::Value::Null, "{shown}");
}

#[tokio::test]
async fn what_is_left_comes_where_retention_took_what_was_next() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(no_content()).await;
    let setup = Setup::new(kafka, &receiver, "retained", 1).await;
    let gateway = Gateway::start(&from_latest(&setup)).await;
    partitions(&gateway, 1.0).await;
    write(kafka, "retained", 0, 1).await;
    come(&receiver, &[1]).await;
    assert!(gateway.stop().await.success());
    for number in 2..6 {
        write(kafka, "retained", 0, number).await;
    }
    kafka.delete_before("retained", 0, 3).await;
    let next = Gateway::start(&from_latest(&setup)).await;
    come(&receiver, &[1, 4, 5]).await;
    assert!(next.log().concat().contains("offset reset"));
}
