//! Usage as events on a real Kafka: what requests leave in the topic, and counters made anew from it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lasting;
mod replay;
mod spent;
mod told;

use std::collections::BTreeMap;

use serde_json::Value;
use weir_tests::gateway::Builder;
use weir_tests::kafka::Kafka;
use weir_tests::openai::Provider;
use weir_tests::{Gateway, cli, metered, wait};

/// A gateway that tells of usage in a topic, and counts in a store of that kind: tokens and calls by
/// consumer, and money by team. `most` is how many calls each consumer has.
fn builder(broker: &str, topic: &str, provider: &Provider, store: &str, most: u64) -> Builder {
    Gateway::builder(&yaml(broker, topic, provider, store, most))
}

fn yaml(broker: &str, topic: &str, provider: &Provider, store: &str, most: u64) -> String {
    let quotas = [
        metered::quota("tokens", "tokens", "1000000", ", by: [consumer]"),
        metered::quota("calls", "requests", &most.to_string(), ", by: [consumer]"),
        metered::quota("spend", "money", "\"1000\"", ", by: [team]"),
    ];
    let config = metered::config(provider, &quotas.concat(), "tokens, calls, spend");
    let memory = "stores: [{ name: ledger, kind: memory }]";
    assert!(config.contains(memory));
    let store = format!("stores: [{{ name: ledger, {store} }}]");
    format!(
        "{}usage_events: {{ cluster: events, topic: {topic} }}\n\
         kafka_clusters:\n  - name: events\n    bootstrap_servers: [\"{broker}\"]\n    spool: {{ max_size: 1MiB }}\n",
        config.replace(memory, &store)
    )
}

/// So many records of a topic.
async fn records(kafka: &Kafka, topic: &str, count: usize) -> Vec<Value> {
    let records = kafka.consume(topic, count).await;
    let read = |record: &weir_tests::kafka::Record| -> Value {
        let value: Value = serde_json::from_str(&record.text()).unwrap();
        assert_eq!(
            record.header("weir-request-id").as_deref(),
            value["request_id"].as_str()
        );
        value
    };
    records.iter().map(read).collect()
}

/// What is used and owed of each key of each quota.
type Counters = BTreeMap<(String, String), (u64, u64)>;

/// The counters by what records say.
fn summed(records: &[Value]) -> Counters {
    let mut sums = Counters::new();
    for quota in records
        .iter()
        .flat_map(|record| record["quotas"].as_array().unwrap())
    {
        let name = |member: &str| quota[member].as_str().unwrap().to_owned();
        let sum = sums.entry((name("name"), name("key"))).or_default();
        for part in quota["parts"].as_array().unwrap() {
            sum.0 += part["settled"].as_u64().unwrap();
            sum.1 += part["debt"].as_u64().unwrap();
        }
    }
    sums.retain(|_, sum| *sum != (0, 0));
    sums
}

/// The counters as a gateway has them, once nothing is reserved.
async fn counted(gateway: &Gateway) -> Counters {
    counted_of(gateway, &["tokens", "calls", "spend"]).await
}

/// Those of quotas of these names.
async fn counted_of(gateway: &Gateway, quotas: &[&str]) -> Counters {
    wait::until("reservations to be settled", || async {
        let mut counters = Counters::new();
        for name in quotas {
            let shown = gateway.admin(&format!("/quotas/{name}")).await.json();
            if shown["total"]["reserved"] != 0 {
                return None;
            }
            for key in shown["list"].as_array()? {
                let figure = |name: &str| key[name].as_u64().unwrap();
                let place = ((*name).to_owned(), key["key"].as_str().unwrap().to_owned());
                counters.insert(place, (figure("used"), figure("debt")));
            }
        }
        Some(counters)
    })
    .await
}

/// Waits until a gateway counts so.
async fn comes_to(gateway: &Gateway, expected: &Counters) {
    let what = format!("counters to come to {expected:?}");
    wait::until(what, || async {
        (counted(gateway).await == *expected).then_some(())
    })
    .await;
}

/// `weir usage replay` on this gateway, with further arguments.
fn replay(gateway: &Gateway, arguments: &[&str]) -> Value {
    let admin = gateway.url("admin");
    let always = [
        "usage", "replay", "--json", "--reason", "a test", "--admin", &admin,
    ];
    let output = cli::run_with(&[&always, arguments].concat(), &[("WEIR_ADMIN_TOKEN", "")]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    serde_json::from_str(&output.stdout).unwrap()
}

/// By how much all keys were raised.
fn difference(replayed: &Value) -> u64 {
    let keys = replayed["list"].as_array().unwrap().iter();
    keys.map(|key| {
        key["difference"]
            .as_u64()
            .unwrap_or_else(|| panic!("{key}"))
    })
    .sum()
}
