//! Gateways that are killed, and gateways that share a group.

use std::collections::HashSet;
use std::time::Duration;

use weir_tests::child::Kind;
use weir_tests::kafka::Kafka;
use weir_tests::{Upstream, wait};

use super::setup::{Setup, assert_each_and_in_order, echo, text, write_numbered};

#[tokio::test]
async fn each_prompt_has_its_completion_when_the_gateway_is_killed() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::from_millis(20))).await;
    let setup = Setup::new(kafka, &provider, "killed", 2).await;
    let gateway = setup.start("max_in_flight: 4").await;
    let written = write_numbered(kafka, "killed", 2, 4, 25).await;
    assert_eq!(written, 200);
    provider.wait_for_requests(written / 4).await;
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    let next = setup.start("max_in_flight: 4").await;
    let lag = [("weir_llm_worker", "summaries")];
    let all = wait::until("all completions", || async {
        let count = usize::try_from(kafka.count("killed-done").await).unwrap();
        if count < written {
            return None;
        }
        let completions = kafka.consume("killed-done", count).await;
        let texts: HashSet<String> = completions.iter().map(text).collect();
        (texts.len() == written).then_some(())
    });
    all.await;
    next.wait_for_metric("weir_llm_worker_lag_records", &lag, |n| n == 0.0)
        .await;
    let count = usize::try_from(kafka.count("killed-done").await).unwrap();
    let completions = kafka.consume("killed-done", count).await;
    let again = assert_each_and_in_order(&completions, written);
    // Those that come twice carry the same place, by which they are told.
    let places: HashSet<_> = completions
        .iter()
        .map(|it| it.header("weir-prompt"))
        .collect();
    assert_eq!(places.len(), written);
    println!("{again} of {written} prompts were answered twice");
}

#[tokio::test]
async fn two_gateways_share_a_group_and_hand_over_in_order() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::from_millis(20))).await;
    let setup = Setup::new(kafka, &provider, "divided", 4).await;
    let one = setup.start("max_in_flight: 4").await;
    let partitions = [("weir_llm_worker", "summaries")];
    one.wait_for_metric("weir_llm_worker_partitions", &partitions, |n| n == 4.0)
        .await;
    let written = write_numbered(kafka, "divided", 4, 3, 20).await;
    provider.wait_for_requests(40).await;
    let two = setup.start("max_in_flight: 4").await;
    two.wait_for_metric("weir_llm_worker_partitions", &partitions, |n| n == 2.0)
        .await;
    assert!(one.stop().await.success());
    two.wait_for_metric("weir_llm_worker_partitions", &partitions, |n| n == 4.0)
        .await;
    two.wait_for_metric("weir_llm_worker_lag_records", &partitions, |n| n == 0.0)
        .await;
    let count = usize::try_from(kafka.count("divided-done").await).unwrap();
    let completions = kafka.consume("divided-done", count).await;
    let again = assert_each_and_in_order(&completions, written);
    // A commit that falls into the moment in which the group is counted anew is refused by the broker: no
    // more than what was under way may then be run again.
    assert!(again <= 4, "{again} prompts were answered twice");
    assert_eq!(provider.requests().len(), written + again);
}
