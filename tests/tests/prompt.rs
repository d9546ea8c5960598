//! A prompt as an API: JSON in, a model's answer out, held to schemas both ways.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::models::{Dialect, Said};
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const JSON: &str = "Content-Type: application/json";

/// A gateway with the prompts `/summarise`, which answers in text, and `/rate`, in JSON. The model
/// is answered by `first`, an OpenAI, and else by `second`, an Anthropic.
async fn gateway(first: SocketAddr, second: SocketAddr) -> (Gateway, SocketAddr) {
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
providers:
  - {{ name: first, dialect: openai, base_url: "http://{first}/v1" }}
  - {{ name: second, dialect: anthropic, base_url: "http://{second}" }}
models:
  - {{ name: smart, targets: [{{ provider: first, model: gpt-test }}, {{ provider: second, model: claude-test }}] }}
consumers:
  - name: assistant
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 1000000 }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
policies: {{ default: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}] }}
routes:
  - name: summarise
    matches: [{{ path: {{ exact: /summarise }} }}]
    prompt:
      model: smart
      instructions: "Summarise. Tone: {{input.tone}}."
      message: "Text:\n{{input.text}}\nTags: {{input.tags}}"
      input:
        type: object
        required: [text]
        additionalProperties: false
        properties:
          text: {{ type: string, minLength: 2 }}
          tone: {{ enum: [plain, formal], default: plain }}
          tags: {{ type: array, items: {{ type: string }}, default: [] }}
      max_tokens: 77
      temperature: 0.5
      max_body: 1KiB
  - name: rate
    matches: [{{ path: {{ exact: /rate }}, methods: [POST] }}]
    prompt:
      model: smart
      message: "Rate: {{input.text}}"
      input: {{ type: object, required: [text], properties: {{ text: {{ type: string }} }} }}
      output: {{ type: object, required: [stars], properties: {{ stars: {{ type: integer, maximum: 5 }} }} }}
"#
    ))
    .await;
    let public = gateway.addr("public");
    (gateway, public)
}

fn said(text: &str) -> Said {
    Said {
        pieces: vec![text.to_owned()],
        call: None,
        usage: (31, 7),
    }
}

async fn post(public: SocketAddr, path: &str, body: impl ToString) -> Response {
    wire::request(public, "POST", path, &[KEY, JSON], body.to_string()).await
}

/// The text of a message of either dialect.
fn content(message: &Value) -> String {
    let content = &message["content"];
    let text = content.as_str().or(content[0]["text"].as_str());
    text.unwrap().to_owned()
}

#[tokio::test]
async fn a_template_makes_a_call_of_what_a_caller_sends() {
    let first = Upstream::start(Dialect::Openai.says(said("Short."))).await;
    let (gateway, public) = gateway(first.addr(), first.addr()).await;
    let hostile = "{input.tone} {{ ${HOME} \"quoted\"\n{path.x}";
    let input = json!({ "text": hostile, "tone": "formal", "tags": ["a", "b"] });
    let answer = post(public, "/summarise", &input).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json(),
        json!({ "text": "Short.", "finish_reason": "stop" })
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("weir-model"), Some("smart"));
    assert_eq!(answer.header("weir-provider"), Some("first"));

    let asked = first.requests()[0].json();
    assert_eq!(asked["model"], "gpt-test");
    assert_eq!(content(&asked["messages"][0]), "Summarise. Tone: formal.");
    assert_eq!(
        content(&asked["messages"][1]),
        format!("Text:\n{hostile}\nTags: [\"a\",\"b\"]")
    );
    assert_eq!(asked["temperature"], 0.5);
    assert!(
        asked.to_string().contains("\"max_tokens\":77") || asked["max_completion_tokens"] == 77
    );
    assert_eq!(asked.get("tools"), None);

    let answer = post(public, "/summarise", json!({ "text": "Long." })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let asked = first.requests()[1].json();
    assert_eq!(content(&asked["messages"][0]), "Summarise. Tone: plain.");
    assert_eq!(content(&asked["messages"][1]), "Text:\nLong.\nTags: []");

    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "summarise")
        .await;
    assert_eq!(line["weir.action"], "prompt", "{line}");
    assert_eq!(line["gen_ai"]["request.model"], "smart", "{line}");
    assert_eq!(line["weir.quotas"][0]["used"], 38, "{line}");
    assert!(!line.to_string().contains("quoted"), "{line}");
}

#[tokio::test]
async fn what_does_not_fit_the_input_is_refused_by_place_and_rule() {
    let first = Upstream::start(Dialect::Openai.says(said("Never."))).await;
    let (gateway, public) = gateway(first.addr(), first.addr()).await;
    for (body, detail, pointer) in [
        (
            r#"{"text":"x"}"#,
            "/text breaks the rule `minLength: 2`",
            "/text",
        ),
        (
            r#"{}"#,
            "/text breaks the rule `required: [\"text\"]`",
            "/text",
        ),
        (
            r#"{"text":"ok","tone":"s3cret"}"#,
            "/tone breaks the rule `enum: [\"plain\",\"formal\"]`",
            "/tone",
        ),
        (
            r#"{"text":"ok","tags":["a",7]}"#,
            "/tags/1 breaks the rule `type: \"string\"`",
            "/tags/1",
        ),
        (
            r#"{"text":"ok","s3cret":1}"#,
            "it breaks the rule `additionalProperties: false`",
            "",
        ),
        ("[]", "it breaks the rule `type: \"object\"`", ""),
    ] {
        let answer = post(public, "/summarise", body).await;
        let told = answer.json();
        assert_eq!(answer.status, 400, "{body}: {told}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(told["code"], Code::RequestBodyInvalid.slug(), "{told}");
        assert!(told["detail"].as_str().unwrap().contains(detail), "{told}");
        assert_eq!(told["errors"][0]["pointer"], pointer, "{told}");
        assert!(!answer.text().contains("s3cret"), "{told}");
    }
    let deep = "[".repeat(900);
    for body in ["{", "", &deep, "\u{0}"] {
        let answer = post(public, "/summarise", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(
            answer.header("weir-error"),
            Some(Code::RequestBodyInvalid.slug())
        );
    }
    let long = json!({ "text": "x".repeat(2000) });
    let answer = post(public, "/summarise", &long).await;
    assert_eq!(
        (answer.status, answer.header("weir-error")),
        (413, Some(Code::RequestTooLarge.slug()))
    );
    let answer = wire::request(public, "GET", "/summarise", &[KEY], b"").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = wire::request(public, "POST", "/summarise", &[JSON], b"{}").await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(first.requests().len(), 0);
    let refused = |line: &Value| line["error.type"] == Code::RequestBodyInvalid.slug();
    for line in gateway.wait_for_logs(10, refused).await {
        assert!(!line.to_string().contains("s3cret"), "{line}");
        assert_eq!(line["weir.quotas"][0]["used"], 0, "{line}");
    }
}

#[tokio::test]
async fn an_answer_is_held_to_the_schema_of_the_output() {
    let first = Upstream::start(Dialect::Openai.says(said(" {\"stars\": 4}\n"))).await;
    let (gateway, public) = gateway(first.addr(), first.addr()).await;
    let body = json!({ "text": "Good.", "more": true });
    let answer = post(public, "/rate", &body).await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "{\"stars\":4}")
    );
    let asked = first.requests()[0].json();
    let format = &asked["response_format"];
    assert_eq!(format["type"], "json_schema", "{asked}");
    let schema = &format["json_schema"]["schema"];
    assert_eq!(schema["properties"]["stars"]["maximum"], 5, "{asked}");

    for (text, why) in [
        (
            "{\"stars\": 9, \"s3cret\": 1}",
            "`maximum: 5` at /properties/stars/maximum",
        ),
        ("{\"s3cret\": 1}", "`required: [\"stars\"]` at /required"),
        (
            "{\"stars\": \"s3cret\"}",
            "`type: \"integer\"` at /properties/stars/type",
        ),
        ("s3cret", "it is not JSON"),
        ("", "it is not JSON"),
    ] {
        first.set(Dialect::Openai.says(said(text)));
        let answer = post(public, "/rate", &body).await;
        let told = answer.json();
        assert_eq!(answer.status, 502, "{text}: {told}");
        assert_eq!(
            answer.header("weir-error"),
            Some(Code::ModelOutputInvalid.slug())
        );
        assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
        assert!(!answer.text().contains("s3cret"), "{told}");
    }
    let cut = r#"{"choices":[{"index":0,"finish_reason":"length","message":{"role":"assistant","content":"{\"stars\":1}"}}]}"#;
    first.set(Behaviour::answer(200, &[JSON], cut));
    let answer = post(public, "/rate", &body).await;
    let told = answer.json();
    assert_eq!(answer.status, 502, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("by \"length\""));

    let refused = |line: &Value| line["error.type"] == Code::ModelOutputInvalid.slug();
    let lines = gateway.wait_for_logs(6, refused).await;
    for line in &lines {
        assert!(!line.to_string().contains("s3cret"), "{line}");
    }
    // The model did answer, and its provider bills that.
    assert_eq!(lines[0]["weir.quotas"][0]["used"], 38, "{}", lines[0]);
}

#[tokio::test]
async fn a_prompt_goes_the_way_of_every_call() {
    let first = Upstream::start(Behaviour::answer(500, &[JSON], "{}")).await;
    let second = Upstream::start(Dialect::Anthropic.says(said("{\"stars\":2}"))).await;
    let (_gateway, public) = gateway(first.addr(), second.addr()).await;
    let body = json!({ "text": "Bad." });
    let answer = post(public, "/rate", &body).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "stars": 2 })));
    assert_eq!(answer.header("weir-provider"), Some("second"));

    // What a provider says of a call that no caller wrote is not the caller's to mend.
    let no = r#"{"error":{"type":"invalid_request_error","message":"too long"}}"#;
    first.set(Behaviour::answer(400, &[JSON], no));
    let answer = post(public, "/rate", &body).await;
    let told = answer.json();
    assert_eq!(
        (answer.status, &told["code"]),
        (502, &json!(Code::ProviderError.slug()))
    );
    assert!(!answer.text().contains("too long"), "{told}");

    first.set(Behaviour::answer(429, &[JSON, "Retry-After: 7"], "{}"));
    second.set(Behaviour::answer(429, &[JSON, "Retry-After: 7"], "{}"));
    let answer = post(public, "/rate", &body).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("7"))
    );
    assert_eq!(answer.json()["code"], Code::ProviderRateLimited.slug());
}

#[tokio::test]
async fn text_is_streamed_to_who_accepts_events() {
    const EVENTS: &str = "Accept: application/json;q=0.5, text/event-stream";
    let pieces = Said {
        pieces: vec!["One ".to_owned(), "two.".to_owned()],
        call: None,
        usage: (3, 2),
    };
    let first = Upstream::start(Dialect::Openai.says(pieces.clone())).await;
    let (gateway, public) = gateway(first.addr(), first.addr()).await;
    let body = json!({ "text": "Long." }).to_string();
    let ask = |path: &'static str| {
        let body = body.clone();
        async move { wire::request(public, "POST", path, &[KEY, JSON, EVENTS], body).await }
    };
    let answer = ask("/summarise").await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(
        answer.text(),
        "data: {\"text\":\"One \"}\n\ndata: {\"text\":\"two.\"}\n\ndata: {\"finish_reason\":\"stop\"}\n\n"
    );
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "summarise")
        .await;
    assert_eq!(line["weir.quotas"][0]["used"], 5, "{line}");

    first.set(Dialect::Openai.breaks_off(pieces, 2));
    let answer = ask("/summarise").await;
    assert!(answer.broken.is_some(), "{}", answer.text());
    let told = answer.text();
    assert!(told.contains("event: error\ndata: {\"code\":"), "{told}");
    assert!(!told.contains("finish_reason"), "{told}");

    // What is held to a schema is judged whole.
    first.set(Dialect::Openai.says(said("{\"stars\":1}")));
    let answer = ask("/rate").await;
    assert_eq!(answer.text(), "{\"stars\":1}");
}

#[tokio::test]
async fn the_list_of_routes_holds_the_schemas() {
    let first = Upstream::start(Behaviour::hang()).await;
    let (gateway, _) = gateway(first.addr(), first.addr()).await;
    let routes = gateway.admin("/routes").await.json();
    let of = |name: &str| {
        let all = routes.as_array().unwrap().iter();
        all.clone()
            .find(|route| route["name"] == name)
            .unwrap()
            .clone()
    };
    let rate = of("rate");
    assert_eq!(
        (&rate["action"], &rate["models"]),
        (&json!("prompt"), &json!(["smart"]))
    );
    assert_eq!(
        rate["matches"],
        json!([{ "path": { "exact": "/rate" }, "methods": ["POST"] }])
    );
    assert_eq!(rate["prompt"]["input"]["required"], json!(["text"]));
    assert_eq!(
        rate["prompt"]["output"]["properties"]["stars"]["maximum"],
        5
    );
    assert_eq!(of("summarise")["prompt"]["output"], Value::Null);
}
