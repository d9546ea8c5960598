//! The ledger on real Redis, as its users meet it: however the servers are set up, whatever
//! becomes of them, through real gateways.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod callers;
mod down;
mod failover;
mod fitness;
mod lost;
mod outage;
mod shared;
mod slow;

use serde_json::Value;
use weir_tests::gateway::Builder;
use weir_tests::openai::Provider;
use weir_tests::{Gateway, metered, wait};

/// More than anybody uses here.
const PLENTY: &str = "100000000";

/// What each consumer may call and what all may use; counted in a store with these settings.
fn config(provider: &Provider, store: &str, calls: &str, all: &str) -> String {
    let quotas = [
        metered::quota("all", "tokens", all, ", by: [organisation]"),
        metered::quota("team", "tokens", PLENTY, ", by: [organisation, team]"),
        metered::quota("calls", "requests", calls, ", by: [consumer]"),
    ];
    let config = metered::config(provider, &quotas.concat(), "all, team, calls");
    on_redis(&config, store)
}

/// The same configuration with its store in Redis. A lease is two seconds, unless it is said.
fn on_redis(config: &str, store: &str) -> String {
    let memory = "stores: [{ name: ledger, kind: memory }]";
    assert!(config.contains(memory));
    let lease = match store.contains("lease:") {
        true => "",
        false => ", lease: 2s",
    };
    let redis = format!("stores: [{{ name: ledger, kind: redis, {store}{lease} }}]");
    config.replace(memory, &redis)
}

/// `addresses: [...]`.
fn at(addresses: &[String]) -> String {
    let each: Vec<String> = addresses.iter().map(|one| format!("\"{one}\"")).collect();
    format!("addresses: [{}]", each.join(", "))
}

/// How one key stands, as a gateway tells it.
async fn standing(gateway: &Gateway, quota: &str, key: &str) -> Option<Value> {
    let response = gateway.admin(&format!("/quotas/{quota}/{key}")).await;
    (response.status == 200).then(|| response.json())
}

/// Figures of how a key stands.
fn figure(standing: &Value, name: &str) -> u64 {
    standing[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {standing}"))
}

/// Waits until a gateway says that so much of a key is used and nothing reserved or owed.
async fn comes_to(gateway: &Gateway, quota: &str, key: &str, used: u64) {
    let what = format!("{used} of {quota} {key} to be all that counts");
    let mut last = Value::Null;
    for _ in 0..600 {
        if let Some(standing) = standing(gateway, quota, key).await {
            let now = ["used", "reserved", "debt"].map(|name| figure(&standing, name));
            if now == [used, 0, 0] {
                return;
            }
            last = standing;
        }
        tokio::time::sleep(wait::DEADLINE / 600).await;
    }
    panic!("waited in vain for {what}: {last}");
}

/// Starts two gateways.
async fn two(start: impl Fn() -> Builder) -> [Gateway; 2] {
    [start().start().await, start().start().await]
}
