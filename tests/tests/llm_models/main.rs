//! Models and their targets: who is set aside and probed, keys in turn, retries, strategies, limits,
//! who may ask for what, and quotas by provider.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use serde_json::Value;
use weir_tests::metered::{Speaker, ask, post};
use weir_tests::upstream::Upstream;
use weir_tests::wire::Response;
use weir_tests::{Behaviour, Gateway, consumer};

mod allow;
mod keys;
mod limits;
mod quotas;
mod retry;
mod set_aside;
mod strategies;

const JSON: &str = "Content-Type: application/json";

/// A configuration whose route `chat` has these models and policies beside `key_auth`. The
/// consumers are `ann` of the team `shop`, `bob` of `art` in the group `writers`, and `cyd` of `art`.
fn config(sections: &str, models: &str, policies: &str) -> String {
    let consumers = [
        consumer::entry("ann", "shop"),
        consumer::entry("bob", "art, groups: [writers]"),
        consumer::entry("cyd", "art"),
    ];
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
secrets: [{{ name: key-a, value: value-a }}, {{ name: key-b, value: value-b }}, {{ name: key-c, value: value-c }}]
teams: [{{ name: shop }}, {{ name: art }}]
consumers:
{}{sections}
routes:
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies: [{{ kind: key_auth }}{policies}]
    llm: {{ models: [{models}] }}
"#,
        consumers.concat()
    )
}

/// Two OpenAIs called `first` and `second`, with `more` members each, and the model `smart`, whose
/// targets are a model of each, with `more_of_model` members.
fn two(first: SocketAddr, second: SocketAddr, more: &str, more_of_model: &str) -> String {
    format!(
        r#"
providers:
  - {{ name: first, dialect: openai, base_url: "http://{first}/v1"{more} }}
  - {{ name: second, dialect: openai, base_url: "http://{second}/v1"{more} }}
models:
  - {{ name: smart, targets: [{{ provider: first, model: one }}, {{ provider: second, model: two }}]{more_of_model} }}
"#
    )
}

/// One OpenAI called `first` with `more` members, and the model `smart`.
fn one(first: SocketAddr, more: &str) -> String {
    format!(
        r#"
providers: [{{ name: first, dialect: openai, base_url: "http://{first}/v1"{more} }}]
models: [{{ name: smart, targets: [{{ provider: first, model: one }}] }}]
"#
    )
}

/// A provider that answers with three words.
fn well() -> Behaviour {
    Speaker::new(3).behaviour()
}

/// A provider that fails like this.
fn fails(status: u16, headers: &[&str]) -> Behaviour {
    let headers = [&[JSON], headers].concat();
    Behaviour::answer(status, &headers, r#"{"error":{"message":"no"}}"#)
}

/// A call of `smart`.
async fn call(gateway: &Gateway) -> Response {
    // On the heap: tests await many of them.
    Box::pin(post(gateway.addr("public"), "ann", ask(""))).await
}

/// The provider that answered one.
async fn served(gateway: &Gateway) -> String {
    let answer = call(gateway).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("weir-provider").unwrap().to_owned()
}

/// How many requests it was sent.
fn calls(upstream: &Upstream) -> usize {
    upstream.requests().len()
}

/// What operators see of a provider's target.
async fn target(gateway: &Gateway, provider: &str) -> Value {
    let all = gateway.admin("/targets").await.json();
    let mut found = all.as_array().unwrap().iter();
    found
        .rfind(|target| target["provider"] == provider)
        .unwrap()
        .clone()
}
