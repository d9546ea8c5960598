//! Servers that come back with what they kept, or without: what gateways know is brought back.

use std::time::Duration;

use weir_tests::metered::Speaker;
use weir_tests::openai::Provider;
use weir_tests::redis::{Cluster, Redis};
use weir_tests::{Gateway, wait};

use crate::callers::{Callers, Told};
use crate::{PLENTY, at, comes_to, config, two};

/// Two gateways, whose consumers `ann` and `bob` are of an organisation that is kept on the first
/// node, and `cyd` of one on the second, or the other way round.
async fn gateways(provider: &Provider, cluster: &Cluster) -> ([Gateway; 2], String) {
    let store = format!(
        "{}, topology: {{ kind: cluster }}",
        at(&cluster.addresses())
    );
    let elsewhere = (0..)
        .map(|number| format!("org-{number}"))
        .find(|name| cluster.place(name) != cluster.place("acme"))
        .unwrap();
    let yaml = config(provider, &store, PLENTY, PLENTY).replace(
        "{ name: art, organisation: acme }",
        &format!("{{ name: art, organisation: {elsewhere} }}"),
    );
    (two(|| Gateway::builder(&yaml)).await, elsewhere)
}

/// Callers of both organisations at work for a while.
async fn work(gateways: &[Gateway; 2], of: &'static [&'static str]) -> Told {
    let places = gateways.each_ref().map(|gateway| gateway.addr("public"));
    let callers = Callers::start(&places, of, 2);
    wait::until_true("calls to be served", || callers.told().served() > 100).await;
    callers.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_comes_back_with_and_without_what_it_kept() {
    let mut cluster = Cluster::start().await;
    let provider = Speaker::new(40).start().await;
    let (gateways, elsewhere) = gateways(&provider, &cluster).await;
    let (mut acme, mut other) = (0, 0);
    for loses in [false, true, true] {
        acme += work(&gateways, &["ann", "bob"]).await.tokens;
        other += work(&gateways, &["cyd"]).await.tokens;
        for gateway in &gateways {
            comes_to(gateway, "all", "acme", acme).await;
            comes_to(gateway, "all", &elsewhere, other).await;
        }
        for node in cluster.nodes_mut() {
            match loses {
                true => node.lose().await,
                false => node.crash().await,
            }
        }
        cluster.whole().await;
        for gateway in &gateways {
            comes_to(gateway, "all", "acme", acme).await;
            comes_to(gateway, "all", &elsewhere, other).await;
        }
    }
    let denied: Vec<String> = gateways.iter().flat_map(Gateway::log).collect();
    assert!(
        denied.iter().any(|line| line.contains("brought back")),
        "{denied:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_that_is_emptied_is_told_again() {
    let cluster = Cluster::start().await;
    let provider = Speaker::new(40).start().await;
    let (gateways, elsewhere) = gateways(&provider, &cluster).await;
    let mut acme = work(&gateways, &["ann", "bob"]).await.tokens;
    let mut other = work(&gateways, &["cyd"]).await.tokens;
    for gateway in &gateways {
        comes_to(gateway, "all", "acme", acme).await;
        comes_to(gateway, "all", &elsewhere, other).await;
    }
    for node in cluster.nodes() {
        node.command(&["FLUSHALL"]);
        // The next entry there tells, if the epoch does not.
        acme += work(&gateways, &["ann", "bob"]).await.tokens;
        other += work(&gateways, &["cyd"]).await.tokens;
        for gateway in &gateways {
            comes_to(gateway, "all", "acme", acme).await;
            comes_to(gateway, "all", &elsewhere, other).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_server_interrupts_once() {
    let redis = Redis::start().await;
    let provider = Speaker::new(40).start().await;
    let store = at(&[redis.addr().to_string()]);
    let gateways = two(|| Gateway::builder(&config(&provider, &store, PLENTY, PLENTY))).await;
    let places = gateways.each_ref().map(|gateway| gateway.addr("public"));
    let callers = Callers::start(&places, &["ann", "bob", "cyd"], 6);
    wait::until_true("calls to be served", || callers.told().served() > 300).await;
    redis.command(&["FLUSHALL"]);
    wait::until_true("it to be noticed", || {
        let log = gateways[0].log();
        log.iter().any(|line| line.contains("brought back"))
    })
    .await;
    let before = callers.told().served();
    wait::until_true("calls to be served again", || {
        callers.told().served() > before + 300
    })
    .await;
    let told = callers.stop().await;
    for gateway in &gateways {
        comes_to(gateway, "all", "acme", told.tokens).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for gateway in &gateways {
        let log = gateway.log();
        let ready = log.iter().filter(|line| line.contains("is ready")).count();
        assert_eq!(ready, 2, "{}", log.join("\n"));
    }
}
