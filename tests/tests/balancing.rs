//! Who gets which request: by weight, by load, by key.

use std::collections::BTreeMap;

use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream};

async fn gateway(upstreams: &str, backends: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: {upstreams}
routes: [{{ name: all, forward: {{ backends: {backends} }} }}]
"#
    ))
    .await
}

/// One upstream with these endpoints and weights, balanced like this.
async fn balanced(endpoints: &[(&Upstream, u32)], balance: &str) -> Gateway {
    let endpoint = |(upstream, weight): &(&Upstream, u32)| {
        format!(r#"{{ address: "{}", weight: {weight} }}"#, upstream.addr())
    };
    let endpoints: Vec<String> = endpoints.iter().map(endpoint).collect();
    let upstreams = format!(
        "[{{ name: up, endpoints: [{}], balance: {balance} }}]",
        endpoints.join(", ")
    );
    gateway(&upstreams, "[{ upstream: up }]").await
}

async fn three() -> [Upstream; 3] {
    let start = || Upstream::start(Behaviour::echo());
    [start().await, start().await, start().await]
}

async fn get(gateway: &Gateway, count: usize) {
    for _ in 0..count {
        assert_eq!(wire::get(gateway.addr("public"), "/").await.status, 200);
    }
}

#[tokio::test]
async fn round_robin_gives_each_its_weight() {
    let [a, b, c] = three().await;
    let gateway = balanced(&[(&a, 3), (&b, 1), (&c, 0)], "{ kind: round_robin }").await;
    get(&gateway, 20).await;
    let got = [&a, &b, &c].map(|upstream| upstream.requests().len());
    assert_eq!(got, [15, 5, 0]);
}

#[tokio::test]
async fn weighted_backends_share_a_route() {
    let [a, b, _] = three().await;
    let upstreams = format!(
        r#"[{{ name: a, endpoints: [{{ address: "{}" }}] }}, {{ name: b, endpoints: [{{ address: "{}" }}] }}]"#,
        a.addr(),
        b.addr()
    );
    let backends = "[{ upstream: a, weight: 4 }, { upstream: b, weight: 1 }]";
    let gateway = gateway(&upstreams, backends).await;
    get(&gateway, 20).await;
    assert_eq!((a.requests().len(), b.requests().len()), (16, 4));
}

#[tokio::test]
async fn least_requests_leaves_a_busy_endpoint_alone() {
    let [slow, quick, _] = three().await;
    slow.set(Behaviour::hang());
    let gateway = balanced(&[(&slow, 1), (&quick, 1)], "{ kind: least_requests }").await;
    // Whoever has the turn, the slow one holds a request after at most two.
    let mut held = Vec::new();
    while slow.requests().is_empty() {
        let seen = slow.requests().len() + quick.requests().len();
        let mut connection = Connection::open(gateway.addr("public")).await;
        connection
            .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        held.push(connection);
        weir_tests::wait::until_true("the request at an endpoint", || {
            slow.requests().len() + quick.requests().len() > seen
        })
        .await;
    }
    let before = quick.requests().len();
    get(&gateway, 20).await;
    assert_eq!(slow.requests().len(), 1);
    assert_eq!(quick.requests().len(), before + 20);
}

#[tokio::test]
async fn consistent_hashing_keeps_a_key_where_it_was() {
    let all = three().await;
    let endpoints = [(&all[0], 1), (&all[1], 1), (&all[2], 1)];
    let balance = r#"{ kind: consistent_hash, key: "{header.x-user}" }"#;
    let gateway = balanced(&endpoints, balance).await;
    for _ in 0..3 {
        for user in 0..20 {
            let header = format!("X-User: user-{user}");
            let response = wire::request(gateway.addr("public"), "GET", "/", &[&header], "").await;
            assert_eq!(response.status, 200);
        }
    }
    let mut homes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, upstream) in all.iter().enumerate() {
        for request in upstream.requests() {
            homes
                .entry(request.header("x-user").unwrap().to_owned())
                .or_default()
                .push(i);
        }
    }
    assert_eq!(homes.len(), 20);
    for (user, seen) in &homes {
        assert!(
            seen.len() == 3 && seen.iter().all(|at| *at == seen[0]),
            "{user}: {seen:?}"
        );
    }
    assert!(
        all.iter().all(|upstream| !upstream.requests().is_empty()),
        "{homes:?}"
    );
}

#[tokio::test]
async fn a_key_moves_on_only_while_its_endpoint_is_gone() {
    let all = three().await;
    let endpoints = [(&all[0], 1), (&all[1], 1), (&all[2], 1)];
    let balance = r#"{ kind: consistent_hash, key: "{header.x-user}" }, retries: { max: 2, budget_percent: 100 }"#;
    let gateway = balanced(&endpoints, balance).await;
    let ask =
        async || wire::request(gateway.addr("public"), "GET", "/", &["X-User: ann"], "").await;
    assert_eq!(ask().await.status, 200);
    let home = all
        .iter()
        .position(|upstream| !upstream.requests().is_empty())
        .unwrap();
    all[home].set(Behaviour::reset_before_head());
    for _ in 0..3 {
        assert_eq!(ask().await.status, 200);
    }
    let moved = all
        .iter()
        .filter(|upstream| upstream.requests().len() == 3)
        .count();
    assert_eq!(moved, 1, "all three went to the same other endpoint");
    all[home].set(Behaviour::echo());
    assert_eq!(ask().await.status, 200);
    assert_eq!(all[home].requests().len(), 5);
}

#[tokio::test]
async fn requests_without_a_key_are_spread_in_turn() {
    let all = three().await;
    let endpoints = [(&all[0], 1), (&all[1], 1), (&all[2], 1)];
    let balance = r#"{ kind: consistent_hash, key: "{header.x-user}" }"#;
    let gateway = balanced(&endpoints, balance).await;
    get(&gateway, 9).await;
    assert_eq!(
        all.each_ref().map(|upstream| upstream.requests().len()),
        [3, 3, 3]
    );
}
