//! Many gateways on one ledger, under load, while gateways and the store are killed: nobody spends
//! beyond a limit, what was settled is counted exactly, and what a dead gateway held comes back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod callers;
mod steady;

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
const CONSUMERS: [&str; 3] = ["ann", "bob", "cyd"];

/// What a model says that keeps to its limits, and what one says that does not: more than is ever
/// reserved for a call.
const WORDS: u64 = 40;
const HEEDLESS: u64 = 200;

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

/// Looks on for as long as it is awaited: these figures together never exceed a limit.
async fn never_over(place: &Place, figures: &[&str]) {
    loop {
        for (quota, key) in [
            ("all", "acme"),
            ("each", "ann"),
            ("each", "bob"),
            ("each", "cyd"),
        ] {
            if let Some(standing) = standing(place, quota, key).await {
                let counted = figures.iter().map(|name| figure(&standing, name));
                let limit = figure(&standing, "limit");
                assert!(counted.sum::<u64>() <= limit, "{quota} {key}: {standing}");
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

/// What is counted of one consumer in the end.
struct Counted {
    consumer: &'static str,
    used: u64,
    debt: u64,
}

/// Once nothing is under way and dead gateways' leases are over, the ledger is the sum of what was
/// recorded.
async fn is_exact(place: &Place, callers: &Callers) -> Vec<Counted> {
    wait::until("everything reserved to be settled or back", || async {
        let standing = standing(place, "all", "acme").await?;
        (figure(&standing, "reserved") == 0).then_some(())
    })
    .await;
    let mut counted = Vec::new();
    for consumer in CONSUMERS {
        let standing = standing(place, "each", consumer).await.unwrap();
        let [used, debt] = ["used", "debt"].map(|name| figure(&standing, name));
        let (certain, possible) = callers.used(consumer);
        assert!(
            (certain..=possible).contains(&(used + debt)),
            "{consumer} was told of {certain}, and of {possible} at most: {standing}; {}",
            callers.told()
        );
        assert!(used <= EACH, "{standing}");
        counted.push(Counted {
            consumer,
            used,
            debt,
        });
    }
    let standing = standing(place, "all", "acme").await.unwrap();
    let all = |part: fn(&Counted) -> u64| counted.iter().map(part).sum::<u64>();
    assert_eq!(figure(&standing, "used"), all(|of| of.used), "{standing}");
    assert_eq!(figure(&standing, "debt"), all(|of| of.debt), "{standing}");
    counted
}

/// The model kept to its limits.
fn owes_nothing(counted: &[Counted]) {
    for Counted { consumer, debt, .. } in counted {
        assert_eq!(*debt, 0, "{consumer}");
    }
}

/// By how much calls of a consumer that are on record at these places went beyond what they had
/// reserved of a quota.
async fn overrun(places: &[Place], quota: &str, consumer: &str) -> u64 {
    let mut over = 0;
    for place in places {
        let charged = place.charged(consumer).await;
        let of = charged.iter().filter(|entry| entry["quota"] == *quota);
        let each = of.map(|entry| figure(entry, "used").saturating_sub(figure(entry, "reserved")));
        over += each.sum::<u64>();
    }
    over
}

/// Nobody is refused while there is as good as nothing in use.
async fn nearly_all_can_be_spent(at: &Place, watcher: &Place) {
    let address = at.get().await.unwrap();
    for consumer in CONSUMERS {
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
    let speaker = Speaker::new(WORDS);
    let provider = speaker.start().await;
    let config = config(&provider, &on(&redis));
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(Place::new(Gateway::start(&config).await));
    }
    let watcher = Place::new(Gateway::start(&config).await);
    let callers = Callers::new(WORDS);
    callers.start(&places, 64, &CONSUMERS);
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
        () = never_over(&watcher, &["used", "reserved", "debt"]) => {}
    }
    callers.stop().await;
    owes_nothing(&is_exact(&watcher, &callers).await);

    nearly_all_can_be_spent(&places[0], &watcher).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_heedless_model_says_beyond_its_bounds_is_debt_and_nothing_else_is() {
    let mut redis = Redis::start().await;
    let provider = Speaker::new(HEEDLESS).heedless().start().await;
    let config = config(&provider, &on(&redis));
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(Place::new(Gateway::start(&config).await));
    }
    let watcher = Place::new(Gateway::start(&config).await);
    // Nobody can tell what a killed gateway was about to say of its calls, but everybody what
    // the others said.
    let (mortal, immortal) = places.split_at(2);
    let callers = Callers::new(HEEDLESS);
    callers.start(mortal, 64, &["ann", "bob"]);
    callers.start(immortal, 64, &["cyd"]);
    let chaos = async {
        for _ in 0..2 {
            for place in mortal {
                sleep(Duration::from_millis(700)).await;
                kill(place).await;
            }
            sleep(Duration::from_millis(500)).await;
            redis.crash().await;
        }
        sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        () = chaos => {}
        () = never_over(&watcher, &["used", "reserved"]) => {}
    }
    callers.stop().await;
    let counted = is_exact(&watcher, &callers).await;
    for of in &counted {
        assert!(of.debt > 0, "{} was never over", of.consumer);
    }
    let cyd = counted.iter().find(|of| of.consumer == "cyd").unwrap();
    assert_eq!(cyd.debt, overrun(immortal, "each", "cyd").await);
    let (certain, possible) = callers.used("cyd");
    assert_eq!(certain, possible, "{}", callers.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_that_is_killed_and_upgraded_neither_overspends_nor_forgets() {
    let provider = Speaker::new(WORDS).start().await;
    let place = Place::new(Gateway::start(&config(&provider, "kind: local")).await);
    let callers = Callers::new(WORDS);
    callers.start(std::slice::from_ref(&place), 64, &CONSUMERS);
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
        () = never_over(&place, &["used", "reserved", "debt"]) => {}
    }
    callers.stop().await;
    owes_nothing(&is_exact(&place, &callers).await);
    nearly_all_can_be_spent(&place, &place).await;
}
