//! A model with several targets: who is asked, who is asked next, and what the caller is told when
//! nobody answers. Nothing reaches the caller before the model has said something.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::models::{Dialect, Said};
use weir_tests::upstream::Step;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream, ports};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const JSON: &str = "Content-Type: application/json";
const SSE: &str = "Content-Type: text/event-stream";

fn said(text: &str) -> Said {
    Said {
        pieces: vec![text.to_owned(), " It does.".to_owned()],
        call: None,
        usage: (11, 4),
    }
}

/// A gateway whose model `smart` is answered by `first`, an OpenAI, and else by an Anthropic.
async fn gateway(first: SocketAddr, second: SocketAddr, strategy: &str) -> (Gateway, SocketAddr) {
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
  - name: smart
    targets: [{{ provider: first, model: gpt-test, weight: 3 }}, {{ provider: second, model: claude-test }}]
    strategy: {{ kind: {strategy} }}
  - {{ name: claude, targets: [{{ provider: second, model: claude-test }}] }}
consumers:
  - name: assistant
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 1000000 }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
  - {{ name: few, store: ledger, unit: requests, limit: {{ default: 1 }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
routes:
  - name: models
    matches: [{{ path: {{ prefix: / }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [smart, claude] }}
  - name: once
    matches: [{{ path: {{ prefix: /once }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [few] }}]
    llm: {{ models: [smart, claude] }}
"#
    ))
    .await;
    let public = gateway.addr("public");
    (gateway, public)
}

fn chat(model: &str, stream: bool, more: &str) -> String {
    format!(
        r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"Does it hold?"}}]{more}}}"#
    )
}

async fn ask(public: SocketAddr, stream: bool) -> Response {
    let body = chat("smart", stream, "");
    wire::request(public, "POST", "/v1/chat/completions", &[KEY, JSON], body).await
}

/// The text of an answer, whole or streamed.
fn text(answer: &Response) -> String {
    let all = answer.text();
    if !all.starts_with("data: ") {
        let message = &answer.json()["choices"][0]["message"];
        return message["content"].as_str().unwrap().to_owned();
    }
    let events = all.lines().filter_map(|line| line.strip_prefix("data: "));
    let values = events.filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let piece = |event: Value| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned());
    values.filter_map(piece).collect()
}

/// Ways in which a provider fails before its model has said anything.
fn failures(stream: bool) -> Vec<(&'static str, Behaviour)> {
    let status = |status| Behaviour::answer(status, &[JSON], r#"{"error":{"message":"no"}}"#);
    let kind = if stream { SSE } else { JSON };
    let role = r#"data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}"#;
    let overloaded = r#"data: {"error":{"message":"busy","type":"overloaded_error"}}"#;
    let mut all = vec![
        ("401", status(401)),
        ("404", status(404)),
        ("408", status(408)),
        ("429", status(429)),
        ("500", status(500)),
        ("503", status(503)),
        ("529", status(529)),
        ("an empty answer", Behaviour::answer(200, &[kind], "")),
        (
            "a page",
            Behaviour::answer(200, &["Content-Type: text/html"], "<p>"),
        ),
    ];
    if stream {
        all.extend([
            (
                "a stream that says nothing",
                Behaviour::answer(200, &[SSE], "data: [DONE]\n\n"),
            ),
            ("no JSON", Behaviour::answer(200, &[SSE], "data: {\n\n")),
            (
                "a failure before the first word",
                Behaviour::answer(200, &[SSE], format!("{role}\n\n{overloaded}\n\n")),
            ),
            (
                "a stream cut before the first word",
                Dialect::Openai.breaks_off(said("never"), 1),
            ),
        ]);
    } else {
        all.extend([
            ("no JSON", Behaviour::answer(200, &[JSON], "{")),
            ("a document cut", Behaviour::short_chunks()),
        ]);
    }
    all
}

#[tokio::test]
async fn whoever_fails_before_a_word_is_said_gives_way_to_the_next() {
    let first = Upstream::start(Behaviour::hang()).await;
    let second = Upstream::start(Dialect::Anthropic.says(said("The second says:"))).await;
    let (gateway, public) = gateway(first.addr(), second.addr(), "fallback").await;
    let mut calls = 0;
    for stream in [false, true] {
        for (how, behaviour) in failures(stream) {
            first.set(behaviour);
            let answer = ask(public, stream).await;
            let who = format!("{how}, stream: {stream}: {}", answer.text());
            assert_eq!(answer.status, 200, "{who}");
            assert_eq!(text(&answer), "The second says: It does.", "{who}");
            assert_eq!(answer.header("weir-provider"), Some("second"), "{who}");
            assert_eq!(answer.header("weir-model"), Some("smart"), "{who}");
            calls += 1;
        }
    }
    for line in gateway
        .wait_for_logs(calls, |line| line["weir.route"] == "models")
        .await
    {
        assert_eq!(line["weir.quotas"][0]["used"], 15, "{line}");
        assert_eq!(line["gen_ai"]["provider.name"], "second", "{line}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_gives_way_too() {
    let second = Upstream::start(Dialect::Anthropic.says(said("Here."))).await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let (_gateway, public) = gateway(nobody, second.addr(), "fallback").await;
    for stream in [false, true] {
        assert_eq!(text(&ask(public, stream).await), "Here. It does.");
    }
}

#[tokio::test]
async fn once_a_word_is_said_a_failure_ends_the_stream_and_never_cleanly() {
    let first = Upstream::start(Dialect::Openai.breaks_off(said("Half"), 2)).await;
    let second = Upstream::start(Dialect::Anthropic.breaks_off(said("Half"), 4)).await;
    let (gateway, public) = gateway(first.addr(), second.addr(), "fallback").await;
    let answer = ask(public, true).await;
    assert_eq!(
        (answer.status, answer.header("weir-provider")),
        (200, Some("first"))
    );
    assert!(answer.broken.is_some(), "{}", answer.text());
    assert_eq!(text(&answer), "Half");
    let last = answer.text();
    assert!(
        last.contains("\"error\"") && !last.contains("[DONE]"),
        "{last}"
    );

    let body = json!({ "model": "claude", "stream": true, "max_tokens": 9,
        "messages": [{ "role": "user", "content": "Hm?" }] });
    let answer = wire::request(
        public,
        "POST",
        "/v1/messages",
        &[KEY, JSON],
        body.to_string(),
    )
    .await;
    assert!(answer.broken.is_some(), "{}", answer.text());
    let last = answer.text();
    assert!(
        last.contains("event: error") && !last.contains("message_stop"),
        "{last}"
    );
    let lines = gateway
        .wait_for_logs(2, |line| line["weir.route"] == "models")
        .await;
    for line in lines {
        assert_eq!(
            line["error.type"],
            Code::HttpResponseIncomplete.slug(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn what_was_said_before_a_failure_in_one_piece_with_it_is_passed_on() {
    let piece = |text: &str| {
        format!(r#"data: {{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#)
    };
    let failure = r#"data: {"error":{"message":"busy","type":"overloaded_error"}}"#;
    let chunk = |text: String| Step::Send(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes());
    let head = format!("HTTP/1.1 200 OK\r\n{SSE}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let first = Upstream::start(Behaviour::steps([
        Step::Send(head.into_bytes()),
        chunk(format!("{}\n\n", piece("Half "))),
        Step::Pause(Duration::from_millis(50)),
        chunk(format!("{}\n\n{failure}\n\n", piece("of it."))),
        Step::Hang,
    ]))
    .await;
    let (gateway, public) = gateway(first.addr(), first.addr(), "fallback").await;
    let answer = ask(public, true).await;
    assert_eq!(text(&answer), "Half of it.");
    assert!(answer.text().contains("provider_overloaded") && answer.broken.is_some());
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "models")
        .await;
    assert_eq!(
        line["error.type"],
        Code::ProviderOverloaded.slug(),
        "{line}"
    );
}

#[tokio::test]
async fn nobody_is_charged_for_what_nobody_answered() {
    let first = Upstream::start(Behaviour::answer(500, &[JSON], "{}")).await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let (gateway, public) = gateway(first.addr(), nobody, "fallback").await;
    let answer = ask(public, false).await;
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::ConnectionRefused.slug())
    );
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "models")
        .await;
    assert_eq!(line["weir.quotas"][0]["used"], 0, "{line}");
    assert_eq!(line["weir.attempts"][0]["upstream"], "provider/first");
    assert_eq!(line["weir.attempts"][1]["upstream"], "provider/second");
}

#[tokio::test]
async fn where_nobody_answers_the_last_failure_is_told_in_the_callers_words() {
    let first = Upstream::start(Behaviour::answer(500, &[JSON], "{}")).await;
    let second = Upstream::start(Behaviour::answer(429, &[JSON, "Retry-After: 7"], "{}")).await;
    let (_gateway, public) = gateway(first.addr(), second.addr(), "fallback").await;
    let answer = ask(public, true).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("7"))
    );
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::ProviderRateLimited.slug())
    );
    let error = &answer.json()["error"];
    assert_eq!(error["type"], "rate_limit_error");
    assert_eq!(error["code"], Code::ProviderRateLimited.slug());

    let body = r#"{"model":"smart","max_tokens":5,"messages":[{"role":"user","content":"Hm?"}]}"#;
    let answer = wire::request(public, "POST", "/v1/messages", &[KEY, JSON], body).await;
    let told = answer.json();
    assert_eq!((answer.status, &told["type"]), (429, &json!("error")));
    assert_eq!(told["error"]["type"], "rate_limit_error", "{told}");

    let body = r#"{"contents":[{"parts":[{"text":"Hm?"}]}]}"#;
    let path = "/v1beta/models/smart:generateContent";
    let answer = wire::request(public, "POST", path, &[KEY, JSON], body).await;
    let told = answer.json();
    assert_eq!((answer.status, &told["error"]["code"]), (429, &json!(429)));
    assert_eq!(told["error"]["status"], "RESOURCE_EXHAUSTED", "{told}");
}

#[tokio::test]
async fn a_policys_refusal_is_in_the_callers_words_too() {
    let second = Upstream::start(Dialect::Anthropic.says(said("Once."))).await;
    let (_gateway, public) = gateway(second.addr(), second.addr(), "fallback").await;
    let body = r#"{"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"Hm?"}]}"#;
    let answer = wire::request(public, "POST", "/once/v1/messages", &[JSON], body).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["type"]),
        (401, &json!("authentication_error"))
    );
    let key = "x-api-key: example-key-not-for-production";
    let answer = wire::request(public, "POST", "/once/v1/messages", &[key, JSON], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let key = "x-goog-api-key: example-key-not-for-production";
    let body = r#"{"contents":[{"parts":[{"text":"Hm?"}]}]}"#;
    let path = "/once/v1beta/models/claude:generateContent";
    let answer = wire::request(public, "POST", path, &[key, JSON], body).await;
    let error = &answer.json()["error"];
    assert_eq!(
        (answer.status, &error["status"]),
        (429, &json!("RESOURCE_EXHAUSTED"))
    );
}

#[tokio::test]
async fn what_a_target_cannot_be_told_is_refused_or_left_out_and_told() {
    let second = Upstream::start(Dialect::Anthropic.says(said("Well."))).await;
    let (_gateway, public) = gateway(second.addr(), second.addr(), "fallback").await;
    let post = |more: &str| {
        let body = chat("claude", false, more);
        async move { wire::request(public, "POST", "/v1/chat/completions", &[KEY, JSON], body).await }
    };
    let answer = post(r#","n":2"#).await;
    let error = &answer.json()["error"];
    assert_eq!(
        (answer.status, &error["param"]),
        (400, &json!("n")),
        "{error}"
    );
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::RequestBodyInvalid.slug())
    );

    let answer = post(r#","seed":7,"service_tier":"auto""#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("weir-dropped"), Some("seed, service_tier"));
    let sent: Value = serde_json::from_slice(&second.requests().pop().unwrap().body).unwrap();
    assert_eq!(sent["model"], "claude-test");
    assert!(
        sent.get("seed").is_none() && sent["max_tokens"].is_u64(),
        "{sent}"
    );
}

#[tokio::test]
async fn calls_are_shared_by_weight() {
    let first = Upstream::start(Dialect::Openai.says(said("One."))).await;
    let second = Upstream::start(Dialect::Anthropic.says(said("Two."))).await;
    let (_gateway, public) = gateway(first.addr(), second.addr(), "weighted").await;
    for _ in 0..8 {
        assert_eq!(ask(public, false).await.status, 200);
    }
    assert_eq!((first.requests().len(), second.requests().len()), (6, 2));
}

#[tokio::test]
async fn a_prompts_length_is_told_to_who_asks() {
    let second = Upstream::start(Dialect::Anthropic.says(said("Well."))).await;
    let (_gateway, public) = gateway(second.addr(), second.addr(), "fallback").await;
    let body = r#"{"model":"smart","messages":[{"role":"user","content":"Does the weir hold?"}]}"#;
    let path = "/v1/messages/count_tokens";
    let answer = wire::request(public, "POST", path, &[KEY, JSON], body).await;
    let tokens = answer.json()["input_tokens"].as_u64().unwrap();
    assert!((5..40).contains(&tokens), "{tokens}");
    let body = r#"{"contents":[{"parts":[{"text":"Does the weir hold?"}]}]}"#;
    let path = "/v1beta/models/smart:countTokens";
    let answer = wire::request(public, "POST", path, &[KEY, JSON], body).await;
    assert_eq!(
        answer.json()["totalTokens"].as_u64(),
        Some(tokens),
        "{}",
        answer.text()
    );
    assert!(second.requests().is_empty());
}
