//! Responses where the provider has them: what only they know works, and what is used is settled.

use serde_json::{Value, json};
use weir_tests::models::{Dialect, Said};
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const JSON: &str = "Content-Type: application/json";
const SSE: &str = "Content-Type: text/event-stream";

/// An answer with an item that no other dialect has.
const ANSWER: &str = r#"{ "id":"resp_1","object":"response","status":"completed","error":null,"model":"gpt-1","output":[{"type":"web_search_call","id":"ws_1","status":"completed"},{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"It holds.","annotations":[]}]}],"usage":{"input_tokens":21,"output_tokens":9,"total_tokens":30} }"#;

fn stream() -> String {
    let created = r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress","output":[],"usage":null},"sequence_number":0}"#;
    let search = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"ws_1","status":"in_progress"},"sequence_number":1}"#;
    let completed =
        format!(r#"{{"type":"response.completed","response":{ANSWER},"sequence_number":2}}"#);
    let named = [
        ("response.created", created),
        ("response.output_item.added", search),
        ("response.completed", &completed),
    ];
    named
        .iter()
        .map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"))
        .collect()
}

async fn gateway(native: &Upstream, other: &Upstream) -> Gateway {
    let (native, other) = (native.addr(), other.addr());
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
  - {{ name: native, dialect: openai, server: openai, base_url: "http://{native}/v1" }}
  - {{ name: azure, dialect: openai, base_url: "http://{native}", azure: {{ api_version: v1 }}, api_key: {{ secret: key }} }}
  - {{ name: other, dialect: openai, server: ollama, base_url: "http://{other}/v1" }}
models:
  - {{ name: smart, targets: [{{ provider: native, model: gpt-1 }}, {{ provider: other, model: llama }}] }}
  - {{ name: deployed, targets: [{{ provider: azure, model: gpt-1 }}] }}
  - {{ name: plain, targets: [{{ provider: other, model: llama }}] }}
consumers:
  - name: assistant
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 1000000 }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
routes:
  - name: metered
    matches: [{{ path: {{ prefix: /metered }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [smart, deployed, plain] }}
  - name: free
    matches: [{{ path: {{ prefix: /free }} }}]
    llm: {{ models: [smart, deployed, plain] }}
"#
    ))
    .await
}

async fn ask(gateway: &Gateway, route: &str, body: &Value) -> Response {
    let path = format!("/{route}/v1/responses");
    let public = gateway.addr("public");
    wire::request(public, "POST", &path, &[KEY, JSON], body.to_string()).await
}

fn asked(model: &str, stream: bool) -> Value {
    json!({ "model": model, "stream": stream, "input": "Does it hold?",
        "previous_response_id": "resp_0", "tools": [{ "type": "web_search" }] })
}

async fn native() -> Upstream {
    Upstream::start(Behaviour::answer(200, &[JSON], ANSWER)).await
}

async fn other() -> Upstream {
    let said = Said {
        pieces: vec!["The other says.".to_owned()],
        call: None,
        usage: (11, 4),
    };
    Upstream::start(Dialect::Openai.says(said)).await
}

#[tokio::test]
async fn what_only_its_provider_knows_passes_both_ways() {
    let (native, other) = (native().await, other().await);
    let gateway = gateway(&native, &other).await;
    for (route, bound) in [("free", None), ("metered", Some(4096))] {
        native.set(Behaviour::answer(200, &[JSON], ANSWER));
        let answer = ask(&gateway, route, &asked("smart", false)).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ANSWER));
        assert_eq!(answer.header("weir-provider"), Some("native"));
        let sent = native.requests().pop().unwrap();
        assert_eq!(sent.target, "/v1/responses");
        let mut expected = asked("gpt-1", false);
        if let Some(bound) = bound {
            expected["max_output_tokens"] = json!(bound);
        }
        assert_eq!(sent.json(), expected, "{route}");

        native.set(Behaviour::answer(200, &[SSE], stream()));
        let answer = ask(&gateway, route, &asked("smart", true)).await;
        assert_eq!((answer.status, answer.text()), (200, stream()));
        assert_eq!(answer.broken, None);
    }
    let lines = gateway
        .wait_for_logs(2, |line| line["weir.route"] == "metered")
        .await;
    for line in lines {
        assert_eq!(line["weir.quotas"][0]["used"], 30, "{line}");
        assert_eq!(line["weir.quotas"][0]["provenance"], "provider", "{line}");
    }
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn azures_first_version_has_them_below_a_path_of_its_own() {
    let (native, other) = (native().await, other().await);
    let gateway = gateway(&native, &other).await;
    let answer = ask(&gateway, "free", &asked("deployed", false)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = native.requests().pop().unwrap();
    assert_eq!(sent.target, "/openai/v1/responses");
    assert_eq!(
        sent.header("api-key"),
        Some("provider-key-not-for-production")
    );
}

#[tokio::test]
async fn the_next_target_is_told_what_can_be_told_and_else_it_is_refused() {
    let (native, other) = (native().await, other().await);
    native.set(Behaviour::answer(500, &[JSON], "{}"));
    let gateway = gateway(&native, &other).await;
    let plain = json!({ "model": "smart", "input": "Does it hold?" });
    let answer = ask(&gateway, "metered", &plain).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("weir-provider"), Some("other"));
    assert_eq!(
        answer.json()["output"][0]["content"][0]["text"],
        "The other says."
    );
    assert_eq!(other.requests()[0].target, "/v1/chat/completions");

    // What the other cannot be told is the caller's to mend.
    let answer = ask(&gateway, "metered", &asked("plain", false)).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(other.requests().len(), 1);

    // A failure that comes as a success is one.
    let failed = r#"{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"no"},"output":[]}"#;
    native.set(Behaviour::answer(200, &[JSON], failed));
    let answer = ask(&gateway, "free", &plain).await;
    assert_eq!(answer.header("weir-provider"), Some("other"));
}

#[tokio::test]
async fn nothing_is_made_in_the_background() {
    let (native, other) = (native().await, other().await);
    let gateway = gateway(&native, &other).await;
    let mut body = asked("smart", false);
    body["background"] = json!(true);
    let answer = ask(&gateway, "free", &body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["param"], "background");
    assert_eq!(native.requests().len(), 0);
}
