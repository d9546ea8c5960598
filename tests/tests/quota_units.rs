//! Every other unit and window, and what may be counted apart and together, end to end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use weir_telemetry::Code;
use weir_tests::metered::{
    PROMPT, Speaker, Streamed, ask, charged, gateway, post, quota, stream, total,
};
use weir_tests::wait;
use weir_tests::wire::{self, Connection, Response};

/// A parameter of a quota in `RateLimit`.
fn remaining(response: &Response, name: &str) -> u64 {
    let text = response.header("ratelimit").unwrap().to_owned();
    let member = text
        .split(", ")
        .find(|m| m.starts_with(&format!("\"{name}\"")));
    let r = member
        .unwrap()
        .split(';')
        .find_map(|p| p.trim().strip_prefix("r="));
    r.unwrap().parse().unwrap()
}

fn held(name: &str, limit: u64) -> String {
    format!(
        "  - {{ name: {name}, store: ledger, unit: concurrent_requests, limit: {{ default: {limit} }} }}\n"
    )
}

/// Opens a stream and reads the first word of it.
async fn open(public: SocketAddr, consumer: &str) -> Connection {
    let mut caller = Connection::open(public).await;
    let auth = format!("Authorization: Bearer {consumer}");
    let headers = [auth.as_str(), "Content-Type: application/json"];
    let body = stream("");
    let path = "/v1/chat/completions";
    let message = wire::message(public, "POST", path, &headers, body.as_bytes());
    caller.send(message).await.unwrap();
    caller.read_until(" word").await;
    caller
}

#[tokio::test]
async fn requests_in_progress_count_until_they_end_or_their_caller_leaves() {
    let slow = Speaker::new(100_000).pause(Duration::from_millis(5));
    let provider = slow.start().await;
    let gateway = gateway(&provider, &held("at-once", 2), "at-once").await;
    let public = gateway.addr("public");
    let first = open(public, "ann").await;
    let second = open(public, "bob").await;
    let third = post(public, "ann", ask("")).await;
    assert_eq!(third.status, 429, "{}", third.text());
    let error = &third.json()["error"];
    assert_eq!(error["code"], Code::QuotaExhausted.slug());
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("as soon as another ends"), "{message}");
    assert_eq!(third.header("retry-after"), Some("1"));
    first.reset();
    let fits = || async {
        let answer = post(public, "ann", ask(r#","max_tokens":1"#)).await;
        (answer.status == 200).then_some(())
    };
    wait::until("the place of who left", fits).await;
    // One that ended gives its place back as well.
    wait::until("the place of who ended", fits).await;
    second.reset();
}

#[tokio::test]
async fn input_and_output_are_counted_apart() {
    let provider = Speaker::new(30).start().await;
    let quotas = quota("in", "input_tokens", "1000", "") + &quota("out", "output_tokens", "40", "");
    let gateway = gateway(&provider, &quotas, "in, out").await;
    let public = gateway.addr("public");
    assert_eq!(post(public, "ann", ask("")).await.status, 200);
    let charged = charged(&gateway, 1).await;
    assert_eq!(total(&charged, "in", "used"), PROMPT);
    assert_eq!(total(&charged, "out", "used"), 30);
    let answer = post(public, "ann", ask("")).await;
    assert_eq!(answer.status, 429, "10 are less than an answer needs");
    assert_eq!(answer.json()["error"]["quota"]["name"], "out");
    let long = ask(r#","max_tokens":1"#).replace("Hello", &"word ".repeat(2_000));
    let answer = post(public, "ann", long).await;
    assert_eq!(answer.json()["error"]["quota"]["name"], "in");
}

#[tokio::test]
async fn a_bucket_lets_a_burst_through_and_then_what_flows_in() {
    let provider = Speaker::new(1).start().await;
    let bucket = "  - { name: bucket, store: ledger, unit: requests, limit: { default: 10 }, \
                  window: { kind: token_bucket, every: 1h, burst: 3 } }\n";
    let gateway = gateway(&provider, bucket, "bucket").await;
    let public = gateway.addr("public");
    for _ in 0..3 {
        assert_eq!(post(public, "ann", ask("")).await.status, 200);
    }
    let answer = post(public, "ann", ask("")).await;
    assert_eq!(answer.status, 429);
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(
        (1..720).contains(&after),
        "about a tenth of an hour: {after}"
    );
}

#[tokio::test]
async fn a_header_and_a_model_are_counted_apart() {
    let provider = Speaker::new(1).start().await;
    let quotas = quota("tenants", "requests", "1", ", by: [{ header: x-tenant }]")
        + &quota("smart", "requests", "2", ", match: { models: [smart] }")
        + &quota("cyds", "requests", "0", ", match: { consumers: [cyd] }");
    let gateway = gateway(&provider, &quotas, "tenants, smart, cyds").await;
    let public = gateway.addr("public");
    let call = |consumer: &'static str, tenant: &'static str, model: &'static str| async move {
        let auth = format!("Authorization: Bearer {consumer}");
        let tenant = format!("X-Tenant: {tenant}");
        let headers = [auth.as_str(), &tenant, "Content-Type: application/json"];
        let body = ask("").replace("smart", model);
        let path = "/v1/chat/completions";
        let answer = wire::request(public, "POST", path, &headers, body).await;
        match answer.status {
            200 => "served".to_owned(),
            _ => answer.json()["error"]["quota"]["name"].to_string(),
        }
    };
    assert_eq!(call("cyd", "a", "quick").await, "\"cyds\"");
    assert_eq!(call("ann", "a", "smart").await, "served");
    assert_eq!(call("bob", "a", "smart").await, "\"tenants\"");
    assert_eq!(call("ann", "b", "smart").await, "served");
    assert_eq!(call("ann", "c", "smart").await, "\"smart\"");
    assert_eq!(
        call("ann", "c", "quick").await,
        "served",
        "it took nothing before"
    );
}

#[tokio::test]
async fn a_hierarchy_is_taken_all_or_nothing() {
    let provider = Speaker::new(40).start().await;
    let quotas = quota("organisation", "tokens", "10000", ", by: [organisation]")
        + &quota("team", "tokens", "5000", ", by: [organisation, team]")
        + &quota(
            "consumer",
            "tokens",
            "1000",
            ", by: [organisation, team, consumer]",
        )
        + &quota(
            "model",
            "tokens",
            "500",
            ", by: [organisation, team, consumer, model]",
        );
    let gateway = gateway(&provider, &quotas, "organisation, team, consumer, model").await;
    let public = gateway.addr("public");
    let call = ask(r#","max_tokens":400"#);
    assert_eq!(post(public, "ann", &call).await.status, 200);
    charged(&gateway, 1).await;
    // 452 are left of the model's: refused there, and taken nowhere.
    let answer = post(public, "ann", ask(r#","max_tokens":460"#)).await;
    assert_eq!(answer.json()["error"]["quota"]["name"], "model");
    let quick = call.replace("smart", "quick");
    let other = post(public, "ann", quick).await;
    assert_eq!(other.status, 200, "{}", other.text());
    let charged = charged(&gateway, 2).await;
    let reserved = charged[1][0]["reserved"].as_u64().unwrap();
    for (quota, limit) in [
        ("organisation", 10_000),
        ("team", 5_000),
        ("consumer", 1_000),
    ] {
        assert_eq!(remaining(&other, quota), limit - 48 - reserved, "{quota}");
    }
    assert_eq!(
        remaining(&other, "model"),
        500 - reserved,
        "another model's count"
    );
    // Another team's use counts in the organisation alone.
    let cyd = post(public, "cyd", &call).await;
    assert_eq!(remaining(&cyd, "team"), 5_000 - reserved);
    assert_eq!(remaining(&cyd, "organisation"), 10_000 - 2 * 48 - reserved);
}

#[tokio::test]
async fn a_stream_with_several_quotas_is_cut_by_the_one_that_is_short() {
    let provider = Speaker::new(5_000).heedless().start().await;
    let quotas = quota("wide", "tokens", "100000", ", on_exhausted: finish")
        + &quota("narrow", "output_tokens", "300", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "wide, narrow").await;
    let read = Streamed::read(&post(gateway.addr("public"), "ann", stream("")).await);
    assert_eq!((read.words(), read.done), (300, true));
    assert_eq!(read.ends()[0]["weir"]["quota"], "narrow");
    let charged = charged(&gateway, 1).await;
    assert_eq!(total(&charged, "narrow", "reserved"), 300);
    let (wide, narrow) = (
        total(&charged, "wide", "used"),
        total(&charged, "narrow", "used"),
    );
    assert_eq!(wide, narrow + PROMPT);
}
