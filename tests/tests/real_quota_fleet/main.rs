//! Many gateways on one ledger, under load, while gateways and the store are killed: nobody spends
//! beyond a limit, what was settled is counted exactly, and what a dead gateway held comes back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod callers;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use weir_tests::child::Kind;
use weir_tests::metered::{self, Speaker};
use weir_tests::redis::Redis;
use weir_tests::{Gateway, wait};

use callers::{Callers, Place};

/// What the organisation may use, which it never does, and what each consumer may.
const ALL: u64 = 100_000_000;
const EACH: u64 = 30_000;

/// A configuration that counts in this store.
fn config(provider: &weir_tests::openai::Provider, store: &str) -> String {
    let quotas = [
        metered::quota("all", "tokens", &ALL.to_string(), ", by: [organisation]"),
        metered::quota("each", "tokens", &EACH.to_string(), ", by: [consumer]"),
        metered::quota("calls", "requests", &ALL.to_string(), ", by: [team]"),
    ];
    let config = metered::config(provider, &quotas.concat(), "all, each, calls");
    let memory = "stores: [{ name: ledger, kind: memory }]";
    assert!(config.contains(memory));
    config.replace(memory, &format!("stores: [{{ name: ledger, {store} }}]"))
}

fn on(redis: &Redis) -> String {
    format!("kind: redis, addresses: [\"{}\"], lease: 5s", redis.addr())
}

/// How one key stands, as a gateway tells it.
async fn standing(place: &Place, quota: &str, key: &str) -> Option<Value> {
    let response = place.admin(&format!("/quotas/{quota}/{key}")).await?;
    (response.status == 200).then(|| response.json())
}

fn figure(standing: &Value, name: &str) -> u64 {
    standing[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {standing}"))
}

/// Looks on for as long as it is awaited: no limit is ever exceeded.
async fn never_over(place: &Place) {
    loop {
        for (quota, key) in [
            ("all", "acme"),
            ("each", "ann"),
            ("each", "bob"),
            ("each", "cyd"),
        ] {
            if let Some(standing) = standing(place, quota, key).await {
                let counted = ["used", "reserved", "debt"].map(|name| figure(&standing, name));
                let limit = figure(&standing, "limit");
                assert!(
                    counted.iter().sum::<u64>() <= limit,
                    "{quota} {key}: {standing}"
                );
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn kill(place: &Place) {
    let gateway = place.empty().await;
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    place.fill(gateway.successor().start().await).await;
}

async fn upgrade(place: &Place) {
    let next = place.successor().await.arg("--upgrade").start().await;
    let old = place.fill(next).await.unwrap();
    assert!(old.wait_exit().await.success());
}

/// Once nothing is under way and dead gateways' leases are over, the ledger is the sum of what was
/// recorded.
async fn is_exact(place: &Place, callers: &Callers) {
    let mut told = Value::Null;
    wait::until("everything reserved to be settled or back", || async {
        let standing = standing(place, "all", "acme").await?;
        (figure(&standing, "reserved") == 0).then_some(())
    })
    .await;
    let mut all = 0;
    for consumer in ["ann", "bob", "cyd"] {
        let standing = standing(place, "each", consumer).await.unwrap();
        let counted = figure(&standing, "used") + figure(&standing, "debt");
        let (certain, possible) = callers.used(consumer);
        assert!(
            (certain..=possible).contains(&counted),
            "{consumer} was told of {certain}, and of {possible} at most: {standing}; {}",
            callers.told()
        );
        assert!(counted <= EACH, "{standing}");
        all += counted;
        told = standing;
    }
    assert_eq!(figure(&told, "debt"), 0);
    let standing = standing(place, "all", "acme").await.unwrap();
    assert_eq!(figure(&standing, "used"), all, "{standing}");
}

/// Nobody is refused while there is as good as nothing in use.
async fn nearly_all_can_be_spent(at: &Place, watcher: &Place) {
    let address = at.get().await.unwrap();
    for consumer in ["ann", "bob", "cyd"] {
        for most in [500, 40, 1] {
            spend(address, consumer, most).await;
        }
        let standing = standing(watcher, "each", consumer).await.unwrap();
        let used = figure(&standing, "used");
        assert!(used <= EACH && used * 100 >= EACH * 99, "{standing}");
    }
}

/// Calls until nothing is left for calls of this size.
async fn spend(place: SocketAddr, consumer: &str, most: u64) {
    wait::until(format!("{consumer} to have nothing left"), || async {
        let ask = metered::ask(&format!(r#","max_tokens":{most}"#));
        let answer = metered::post(place, consumer, ask).await;
        (answer.status == 429).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_gateways_and_a_store_that_crash_neither_overspend_nor_forget() {
    let mut redis = Redis::start().await;
    let speaker = Speaker::new(40);
    let provider = speaker.start().await;
    let config = config(&provider, &on(&redis));
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(Place::new(Gateway::start(&config).await));
    }
    let watcher = Place::new(Gateway::start(&config).await);
    let callers = Callers::start(&places, 64);
    let chaos = async {
        for round in 0..2 {
            for place in &places {
                sleep(Duration::from_millis(700)).await;
                kill(place).await;
            }
            sleep(Duration::from_millis(500)).await;
            redis.crash().await;
            if round == 0 {
                sleep(Duration::from_millis(700)).await;
                kill(&places[0]).await;
            }
        }
        sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        () = chaos => {}
        () = never_over(&watcher) => {}
    }
    callers.stop().await;
    is_exact(&watcher, &callers).await;

    nearly_all_can_be_spent(&places[0], &watcher).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_that_is_killed_and_upgraded_neither_overspends_nor_forgets() {
    let provider = Speaker::new(40).start().await;
    let place = Place::new(Gateway::start(&config(&provider, "kind: local")).await);
    let callers = Callers::start(std::slice::from_ref(&place), 64);
    let chaos = async {
        for _ in 0..3 {
            sleep(Duration::from_millis(700)).await;
            kill(&place).await;
            sleep(Duration::from_millis(700)).await;
            upgrade(&place).await;
        }
        sleep(Duration::from_millis(700)).await;
    };
    tokio::select! {
        () = chaos => {}
        () = never_over(&place) => {}
    }
    callers.stop().await;
    is_exact(&place, &callers).await;
    nearly_all_can_be_spent(&place, &place).await;
}
