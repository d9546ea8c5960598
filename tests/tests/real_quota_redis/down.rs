//! No server, and the server back: what the configuration says becomes of every call that needs
//! it, and nobody has to restart anything.

use serde_json::Value;
use weir_tests::Gateway;
use weir_tests::metered::Speaker;
use weir_tests::openai::Provider;
use weir_tests::redis::Redis;
use weir_tests::wait;

use crate::callers::{Callers, Told, call};
use crate::{PLENTY, at, comes_to, config};

/// Calls that need the store, of each consumer.
const CALLS: u64 = 30;

/// A gateway whose quotas do that while the store does not answer.
async fn gateway(provider: &Provider, redis: &Redis, on_store_failure: &str) -> Gateway {
    let yaml = config(provider, &at(&[redis.addr().to_string()]), PLENTY, PLENTY);
    let says = format!(", on_store_failure: {on_store_failure}, by: [");
    Gateway::start(&yaml.replace(", by: [", &says)).await
}

/// Calls until one is served.
async fn served(gateway: &Gateway, consumer: &str, told: &mut Told) {
    wait::until(format!("{consumer} to be served"), || async {
        let mut now = Told::default();
        let response = call(gateway.addr("public"), consumer, &mut now).await;
        (response.status == 200).then_some(now.tokens)
    })
    .await;
    told.tokens += 9;
}

async fn decisions(gateway: &Gateway, quota: &str, decision: &str) -> f64 {
    let labels = [("quota", quota), ("decision", decision)];
    gateway.metric("weir_quota_decisions_total", &labels).await
}

/// What it says of its store, as one that serves.
async fn store(gateway: &Gateway) -> String {
    let ready = gateway.admin("/readyz").await;
    assert_eq!(ready.status, 200);
    ready.json()["stores"]["ledger"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_means_all_and_back_means_without_a_restart() {
    let mut redis = Redis::start().await;
    let provider = Speaker::new(40).start().await;
    let gateway = gateway(&provider, &redis, "deny").await;
    let public = gateway.addr("public");
    let mut told = Told::default();
    // Nobody meets a store that is not open yet, though an empty one takes its time.
    assert_eq!(store(&gateway).await, "ok");
    for consumer in ["ann", "bob"] {
        assert_eq!(call(public, consumer, &mut told).await.status, 200);
    }
    redis.kill().await;
    // What is on lease may be spent; then, of what needs the store, nothing passes.
    let refusal = wait::until("what is on lease to be spent", || async {
        let mut now = Told::default();
        let response = call(public, "ann", &mut now).await;
        (response.status != 200).then_some(response)
    })
    .await;
    assert_eq!(refusal.status, 503, "{}", refusal.text());
    assert_eq!(
        refusal.header("weir-error"),
        Some("quota_store_unavailable")
    );
    assert!(refusal.header("retry-after").is_some());
    let body: Value = refusal.json();
    assert_eq!(body["error"]["code"], "quota_store_unavailable", "{body}");

    let before = decisions(&gateway, "calls", "unavailable").await
        + decisions(&gateway, "all", "unavailable").await
        + decisions(&gateway, "team", "unavailable").await;
    let mut refused = Told::default();
    // Cyd was never served, and ann has nothing left.
    for consumer in ["ann", "cyd"] {
        for _ in 0..CALLS {
            call(public, consumer, &mut refused).await;
        }
    }
    assert_eq!(
        refused.count(503, "quota_store_unavailable"),
        2 * CALLS,
        "{:?}",
        refused.answers
    );
    let after = decisions(&gateway, "calls", "unavailable").await
        + decisions(&gateway, "all", "unavailable").await
        + decisions(&gateway, "team", "unavailable").await;
    assert_eq!((after - before) as u64, 2 * CALLS);
    let failures = [("store", "ledger")];
    let failures = gateway.metric("weir_quota_store_failures_total", &failures);
    assert!(failures.await >= 1.0);
    // Other routes are served, so this gateway is not taken out of service.
    assert!(store(&gateway).await.contains("Redis at 127.0.0.1"));
    let logged = gateway
        .wait_for_log(|line| line["error.type"] == "quota_store_unavailable")
        .await;
    let detail = logged["weir.error.detail"].as_str().unwrap();
    assert!(
        detail.contains("the store ledger: Redis"),
        "it says where to look: {detail}"
    );

    redis.restart().await;
    served(&gateway, "ann", &mut told).await;
    served(&gateway, "cyd", &mut told).await;
    gateway.wait_for_printed("Redis is ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn allowed_means_all_and_is_counted_afterwards() {
    let mut redis = Redis::start().await;
    let provider = Speaker::new(40).start().await;
    let gateway = gateway(&provider, &redis, "allow").await;
    let mut told = Told::default();
    redis.kill().await;
    for consumer in ["ann", "cyd"] {
        for _ in 0..CALLS {
            call(gateway.addr("public"), consumer, &mut told).await;
        }
    }
    assert_eq!(told.served(), 2 * CALLS, "{:?}", told.answers);
    assert_eq!(
        decisions(&gateway, "calls", "unseen").await as u64,
        2 * CALLS
    );
    assert_ne!(store(&gateway).await, "ok");
    redis.restart().await;
    comes_to(&gateway, "calls", "ann", CALLS).await;
    comes_to(&gateway, "all", "acme", told.tokens).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_two_gateways_survive_outages_and_are_counted_exactly() {
    let mut redis = Redis::start().await;
    let provider = Speaker::new(40).start().await;
    let gateways = [
        gateway(&provider, &redis, "deny").await,
        gateway(&provider, &redis, "deny").await,
    ];
    let places = gateways.each_ref().map(|gateway| gateway.addr("public"));
    let callers = Callers::start(&places, &["ann", "bob", "cyd"], 4);
    for _ in 0..3 {
        let before = callers.told().served();
        wait::until_true("more calls to be served", || {
            callers.told().served() > before + 100
        })
        .await;
        redis.kill().await;
        let refused = callers.told().count(503, "quota_store_unavailable");
        wait::until_true("calls to be refused", || {
            callers.told().count(503, "quota_store_unavailable") > refused
        })
        .await;
        redis.restart().await;
    }
    let before = callers.told().served();
    wait::until_true("calls to be served again", || {
        callers.told().served() > before + 100
    })
    .await;
    let told = callers.stop().await;
    assert_eq!(
        told.served() + told.count(503, "quota_store_unavailable"),
        told.all(),
        "{:?}",
        told.answers
    );
    for gateway in &gateways {
        comes_to(gateway, "all", "acme", told.tokens).await;
    }
}
