//! Quotas end to end: what is reserved, what is sent upstream so that it holds, what is settled,
//! and what a refused caller reads. Prompts meant to hurt are in `quota_hostile.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::metered::{ask, post};
use weir_tests::openai::{Provider, Reply};
use weir_tests::upstream::{Received, Step, When};
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, consumer, wait};

const JSON: &str = "Content-Type: application/json";

/// A provider that uses all it may, and bills that: `max_tokens` for each of `n` choices.
fn greedy(request: &Received) -> Vec<Step> {
    let asked = request.json();
    let each = asked["max_tokens"].as_u64().unwrap_or(1_000_000);
    let completion = each * asked["n"].as_u64().unwrap_or(1);
    let usage = json!({
        "prompt_tokens": PROMPT,
        "completion_tokens": completion,
        "total_tokens": PROMPT + completion,
    });
    let body = json!({ "choices": [], "usage": usage }).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\n{JSON}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    vec![Step::Send([head.into_bytes(), body.into_bytes()].concat())]
}

/// What [`ask`]'s prompt costs, by OpenAI's rules.
const PROMPT: u64 = 8;

/// A gateway whose route `/v1` has these quotas; the consumers are their own keys.
async fn gateway(provider: &Provider, quotas: &str, attached: &str, consumers: &[&str]) -> Gateway {
    let consumers = consumers.iter().map(|name| {
        let team = if name.starts_with("art") {
            "art"
        } else {
            "shop"
        };
        consumer::entry(name, team)
    });
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
teams: [{{ name: shop, organisation: acme }}, {{ name: art, organisation: acme }}]
providers: [{{ name: mock, dialect: openai, base_url: "{}" }}]
models:
  - {{ name: smart, targets: [{{ provider: mock, model: smart }}] }}
  - {{ name: quick, targets: [{{ provider: mock, model: quick }}] }}
consumers:
{}quotas:
{quotas}
{attached}
  - name: plain
    matches: [{{ path: {{ exact: /plain }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [requests] }}]
    respond: {{ status: 200, body: served }}
"#,
        provider.base_url(),
        consumers.collect::<String>(),
    );
    Gateway::start(&yaml).await
}

fn quota(name: &str, unit: &str, limit: &str, by: &str) -> String {
    format!(
        "  - {{ name: {name}, store: ledger, unit: {unit}, limit: {limit}, window: {{ kind: fixed, every: month }}, by: [{by}] }}\n"
    )
}

/// The same quota, which limits an answer to what is left instead of refusing the call.
fn cutting(quota: &str) -> String {
    quota.replace(" }\n", ", on_exhausted: cut }\n")
}

fn chat(quotas: &str) -> String {
    format!(
        r"routes:
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [{quotas}] }}]
    llm: {{ models: [smart, quick] }}"
    )
}

/// A greedy provider behind a quota of so many tokens per consumer, and 1000 requests.
async fn tokens(limit: u64, consumers: &[&str]) -> (Provider, Gateway, SocketAddr) {
    let limit = format!("{{ default: {limit} }}");
    counting(&quota("tokens", "tokens", &limit, "consumer"), consumers).await
}

/// The same with a quota that limits answers to what is left.
async fn cut_tokens(limit: u64, consumers: &[&str]) -> (Provider, Gateway, SocketAddr) {
    let limit = format!("{{ default: {limit} }}");
    let quota = quota("tokens", "tokens", &limit, "consumer");
    counting(&cutting(&quota), consumers).await
}

async fn counting(tokens: &str, consumers: &[&str]) -> (Provider, Gateway, SocketAddr) {
    let provider = Provider::start(Reply::Raw(Behaviour::new(When::Whole, greedy))).await;
    let requests = quota("requests", "requests", "{ default: 1000 }", "consumer");
    let quotas = format!("{tokens}{requests}");
    let gateway = gateway(&provider, &quotas, &chat("tokens"), consumers).await;
    let public = gateway.addr("public");
    (provider, gateway, public)
}

/// A parameter of a quota in `RateLimit` or `RateLimit-Policy`.
fn parameter(response: &Response, field: &str, name: &str, parameter: &str) -> u64 {
    let text = response
        .header(field)
        .unwrap_or_else(|| panic!("no {field}"));
    let member = text
        .split(", ")
        .find(|member| member.starts_with(&format!("\"{name}\"")));
    let found = member
        .unwrap()
        .split(';')
        .find_map(|p| p.trim().strip_prefix(parameter)?.strip_prefix('='));
    found
        .unwrap_or_else(|| panic!("no {parameter} in {text}"))
        .parse()
        .unwrap()
}

fn remaining(response: &Response, name: &str) -> u64 {
    parameter(response, "ratelimit", name, "r")
}

fn refused(response: &Response) -> String {
    assert_eq!(response.status, 429, "{}", response.text());
    assert_eq!(
        response.header("weir-error"),
        Some(Code::QuotaExhausted.slug())
    );
    let error = &response.json()["error"];
    assert_eq!(error["code"], Code::QuotaExhausted.slug());
    error["message"].as_str().unwrap().to_owned()
}

async fn used(gateway: &Gateway, route: &str) -> Vec<Value> {
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == *route)
        .await;
    line["weir.quotas"].as_array().cloned().unwrap_or_default()
}

/// Waits until so many calls that were answered by the provider are over.
async fn settled(gateway: &Gateway, calls: usize) {
    let over = || {
        let lines = gateway.access_log();
        let served = |line: &&Value| {
            line["weir.action"] == "llm" && line["http.response.status_code"] == 200
        };
        lines.iter().filter(served).count() >= calls
    };
    wait::until_true(format!("{calls} calls to be over"), over).await;
}

/// Calls with one consumer's key until it is refused for good; the tokens billed.
async fn spend(public: SocketAddr, consumer: Arc<str>, seed: u64) -> u64 {
    let mut spent = 0;
    let mut refusals = 0;
    for turn in seed.. {
        let more = match turn % 4 {
            0 => String::new(),
            1 => r#","max_tokens":100000"#.to_owned(),
            2 => format!(r#","max_tokens":{},"n":3"#, 1 + turn % 40),
            _ => format!(r#","max_tokens":{}"#, 1 + turn % 90),
        };
        let answer = post(public, &consumer, ask(&more)).await;
        match answer.status {
            200 => spent += answer.json()["usage"]["total_tokens"].as_u64().unwrap(),
            _ => {
                refused(&answer);
                refusals += 1;
            }
        }
        if refusals == 8 {
            break;
        }
    }
    spent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_never_overspend_a_quota_of_tokens() {
    const LIMIT: u64 = 6_000;
    let consumers: Vec<String> = (0..20).map(|n| format!("consumer{n}")).collect();
    let names: Vec<&str> = consumers.iter().map(String::as_str).collect();
    let (_provider, gateway, public) = cut_tokens(LIMIT, &names).await;
    for consumer in &names {
        let consumer: Arc<str> = (*consumer).into();
        let callers: Vec<_> = (0..10)
            .map(|seed| tokio::spawn(spend(public, consumer.clone(), seed)))
            .collect();
        let mut total = 0;
        for caller in callers {
            total += caller.await.unwrap();
        }
        assert!(total <= LIMIT, "{consumer} spent {total} of {LIMIT}");
        assert!(
            total > LIMIT / 2,
            "{consumer} was refused with {total} of {LIMIT} spent"
        );
    }
    let debt = gateway
        .metric("weir_quota_units_total", &[("state", "debt")])
        .await;
    assert!(debt.abs() < f64::EPSILON, "{debt}");
}

#[tokio::test]
async fn the_bound_goes_upstream_where_the_caller_allows_more() {
    let (provider, _gateway, public) = cut_tokens(1_000, &["a", "b", "c", "d"]).await;
    for (consumer, more, sent) in [
        ("a", "", 1_000 - PROMPT),
        ("b", r#","max_tokens":5000"#, 1_000 - PROMPT),
        ("c", r#","max_tokens":10"#, 10),
        ("d", r#","max_tokens":5000,"n":4"#, (1_000 - PROMPT) / 4),
    ] {
        let answer = post(public, consumer, ask(more)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let requests = provider.requests();
        assert_eq!(
            requests.last().unwrap().json()["max_tokens"],
            sent,
            "{consumer}"
        );
    }
    assert!(refused(&post(public, "a", ask("")).await).contains("0 of 1000 tokens left"));
}

#[tokio::test]
async fn a_prompt_is_counted_only_when_its_bytes_decide() {
    let (_provider, gateway, public) = tokens(1_000, &["a"]).await;
    let words = "word ".repeat(600);
    let body = ask("").replace("Hello", &words);
    let answer = post(public, "a", &body).await;
    assert_eq!(
        answer.status,
        200,
        "3000 bytes are some 600 tokens: {}",
        answer.text()
    );
    let counted = used(&gateway, "chat").await;
    // The words and the last space, the rest of the prompt, and the least that is bounded where
    // nothing is known yet.
    assert_eq!(counted[0]["reserved"], 601 + PROMPT - 1 + 256);

    let (_provider, gateway, public) = tokens(100_000, &["a"]).await;
    assert_eq!(post(public, "a", &body).await.status, 200);
    let bounded = used(&gateway, "chat").await;
    assert_eq!(
        bounded[0]["reserved"],
        body.len() + 4096,
        "bytes, and the default output"
    );
}

#[tokio::test]
async fn an_attachment_is_reserved_for_beside_the_text() {
    let (_provider, gateway, public) = tokens(100_000, &["a"]).await;
    let image = r#"[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]"#;
    let body = ask(r#","max_tokens":1"#).replace("\"Hello\"", image);
    assert_eq!(post(public, "a", body).await.status, 200);
    let reserved = used(&gateway, "chat").await[0]["reserved"]
        .as_u64()
        .unwrap();
    assert!(reserved > 4096, "{reserved}");
}

#[tokio::test]
async fn a_refusal_says_what_is_left_and_when() {
    let (_provider, gateway, public) = tokens(100, &["a"]).await;
    let first = post(public, "a", ask(r#","max_tokens":60"#)).await;
    assert_eq!(first.status, 200);
    settled(&gateway, 1).await;
    let answer = post(public, "a", ask(r#","max_tokens":15,"n":3"#)).await;
    let message = refused(&answer);
    assert!(
        message.contains("\"tokens\" has 32 of 100 tokens left"),
        "{message}"
    );
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=31 * 86_400).contains(&after));
    assert!(message.contains(&format!("{after} s")), "{message}");
    assert_eq!(remaining(&answer, "tokens"), 32);
    assert_eq!(parameter(&answer, "ratelimit-policy", "tokens", "q"), 100);
    assert_eq!(parameter(&answer, "ratelimit", "tokens", "t"), after);

    let never = post(public, "a", ask("").replace("Hello", &"word ".repeat(200))).await;
    assert!(refused(&never).contains("waiting cannot help"));
    assert_eq!(never.header("retry-after"), None);
    let decided = |decision: &'static str| {
        let gateway = &gateway;
        async move {
            gateway
                .metric(
                    "weir_quota_decisions_total",
                    &[("quota", "tokens"), ("decision", decision)],
                )
                .await
        }
    };
    // A call is decided once, however many bounds were tried for it.
    assert!((decided("allowed").await - 1.0).abs() < f64::EPSILON);
    assert!((decided("refused").await - 2.0).abs() < f64::EPSILON);
    let line = gateway
        .wait_for_log(|line| line["error.type"] == Code::QuotaExhausted.slug())
        .await;
    assert_eq!(line["weir.fault"], "policy");
}

#[tokio::test]
async fn use_beyond_the_bound_is_debt_and_is_not_forgotten() {
    let (provider, gateway, public) = tokens(1_000, &["a"]).await;
    provider.set(Reply::completion(&["Hi"], 8, 700));
    assert_eq!(
        post(public, "a", ask(r#","max_tokens":100"#)).await.status,
        200
    );
    let quotas = used(&gateway, "chat").await;
    assert_eq!(quotas[0]["used"], 708);
    let reserved = quotas[0]["reserved"].as_u64().unwrap();
    let labels = [("quota", "tokens"), ("state", "debt")];
    let debt = (708 - reserved) as f64;
    gateway
        .wait_for_metric("weir_quota_units_total", &labels, |n| {
            (n - debt).abs() < 0.5
        })
        .await;
    let long = ask("").replace("Hello", &"word ".repeat(400));
    let next = post(public, "a", long).await;
    assert!(refused(&next).contains("292 of 1000"), "{}", next.text());
}

#[tokio::test]
async fn several_quotas_are_taken_all_or_nothing() {
    let provider = Provider::start(Reply::completion(&["Hi"], 8, 2)).await;
    let quotas = quota("tokens", "tokens", "{ default: 5000 }", "team")
        + &quota("requests", "requests", "{ default: 3 }", "consumer");
    let gateway = gateway(&provider, &quotas, &chat("tokens, requests"), &["a", "b"]).await;
    let public = gateway.addr("public");
    let too_long = ask("").replace("Hello", &"word ".repeat(9_000));
    for _ in 0..5 {
        refused(&post(public, "a", &too_long).await);
    }
    let mut answer = None;
    for (made, left) in [(1, 2), (2, 1), (3, 0)] {
        let passed = post(public, "a", ask(r#","max_tokens":9"#)).await;
        assert_eq!(passed.status, 200, "{}", passed.text());
        assert_eq!(remaining(&passed, "requests"), left);
        settled(&gateway, made).await;
        answer = Some(passed);
    }
    let before = remaining(&answer.unwrap(), "tokens");
    let message = refused(&post(public, "a", ask(r#","max_tokens":9"#)).await);
    assert!(message.contains("0 of 3 requests left"), "{message}");
    let other = post(public, "b", ask(r#","max_tokens":9"#)).await;
    assert_eq!(other.status, 200);
    // The third call settled at 10 meanwhile, and this one reserves what that one had.
    assert_eq!(remaining(&other, "tokens"), before - 10);
}

#[tokio::test]
async fn every_request_counts_even_one_that_never_came_to_a_model() {
    let provider = Provider::start(Reply::completion(&["Hi"], 8, 2)).await;
    let quotas = quota("tokens", "tokens", "{ default: 5000 }", "consumer")
        + &quota("requests", "requests", "{ default: 3 }", "consumer");
    let gateway = gateway(&provider, &quotas, &chat("tokens, requests"), &["a"]).await;
    let public = gateway.addr("public");
    let auth = "Authorization: Bearer a";
    assert_eq!(
        wire::request(public, "GET", "/v1/models", &[auth], "")
            .await
            .status,
        200
    );
    assert_eq!(post(public, "a", "{").await.status, 400);
    assert_eq!(
        post(public, "a", ask("").replace("smart", "other"))
            .await
            .status,
        404
    );
    refused(&post(public, "a", "{").await);
    refused(&wire::request(public, "GET", "/v1/models", &[auth], "").await);
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn quotas_count_by_whom_they_say_with_their_overrides() {
    let provider = Provider::start(Reply::completion(&["Hi"], 1, 1)).await;
    let quotas = quota(
        "requests",
        "requests",
        "{ default: 1, overrides: { art: 3 } }",
        "team",
    ) + &quota(
        "by-model",
        "requests",
        "{ default: 2, overrides: { quick: 1 } }",
        "model",
    );
    let gateway = gateway(
        &provider,
        &quotas,
        &chat("by-model"),
        &["a", "b", "art1", "art2"],
    )
    .await;
    let public = gateway.addr("public");
    let plain_answer = |consumer: &'static str| async move {
        let auth = format!("Authorization: Bearer {consumer}");
        wire::request(public, "GET", "/plain", &[&auth], "").await
    };
    let plain = |consumer| async move { plain_answer(consumer).await.status };
    assert_eq!(plain("a").await, 200);
    let second = plain_answer("b").await;
    assert_eq!(second.status, 429, "a team's members share its count");
    let content_type = second.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
    assert_eq!(second.json()["code"], Code::QuotaExhausted.slug());
    let detail = second.json()["detail"].to_string();
    assert!(detail.contains("0 of 1 requests left"), "{detail}");
    assert!(second.header("retry-after").is_some());
    let art = [
        plain("art1").await,
        plain("art2").await,
        plain("art1").await,
        plain("art2").await,
    ];
    assert_eq!(art, [200, 200, 200, 429], "the team's own limit");

    let quick = ask("").replace("smart", "quick");
    for (body, status) in [
        (ask(""), 200),
        (ask(""), 200),
        (ask(""), 429),
        (quick.clone(), 200),
        (quick, 429),
    ] {
        assert_eq!(post(public, "a", body).await.status, status);
    }
}

#[tokio::test]
async fn enforced_quotas_hold_beside_the_routes_own() {
    let provider = Provider::start(Reply::completion(&["Hi"], 8, 2)).await;
    let quotas = quota("tokens", "tokens", "{ default: 5000 }", "consumer")
        + &quota("requests", "requests", "{ default: 9 }", "consumer")
        + &quota("everyone", "requests", "{ default: 2 }", "");
    let enforced = format!(
        "policies: {{ enforced: [{{ kind: quota, quotas: [everyone] }}] }}\n{}",
        chat("tokens")
    );
    let gateway = gateway(&provider, &quotas, &enforced, &["a"]).await;
    let public = gateway.addr("public");
    let first = post(public, "a", ask("")).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(remaining(&first, "everyone"), 1);
    assert!(remaining(&first, "tokens") < 5_000);
    let names: Vec<_> = used(&gateway, "chat")
        .await
        .iter()
        .map(|q| (q["quota"].clone(), q["used"].clone()))
        .collect();
    assert_eq!(
        names,
        [(json!("everyone"), json!(1)), (json!("tokens"), json!(10))]
    );
    assert_eq!(post(public, "a", ask("")).await.status, 200);
    assert!(refused(&post(public, "a", ask("")).await).contains("everyone"));
}
