//! Texts as vectors: asked in OpenAI's words, made by whoever makes them, counted and paid for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const JSON: &str = "Content-Type: application/json";

/// What a server of OpenAI's embeddings answers, with spaces that nobody but it would write.
const VECTORS: &str = r#"{ "object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.0]}], "model":"e-1","usage":{"prompt_tokens":4,"total_tokens":4} }"#;

async fn gateway(openai: &Upstream, gemini: &Upstream, limit: u64) -> Gateway {
    let (openai, gemini) = (openai.addr(), gemini.addr());
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
secrets: [{{ name: key, value: provider-key-not-for-production }}]
stores: [{{ name: ledger, kind: memory }}]
providers:
  - {{ name: openai, dialect: openai, base_url: "http://{openai}/v1", api_key: {{ secret: key }} }}
  - {{ name: azure, dialect: openai, base_url: "http://{openai}", azure: {{ api_version: "2024-10-21" }}, api_key: {{ secret: key }} }}
  - {{ name: gemini, dialect: gemini, base_url: "http://{gemini}", api_key: {{ secret: key }} }}
  - {{ name: claude, dialect: anthropic, base_url: "http://{gemini}", api_key: {{ secret: key }} }}
models:
  - {{ name: alike, targets: [{{ provider: openai, model: text-embedding-3-small }}] }}
  - {{ name: deployed, targets: [{{ provider: azure, model: dep/loyment }}] }}
  - {{ name: other, targets: [{{ provider: gemini, model: gemini-embedding-001 }}] }}
  - {{ name: either, targets: [{{ provider: openai, model: text-embedding-3-small }}, {{ provider: gemini, model: gemini-embedding-001 }}] }}
  - {{ name: none, targets: [{{ provider: claude, model: claude-sonnet-4-5 }}] }}
consumers:
  - name: assistant
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: {limit} }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
routes:
  - name: models
    matches: [{{ path: {{ prefix: / }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [alike, deployed, other, either, none] }}
"#
    ))
    .await
}

async fn ask(gateway: &Gateway, model: &str, members: Value) -> Response {
    let mut body = json!({ "model": model });
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    let public = gateway.addr("public");
    let body = body.to_string();
    wire::request(public, "POST", "/v1/embeddings", &[KEY, JSON], body).await
}

async fn openai() -> Upstream {
    Upstream::start(Behaviour::answer(200, &[JSON], VECTORS)).await
}

async fn gemini() -> Upstream {
    let answer = r#"{"embeddings":[{"values":[0.25,2]},{"values":[1,0]}]}"#;
    Upstream::start(Behaviour::answer(200, &[JSON], answer)).await
}

/// What was charged for the call of a model, once it is written down.
async fn charged(gateway: &Gateway, model: &str) -> Value {
    let of_it = |line: &Value| line["gen_ai"]["request.model"] == model;
    gateway.wait_for_log(of_it).await
}

#[tokio::test]
async fn who_speaks_alike_is_sent_the_same_bytes_and_answers_with_its_own() {
    let (openai, gemini) = (openai().await, gemini().await);
    let gateway = gateway(&openai, &gemini, 1000).await;
    let members = json!({ "input": ["It holds."], "encoding_format": "float", "dimensions": 2 });
    let answer = ask(&gateway, "alike", members).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.text(), VECTORS);
    assert_eq!(answer.header("weir-provider"), Some("openai"));
    let asked = &openai.requests()[0];
    assert_eq!(asked.target, "/v1/embeddings");
    assert_eq!(
        asked.header("authorization"),
        Some("Bearer provider-key-not-for-production")
    );
    assert_eq!(
        asked.json(),
        json!({ "model": "text-embedding-3-small", "input": ["It holds."],
            "encoding_format": "float", "dimensions": 2 })
    );
    let line = charged(&gateway, "alike").await;
    assert_eq!(line["weir.quotas"][0]["used"], 4, "{line}");
    assert_eq!(line["weir.quotas"][0]["provenance"], "provider", "{line}");
    assert!(line.to_string().contains("\"embeddings\""), "{line}");

    let tokens = json!({ "input": [[1, 2, 3], [4]] });
    assert_eq!(ask(&gateway, "deployed", tokens).await.status, 200);
    let asked = &openai.requests()[1];
    assert_eq!(
        asked.target,
        "/openai/deployments/dep%2Floyment/embeddings?api-version=2024-10-21"
    );
    assert_eq!(
        asked.header("api-key"),
        Some("provider-key-not-for-production")
    );
}

#[tokio::test]
async fn gemini_makes_them_for_callers_of_openai_and_what_they_cost_is_counted() {
    let (openai, gemini) = (openai().await, gemini().await);
    let gateway = gateway(&openai, &gemini, 1000).await;
    let members = json!({ "input": ["It holds.", "hello world"], "dimensions": 2, "user": "u" });
    let answer = ask(&gateway, "other", members.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // "It holds." is 3 tokens and "hello world" 2.
    assert_eq!(
        answer.json(),
        json!({ "object": "list", "model": "gemini-embedding-001", "data": [
            { "object": "embedding", "index": 0, "embedding": [0.25, 2.0] },
            { "object": "embedding", "index": 1, "embedding": [1.0, 0.0] }],
            "usage": { "prompt_tokens": 5, "total_tokens": 5 } })
    );
    assert_eq!(answer.header("weir-dropped"), Some("user"));
    let asked = &gemini.requests()[0];
    assert_eq!(
        asked.target,
        "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    );
    assert_eq!(asked.json()["requests"][1]["outputDimensionality"], 2);
    let line = charged(&gateway, "other").await;
    assert_eq!(line["weir.quotas"][0]["used"], 5, "{line}");
    assert_eq!(line["weir.quotas"][0]["provenance"], "counted", "{line}");

    // The same, written as OpenAI's SDKs ask for it.
    let mut members = members;
    members["encoding_format"] = json!("base64");
    let answer = ask(&gateway, "other", members).await;
    assert_eq!(answer.json()["data"][0]["embedding"], "AACAPgAAAEA=");

    let one = json!({ "input": "one text, and two vectors come" });
    let answer = ask(&gateway, "other", one).await;
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.header("weir-error"),
        Some("provider_response_invalid")
    );
    let tokens = json!({ "input": [1, 2] });
    let answer = ask(&gateway, "other", tokens).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "input");
}

#[tokio::test]
async fn who_fails_gives_way_and_who_makes_none_says_so() {
    let (openai, gemini) = (openai().await, gemini().await);
    openai.set(Behaviour::answer(503, &[JSON], "{}"));
    let gateway = gateway(&openai, &gemini, 1000).await;
    let members = json!({ "input": ["a", "b"] });
    let answer = ask(&gateway, "either", members.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("weir-provider"), Some("gemini"));
    let answer = ask(&gateway, "none", members).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "model");
    let line = charged(&gateway, "none").await;
    assert_eq!(line["weir.quotas"][0]["used"], 0, "{line}");
    let nothing = ask(&gateway, "alike", json!({ "input": [] })).await;
    assert_eq!(nothing.status, 400);
    assert_eq!(nothing.json()["error"]["param"], "input");
}

#[tokio::test]
async fn the_prompt_is_reserved_exactly_where_that_decides() {
    let (openai, gemini) = (openai().await, gemini().await);
    let gateway = gateway(&openai, &gemini, 8).await;
    // 44 bytes, 10 tokens.
    let long = json!({ "input": "The quick brown fox jumps over the lazy dogs" });
    let answer = ask(&gateway, "alike", long).await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.header("weir-error"), Some("quota_exhausted"));
    assert_eq!(openai.requests().len(), 0);
    // 25 bytes, 5 tokens.
    let short = json!({ "input": "The quick brown fox jumps" });
    let answer = ask(&gateway, "alike", short).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let tokens = json!({ "input": [[1, 2, 3], [4, 5]] });
    assert_eq!(ask(&gateway, "alike", tokens).await.status, 429);
}
