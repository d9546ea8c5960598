//! How long a prompt is: its own provider is asked, and the gateway counts where that fails.

use serde_json::{Value, json};
use weir_tests::models::{self, Dialect};
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const JSON: &str = "Content-Type: application/json";

async fn ask(gateway: &Gateway, path: &str, body: &Value) -> Response {
    let public = gateway.addr("public");
    wire::request(public, "POST", path, &[KEY, JSON], body.to_string()).await
}

fn message(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Does it hold?" }] })
}

#[tokio::test]
async fn anthropics_own_count_is_told_and_else_the_gateways() {
    let answer = Behaviour::answer(200, &[JSON], r#"{"input_tokens":1234}"#);
    let anthropic = Upstream::start(answer).await;
    let gemini = Upstream::start(Behaviour::hang()).await;
    let providers = [
        ("claude", Dialect::Anthropic, &anthropic),
        ("gemini", Dialect::Gemini, &gemini),
    ];
    let gateway = models::gateway(&providers).await;
    let path = "/v1/messages/count_tokens";
    let told = ask(&gateway, path, &message("claude")).await;
    assert_eq!(told.json(), json!({ "input_tokens": 1234 }));
    let asked = &anthropic.requests()[0];
    assert_eq!(asked.target, path);
    assert_eq!(
        asked.header("x-api-key"),
        Some("provider-key-not-for-production")
    );
    assert_eq!(asked.json(), message("claude-opus-4-6"));

    // Who speaks otherwise is not asked.
    let counted = ask(&gateway, path, &message("gemini")).await;
    let count = counted.json()["input_tokens"].as_u64().unwrap();
    assert!((4..20).contains(&count), "{count}");
    assert_eq!(gemini.requests().len(), 0);

    for failure in [
        Behaviour::answer(500, &[JSON], "{}"),
        Behaviour::answer(404, &[JSON], "{}"),
        Behaviour::answer(200, &[JSON], r#"{"tokens":1}"#),
        Behaviour::short_body(),
        Behaviour::close_before_head(),
    ] {
        anthropic.set(failure);
        let counted = ask(&gateway, path, &message("claude")).await;
        assert_eq!(counted.status, 200, "{}", counted.text());
        assert_eq!(counted.json(), json!({ "input_tokens": count }));
    }
    let lines = gateway
        .wait_for_logs(7, |line| line["weir.route"] == "models")
        .await;
    for line in lines {
        let used = line["weir.quotas"][0]["used"].as_u64().unwrap_or(0);
        assert_eq!(used, 0, "{line}");
    }
}

#[tokio::test]
async fn geminis_own_count_is_told_with_the_model_it_knows() {
    let said = r#"{"totalTokens":31,"cachedContentTokenCount":4}"#;
    let gemini = Upstream::start(Behaviour::answer(200, &[JSON], said)).await;
    let gateway = models::gateway(&[("smart", Dialect::Gemini, &gemini)]).await;
    let contents = json!([{ "parts": [{ "text": "Does it hold?" }] }]);
    let path = "/v1beta/models/smart:countTokens";
    let told = ask(&gateway, path, &json!({ "contents": contents })).await;
    assert_eq!(told.text(), said);
    let whole =
        json!({ "generateContentRequest": { "model": "models/smart", "contents": contents } });
    assert_eq!(ask(&gateway, path, &whole).await.text(), said);
    let asked = gemini.requests();
    assert_eq!(
        asked[0].target,
        "/v1beta/models/claude-opus-4-6:countTokens"
    );
    assert_eq!(
        asked[1].json()["generateContentRequest"]["model"],
        "models/claude-opus-4-6"
    );
}
