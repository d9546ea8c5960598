//! Quotas by provider, where a model falls back from one to another: each is reserved for before it is
//! called, and charged what it cost.

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::metered::{ask, post};
use weir_tests::upstream::Upstream;
use weir_tests::{Behaviour, Gateway, wait};

use super::{call, calls, config, fails, served, two, well};

/// What a call of `well` uses: 8 of the prompt and 3 of the answer.
const USED: u64 = 11;

/// A gateway in front of both, whose quotas count tokens and requests by provider, and tokens and
/// money by consumer. `limits` are those of providers in tokens.
async fn start(first: &Upstream, second: &Upstream, limits: &str, money: &str) -> Gateway {
    let sections = format!(
        r#"{}prices:
  entries:
    - {{ provider: first, model: one, from: 2020-01-01, input: "1", output: "1" }}
    - {{ provider: second, model: two, from: 2020-01-01, input: "100", output: "100" }}
quotas:
  - {{ name: shares, store: ledger, unit: tokens, limit: {{ default: 10000, overrides: {{ {limits} }} }}, window: {{ kind: fixed, every: month }}, by: [provider] }}
  - {{ name: calls, store: ledger, unit: requests, limit: {{ default: 100 }}, window: {{ kind: fixed, every: month }}, by: [provider] }}
  - {{ name: each, store: ledger, unit: tokens, limit: {{ default: 10000 }}, window: {{ kind: fixed, every: month }}, by: [consumer] }}
  - {{ name: once, store: ledger, unit: requests, limit: {{ default: 100 }}, window: {{ kind: fixed, every: month }}, by: [consumer] }}
  - {{ name: spend, store: ledger, unit: money, limit: {{ default: "{money}" }}, window: {{ kind: fixed, every: month }}, by: [consumer] }}
"#,
        two(first.addr(), second.addr(), ", retries: { max: 0 }", "")
    );
    let quotas = ", { kind: quota, quotas: [shares, calls, each, once, spend] }";
    Gateway::start(&config(&sections, "smart", quotas)).await
}

/// What is used of a quota by its keys whose name holds `key`; waits until nothing is reserved.
async fn used(gateway: &Gateway, quota: &str, key: &str) -> Value {
    wait::until("reservations to be settled", || async {
        let shown = gateway.admin(&format!("/quotas/{quota}")).await.json();
        if shown["total"]["reserved"] != 0 {
            return None;
        }
        let all = shown["list"].as_array();
        let mut keys = all.unwrap_or_else(|| panic!("{shown}")).iter();
        let found = keys.find(|found| found["key"].as_str().is_some_and(|name| name.contains(key)));
        Some(found.map_or(json!(0), |found| found["used"].clone()))
    })
    .await
}

async fn expect(gateway: &Gateway, expected: &[(&str, &str, u64)]) {
    for (quota, key, figure) in expected {
        assert_eq!(used(gateway, quota, key).await, *figure, "{quota} of {key}");
    }
}

#[tokio::test]
async fn what_failed_is_settled_and_the_next_is_reserved_anew() {
    let first = Upstream::start(fails(500, &[])).await;
    let second = Upstream::start(well()).await;
    let gateway = start(&first, &second, "", "1000").await;
    for _ in 0..3 {
        assert_eq!(served(&gateway).await, "second");
    }
    first.set(well());
    assert_eq!(served(&gateway).await, "first");
    expect(
        &gateway,
        &[
            ("shares", "first", USED),
            ("shares", "second", 3 * USED),
            ("calls", "first", 4),
            ("calls", "second", 3),
            ("each", "ann", 4 * USED),
            ("once", "ann", 4),
        ],
    )
    .await;
    let line = gateway
        .wait_for_log(|line| {
            line["weir.quotas"]
                .as_array()
                .is_some_and(|all| all.len() == 7)
        })
        .await;
    let uses = line["weir.quotas"].as_array().unwrap();
    let of = |quota: &str| -> Vec<u64> {
        let uses = uses.iter().filter(|use_| use_["quota"] == quota);
        uses.map(|use_| use_["used"].as_u64().unwrap()).collect()
    };
    assert_eq!(
        (of("shares"), of("each")),
        (vec![0, USED], vec![USED]),
        "{line}"
    );
}

#[tokio::test]
async fn a_provider_without_room_is_passed_over() {
    let first = Upstream::start(well()).await;
    let second = Upstream::start(well()).await;
    // Room for one call of the first, and no room for another.
    let gateway = start(&first, &second, "first: 40", "1000").await;
    let limited = r#","max_tokens":28"#;
    let providers = || async {
        let answer = post(gateway.addr("public"), "ann", ask(limited)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("weir-provider").unwrap().to_owned()
    };
    assert_eq!(providers().await, "first");
    assert_eq!(used(&gateway, "shares", "first").await, USED);
    for _ in 0..2 {
        assert_eq!(providers().await, "second");
    }
    assert_eq!((calls(&first), calls(&second)), (1, 2));
    let twice = [("shares", "second", 2 * USED), ("each", "ann", 3 * USED)];
    expect(&gateway, &[("shares", "first", USED), twice[0], twice[1]]).await;

    // The first fails where the second has no room: its failure is told, and nothing is kept.
    let gateway = start(&first, &second, "second: 5", "1000").await;
    first.set(fails(500, &[]));
    let answer = call(&gateway).await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::ProviderError.slug())
    );
    expect(
        &gateway,
        &[
            ("shares", "first", 0),
            ("shares", "second", 0),
            ("each", "ann", 0),
        ],
    )
    .await;
    assert_eq!(calls(&second), 2, "it was not called");

    // Where neither has room, nobody is called.
    let gateway = start(&first, &second, "first: 5, second: 5", "1000").await;
    let answer = call(&gateway).await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::QuotaExhausted.slug())
    );
    expect(&gateway, &[("shares", "first", 0), ("each", "ann", 0)]).await;
}

#[tokio::test]
async fn what_may_have_cost_something_counts_in_full_at_who_failed() {
    let first = Upstream::start(Behaviour::short_chunks()).await;
    let second = Upstream::start(well()).await;
    let gateway = start(&first, &second, "", "1000").await;
    let answer = post(gateway.addr("public"), "ann", ask(r#","max_tokens":20"#)).await;
    assert_eq!(answer.header("weir-provider"), Some("second"));
    let most = used(&gateway, "shares", "first").await.as_u64().unwrap();
    assert!((28..=100).contains(&most), "{most}");
    expect(
        &gateway,
        &[("shares", "second", USED), ("each", "ann", USED)],
    )
    .await;
}

#[tokio::test]
async fn money_is_reserved_at_the_price_of_who_is_asked() {
    let first = Upstream::start(well()).await;
    let second = Upstream::start(well()).await;
    // 100 tokens of the answer cost $0.0001 at the first, and $0.01 at the second.
    let gateway = start(&first, &second, "", "0.001").await;
    let limited = r#","max_tokens":100"#;
    let asked = || post(gateway.addr("public"), "ann", ask(limited));
    assert_eq!(asked().await.header("weir-provider"), Some("first"));
    first.set(fails(500, &[]));
    let answer = asked().await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::ProviderError.slug())
    );
    assert!(second.requests().is_empty(), "there is no money for it");
    first.set(well());
    assert_eq!(asked().await.header("weir-provider"), Some("first"));
    // 22 tokens at a dollar for a million, in nano-dollars.
    assert_eq!(used(&gateway, "spend", "ann").await, 22_000);
    expect(
        &gateway,
        &[("shares", "first", 2 * USED), ("each", "ann", 2 * USED)],
    )
    .await;
}
