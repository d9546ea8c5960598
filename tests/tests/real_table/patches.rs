//! Many patch one value at once and name no version of it: all of them are in it at last, or are told that
//! they are not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use weir_telemetry::Code;
use weir_tests::kafka::Kafka;
use weir_tests::{Gateway, wait};

use super::scene::{ask, etag, gateway, refused, yaml};

const PATH: &str = "/users/shared";

/// Adds members to the value, each by a patch of its own; says how often it was asked to try again.
async fn patch(gateways: Vec<SocketAddr>, client: usize, times: usize) -> usize {
    let merge = ["Content-Type: application/merge-patch+json"];
    let mut refusals = 0;
    for (count, at) in gateways.iter().cycle().take(times).enumerate() {
        let body = format!("{{\"{client}-{count}\": {count}}}");
        loop {
            let patched = ask(*at, "PATCH", PATH, &merge, &body).await;
            if patched.status == 204 {
                break;
            }
            // It names no version, so that no version can be wrong.
            refused(&patched, Code::KafkaQueueFull);
            assert!(patched.header("retry-after").is_some());
            refusals += 1;
        }
    }
    refusals
}

/// So many clients, so many patches each: all are there.
async fn contend(gateways: &[SocketAddr], clients: usize, times: usize) {
    let first = ask(gateways[0], "PUT", PATH, &[], "{}").await;
    let path = format!("{PATH}?at_least={}", etag(&first).trim_matches('"'));
    for at in gateways {
        assert_eq!(ask(*at, "GET", &path, &[], "").await.status, 200);
    }
    let tasks = (0..clients).map(|client| {
        let mut gateways = gateways.to_vec();
        let first = client % gateways.len();
        gateways.rotate_left(first);
        tokio::spawn(patch(gateways, client, times))
    });
    let tasks: Vec<_> = tasks.collect();
    let mut refusals = 0;
    for task in tasks {
        refusals += task.await.unwrap();
    }
    // Who writes has read to the end.
    let at = gateways[0];
    let last = ask(at, "PUT", "/users/last", &[], "1").await;
    assert!(last.status < 300, "{}", last.text());
    let value = ask(at, "GET", PATH, &[], "").await.json();
    let found: BTreeSet<String> = value.as_object().unwrap().keys().cloned().collect();
    let wanted =
        (0..clients).flat_map(|client| (0..times).map(move |count| format!("{client}-{count}")));
    assert_eq!(found, wanted.collect::<BTreeSet<_>>());
    println!(
        "{} patches of one value by {clients} clients over {} gateways, {refusals} refused with 503",
        clients * times,
        gateways.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_patch_of_many_at_one_gateway_is_told_of_a_version_it_never_named() {
    let kafka = Kafka::shared().await;
    let topic = "table-patches";
    kafka.create_topic(topic, 1).await;
    let gateway = gateway(kafka, topic).await;
    contend(&[gateway.addr("public")], 40, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_where_two_gateways_take_the_partition_from_each_other() {
    let kafka = Kafka::shared().await;
    let topic = "table-patches-two";
    kafka.create_topic(topic, 1).await;
    let (one, two) = (gateway(kafka, topic).await, gateway(kafka, topic).await);
    contend(&[one.addr("public"), two.addr("public")], 8, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_while_brokers_do_not_answer_is_not_written_later() {
    let kafka = Kafka::start().await;
    let topic = "table-patches-paused";
    kafka.create_topic(topic, 1).await;
    let hasty = yaml(&kafka, topic, "").replace("timeout: 15s", "timeout: 1s");
    let gateway = Gateway::start(&hasty).await;
    let at = gateway.addr("public");
    wait::until("a value to patch".to_owned(), || async {
        (ask(at, "PUT", PATH, &[], "{}").await.status < 300).then_some(())
    })
    .await;
    kafka.pause();
    let tasks = (0..8).map(|client| {
        tokio::spawn(async move {
            let merge = ["Content-Type: application/merge-patch+json"];
            let body = format!("{{\"{client}\": 1}}");
            (client, ask(at, "PATCH", PATH, &merge, &body).await)
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut refusals = BTreeMap::new();
    for task in tasks {
        let (client, answer) = task.await.unwrap();
        let code = answer.header("weir-error").unwrap_or("none").to_owned();
        let code = code.parse::<Code>().unwrap();
        match code {
            Code::KafkaOutcomeUnknown => {}
            Code::KafkaQueueFull | Code::KafkaUnavailable => {
                refusals.insert(client.to_string(), code);
            }
            _ => panic!("{}", answer.text()),
        }
    }
    assert!(!refusals.is_empty(), "the brokers answered nobody");
    kafka.resume();
    wait::until("a write after the brokers are back".to_owned(), || async {
        (ask(at, "PUT", "/users/last", &[], "1").await.status < 300).then_some(())
    })
    .await;
    let value = ask(at, "GET", PATH, &[], "").await.json();
    for (client, code) in &refusals {
        assert!(
            value.get(client).is_none(),
            "{client} was told {code}: {value}"
        );
    }
    println!("refused, and not there: {refusals:?}");
}
