//! Sentinels make another server the master, while callers call: what was counted goes on to be.

use std::time::Duration;

use weir_tests::metered::Speaker;
use weir_tests::openai::Provider;
use weir_tests::redis::{MASTER, Watched};
use weir_tests::{Gateway, wait};

use crate::callers::{Callers, rush, spend_all};
use crate::{PLENTY, at, comes_to, config, two};

/// What the organisation may use, in tokens; of which most calls take nine.
const ALL: u64 = 600_000;

fn yaml(provider: &Provider, watched: &Watched) -> String {
    let servers = at(&watched.addresses());
    let store = format!("{servers}, topology: {{ kind: sentinel, master: {MASTER} }}");
    config(provider, &store, PLENTY, &ALL.to_string())
}

fn work(gateways: &[Gateway]) -> Callers {
    let places: Vec<_> = gateways
        .iter()
        .map(|gateway| gateway.addr("public"))
        .collect();
    Callers::start(&places, &["ann", "bob", "cyd"], 3)
}

async fn some_are_served(callers: &Callers) {
    let before = callers.told().served();
    wait::until_true("calls to be served", || {
        callers.told().served() > before + 100
    })
    .await;
}

/// The last of the gateways is rushed at and then all is spent: it was spent once, and nearly all
/// of it.
async fn ends_exactly(gateways: &[Gateway], callers: Callers) {
    let places: Vec<_> = gateways
        .iter()
        .map(|gateway| gateway.addr("public"))
        .collect();
    let mut told = rush(*places.last().unwrap(), "bob").await;
    told.add(callers.stop().await);
    spend_all(&places, "bob", &mut told).await;
    told.print("failed over");
    assert!(told.tokens <= ALL, "{} of {ALL}", told.tokens);
    assert!(told.tokens * 100 >= ALL * 99, "{} of {ALL}", told.tokens);
    for gateway in gateways {
        comes_to(gateway, "all", "acme", told.tokens).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_operator_wants_another_master_nothing_is_spent_twice() {
    let watched = Watched::start().await;
    let provider = Speaker::new(5_000).start().await;
    let yaml = yaml(&provider, &watched);
    let mut gateways = Vec::from(two(|| Gateway::builder(&yaml)).await);
    let callers = work(&gateways);
    some_are_served(&callers).await;
    watched.fail_over().await;
    // The old master goes on as one for a while. One who comes now finds the new one only, and
    // must not grant what others take there.
    let late = Gateway::start(&yaml).await;
    gateways.push(late);
    ends_exactly(&gateways, callers).await;
    for gateway in &gateways[..2] {
        gateway.wait_for_printed("the sentinels have made").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_master_is_killed_nothing_is_spent_twice() {
    let mut watched = Watched::start().await;
    let provider = Speaker::new(5_000).start().await;
    let gateways = two(|| Gateway::builder(&yaml(&provider, &watched))).await;
    let callers = work(&gateways);
    for round in 0..2 {
        some_are_served(&callers).await;
        watched.kill_master().await;
        some_are_served(&callers).await;
        if round == 0 {
            watched.revive().await;
        }
    }
    ends_exactly(&gateways, callers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_hang_or_are_gone_are_done_without() {
    let watched = Watched::start().await;
    let provider = Speaker::new(5_000).start().await;
    watched.sentinels()[0].pause();
    watched.sentinels()[1].kill().await;
    let gateway = Gateway::start(&yaml(&provider, &watched)).await;
    let callers = work(std::slice::from_ref(&gateway));
    some_are_served(&callers).await;
    // None is needed to go on with a master that is there.
    watched.sentinels()[2].kill().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    some_are_served(&callers).await;
    let told = callers.stop().await;
    comes_to(&gateway, "all", "acme", told.tokens).await;
}
