//! Gateways that are killed, and gateways that share a group.

use std::collections::HashSet;

use weir_tests::child::Kind;
use weir_tests::kafka::Kafka;
use weir_tests::{Upstream, wait};

use super::setup::{Setup, assert_each_and_in_order, number, slow, uneven, write_numbered};

#[tokio::test]
async fn nothing_is_lost_when_the_gateway_is_killed() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(slow()).await;
    let setup = Setup::new(kafka, &receiver, "killed", 2).await;
    let gateway = setup.start("max_in_flight: 4").await;
    let written = write_numbered(kafka, "killed", 2, 4, 50).await;
    receiver.wait_for_requests(written / 4).await;
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    let next = setup.start("max_in_flight: 4").await;
    wait::until_true("all records", || {
        let taken: HashSet<u64> = receiver.requests().iter().map(number).collect();
        taken.len() == written
    })
    .await;
    let lag = [("weir_webhook", "hook")];
    next.wait_for_metric("weir_webhook_lag_records", &lag, |n| n == 0.0)
        .await;
    assert_each_and_in_order(&receiver.requests(), written);
}

#[tokio::test]
async fn two_gateways_share_a_group_and_hand_over_in_order() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(uneven()).await;
    let setup = Setup::new(kafka, &receiver, "shared", 4).await;
    let one = setup.start("max_in_flight: 4").await;
    let partitions = [("weir_webhook", "hook")];
    one.wait_for_metric("weir_webhook_partitions", &partitions, |n| n == 4.0)
        .await;
    let written = write_numbered(kafka, "shared", 4, 3, 60).await;
    receiver.wait_for_requests(40).await;
    let two = setup.start("max_in_flight: 4").await;
    two.wait_for_metric("weir_webhook_partitions", &partitions, |n| n == 2.0)
        .await;
    // The first one leaves in order: nothing of it is sent twice.
    assert!(one.stop().await.success());
    two.wait_for_metric("weir_webhook_partitions", &partitions, |n| n == 4.0)
        .await;
    receiver.wait_for_requests(written).await;
    two.wait_for_metric("weir_webhook_lag_records", &partitions, |n| n == 0.0)
        .await;
    assert_each_and_in_order(&receiver.requests(), written);
    assert_eq!(
        receiver.requests().len(),
        written,
        "partitions that change hands in order send nothing twice"
    );
}
