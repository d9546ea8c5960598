//! Outages longer than a lease: what gateways spent of their leases meanwhile is not granted to
//! others before they could say so.

use std::time::Duration;

use tokio::time::sleep;
use weir_tests::Gateway;
use weir_tests::metered::Speaker;
use weir_tests::redis::Redis;

use crate::callers::{Callers, Told, call, rush, spend_all};
use crate::{PLENTY, at, comes_to, config, figure, standing, two};

/// What the organisation may use, in tokens.
const ALL: u64 = 100_000;

/// One of two gateways has a good part of the limit on lease and spends it while the server is
/// away, for longer than the lease; then the other wants all there is.
async fn is_not_spent_twice(redis: &mut Redis, back: Back) {
    let provider = Speaker::new(5_000).start().await;
    let store = at(&[redis.addr().to_string()]);
    let yaml = config(&provider, &store, PLENTY, &ALL.to_string());
    let gateways = two(|| Gateway::builder(&yaml)).await;
    let places = gateways.each_ref().map(|gateway| gateway.addr("public"));
    // A lease grows with use.
    let callers = Callers::start(&places[..1], &["ann"], 8);
    weir_tests::wait::until("a large lease", || async {
        let standing = standing(&gateways[0], "all", "acme").await?;
        (figure(&standing, "reserved") > 3_000).then_some(())
    })
    .await;
    match back {
        Back::FromFreezing => redis.pause(),
        Back::FromDeath => redis.kill().await,
    }
    // Until the lease is over the first one spends of it, and then nothing.
    sleep(Duration::from_millis(3_500)).await;
    let mut told = callers.stop().await;
    let mut more = Told::default();
    assert_eq!(call(places[0], "ann", &mut more).await.status, 503);
    match back {
        Back::FromFreezing => redis.resume(),
        Back::FromDeath => redis.restart().await,
    }
    let [first, other] = places;
    told.add(rush(other, "bob").await);
    spend_all(&[first, other], "bob", &mut told).await;
    assert!(told.tokens <= ALL, "{} of {ALL}", told.tokens);
    assert!(told.tokens * 100 >= ALL * 99, "{} of {ALL}", told.tokens);
    for gateway in &gateways {
        comes_to(gateway, "all", "acme", told.tokens).await;
    }
}

/// How the server comes back.
#[derive(Clone, Copy)]
enum Back {
    FromFreezing,
    FromDeath,
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_server_that_restarts() {
    let mut redis = Redis::start().await;
    is_not_spent_twice(&mut redis, Back::FromDeath).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_server_that_froze() {
    let mut redis = Redis::start().await;
    is_not_spent_twice(&mut redis, Back::FromFreezing).await;
}
