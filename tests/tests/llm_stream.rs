//! Streamed chat end to end: what is asked of the provider and hidden from the caller, what is
//! charged, and how a stream ends that breaks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::openai::{Provider, Reply};
use weir_tests::wire::{self, Connection, Response};
use weir_tests::{Behaviour, Gateway};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const JSON: &str = "Content-Type: application/json";
const SSE: &str = "Content-Type: text/event-stream";

async fn answering(reply: Reply) -> (Provider, Gateway, SocketAddr) {
    let provider = Provider::start(reply).await;
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
providers: [{{ name: mock, dialect: openai, base_url: "{}" }}]
models: [{{ name: smart, targets: [{{ provider: mock, model: gpt-test }}] }}]
consumers:
  - name: assistant
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 100000 }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
routes:
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [smart] }}
  - name: free
    matches: [{{ path: {{ prefix: /free }} }}]
    llm: {{ models: [smart] }}
"#,
        provider.base_url()
    );
    let gateway = Gateway::start(&yaml).await;
    let public = gateway.addr("public");
    (provider, gateway, public)
}

/// A streamed call with `more` members, such as `,"n":1`.
fn ask(more: &str) -> String {
    format!(
        r#"{{"model":"smart","stream":true,"max_tokens":500,"messages":[{{"role":"user","content":"Hello"}}]{more}}}"#
    )
}

async fn post(public: SocketAddr, body: &str) -> Response {
    wire::request(public, "POST", "/v1/chat/completions", &[KEY, JSON], body).await
}

/// The data of each event of a whole stream.
fn events(text: &str) -> Vec<String> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    blocks
        .map(|block| block.strip_prefix("data: ").unwrap().to_owned())
        .collect()
}

/// The text the events carry, put together.
fn content(events: &[String]) -> String {
    let piece = |event: &String| {
        let event: Value = serde_json::from_str(event).ok()?;
        Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned())
    };
    events.iter().filter_map(piece).collect()
}

fn shows_usage(events: &[String]) -> bool {
    events
        .iter()
        .any(|event| event.contains("\"prompt_tokens\""))
}

async fn line(gateway: &Gateway) -> Value {
    gateway
        .wait_for_log(|line| line["weir.action"] == "llm")
        .await
}

#[tokio::test]
async fn usage_is_asked_for_and_hidden_from_who_did_not_ask() {
    let (provider, gateway, public) = answering(Reply::completion(&["Hel", "lo"], 5, 2)).await;
    let answer = post(public, &ask("")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.broken, None);
    let events = events(&answer.text());
    assert_eq!(content(&events), "Hello");
    assert!(!shows_usage(&events), "{events:?}");
    assert_eq!(events.last().unwrap(), "[DONE]");
    assert_eq!(
        provider.requests()[0].json()["stream_options"]["include_usage"],
        true
    );
    let line = line(&gateway).await;
    assert_eq!(line["gen_ai"]["usage.input_tokens"], 5);
    assert_eq!(line["gen_ai"]["usage.output_tokens"], 2);
    assert_eq!(line["gen_ai"]["provenance"], "provider");
    assert_eq!(line["gen_ai"]["finish_reason"], "stop");
    assert!(line["gen_ai"]["first_chunk"].is_number());
    assert_eq!(line["weir.quotas"][0]["used"], 7);
}

#[tokio::test]
async fn usage_is_shown_to_who_asked() {
    let (provider, _gateway, public) = answering(Reply::completion(&["Hi"], 5, 1)).await;
    let body = ask(r#","stream_options":{"include_usage":true}"#);
    let shown = events(&post(public, &body).await.text());
    assert!(shows_usage(&shown), "{shown:?}");
    let sent = provider.requests()[0].text();
    assert_eq!(
        sent,
        body.replace("\"smart\"", "\"gpt-test\""),
        "there was nothing to add"
    );

    let declined = ask(r#","stream_options":{"include_usage":false,"x":1}"#);
    let hidden = events(&post(public, &declined).await.text());
    assert!(!shows_usage(&hidden), "{hidden:?}");
    let sent = provider.requests()[1].json();
    assert_eq!(
        sent["stream_options"],
        json!({ "include_usage": true, "x": 1 })
    );
}

#[tokio::test]
async fn what_was_settled_is_left_out_of_what_remains() {
    let (_provider, gateway, public) = answering(Reply::completion(&["Hi"], 40, 2)).await;
    let remaining = |answer: &Response| -> u64 {
        let field = answer.header("ratelimit").unwrap().to_owned();
        let rest = field.split("r=").nth(1).unwrap();
        rest.split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let first = remaining(&post(public, &ask("")).await);
    line(&gateway).await;
    let second = remaining(&post(public, &ask("")).await);
    assert_eq!(
        first - second,
        42,
        "the second call finds 42 less, and not what was reserved"
    );
}

#[tokio::test]
async fn what_a_silent_provider_used_is_counted() {
    let reply = Reply::completion(&["Hel", "lo there"], 0, 0).without_usage();
    let (_provider, gateway, public) = answering(reply).await;
    let answer = post(public, &ask("")).await;
    assert_eq!((answer.status, answer.broken), (200, None));
    let line = line(&gateway).await;
    assert_eq!(line["gen_ai"]["provenance"], "counted");
    assert_eq!(line["gen_ai"]["usage.output_tokens"], 2);
    assert_eq!(line["gen_ai"]["usage.input_tokens"], 8);
    assert_eq!(line["weir.quotas"][0]["used"], 10);
    assert_eq!(line["weir.quotas"][0]["provenance"], "counted");
}

#[tokio::test]
async fn a_cut_stream_ends_with_an_error_event_and_never_cleanly() {
    let reply = Reply::completion(&["Hel", "lo", " there"], 5, 3).cut_after(3);
    let (_provider, gateway, public) = answering(reply).await;
    let answer = post(public, &ask("")).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.broken.is_some(),
        "a cut stream must not end as a whole one does"
    );
    let events = events(&answer.text());
    assert_eq!(content(&events), "Hello");
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], Code::HttpResponseIncomplete.slug());
    assert!(last["error"]["message"].is_string());
    let line = line(&gateway).await;
    assert_eq!(line["error.type"], Code::HttpResponseIncomplete.slug());
    assert_eq!(line["weir.aborted"], true);
    assert_eq!(line["weir.quotas"][0]["provenance"], "counted");
    assert_eq!(
        line["weir.quotas"][0]["used"],
        8 + 1,
        "charged what was streamed"
    );
}

#[tokio::test]
async fn a_stream_without_its_end_is_not_whole() {
    let (provider, _gateway, public) = answering(Reply::Hang).await;
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    provider.set(Reply::Raw(Behaviour::answer(200, &[SSE], text)));
    let answer = post(public, &ask("")).await;
    assert!(answer.broken.is_some());
    assert!(answer.text().starts_with(text));
    assert!(answer.text().contains(Code::HttpResponseIncomplete.slug()));
}

#[tokio::test]
async fn a_sized_stream_whose_usage_is_hidden_keeps_a_sound_framing() {
    let (provider, gateway, public) = answering(Reply::Hang).await;
    let hi = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
    // The last line lacks its line ends, as some servers leave it.
    let all = format!("{hi}{usage}data: [DONE]");
    provider.set(Reply::Raw(Behaviour::answer(200, &[SSE], all)));
    let answer = post(public, &ask("")).await;
    assert_eq!(answer.broken, None);
    assert_eq!(answer.text(), format!("{hi}data: [DONE]\n\n"));
    assert_eq!(line(&gateway).await["weir.quotas"][0]["used"], 4);
}

#[tokio::test]
async fn a_stream_nobody_could_read_is_refused_before_it_begins() {
    let (provider, _gateway, public) = answering(Reply::Hang).await;
    provider.set(Reply::Raw(Behaviour::answer(200, &[JSON], "{}")));
    let answer = post(public, &ask("")).await;
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.json()["error"]["code"],
        Code::ProviderResponseInvalid.slug()
    );
    provider.set(Reply::rate_limited(3));
    let answer = post(public, &ask("")).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("3"))
    );
    assert_eq!(
        answer.json()["error"]["code"],
        Code::ProviderRateLimited.slug()
    );
}

#[tokio::test]
async fn an_endless_event_ends_the_stream() {
    let (provider, gateway, public) = answering(Reply::Hang).await;
    let endless = format!("data: {}", "x".repeat(3 << 20));
    provider.set(Reply::Raw(Behaviour::answer(200, &[SSE], endless)));
    // The model said nothing yet, so that the caller is answered as if nothing had come.
    let answer = post(public, &ask("")).await;
    assert_eq!(
        (answer.status, answer.header("weir-error")),
        (502, Some(Code::ProviderResponseInvalid.slug()))
    );
    assert_eq!(
        line(&gateway).await["error.type"],
        Code::ProviderResponseInvalid.slug()
    );
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_providers_work_and_pays_what_was_streamed() {
    let reply = Reply::completion(&["Hello"; 1000], 5, 1000).pause(Duration::from_millis(20));
    let (provider, gateway, public) = answering(reply).await;
    let mut caller = Connection::open(public).await;
    let body = ask("");
    let message = wire::message(
        public,
        "POST",
        "/v1/chat/completions",
        &[KEY, JSON],
        body.as_bytes(),
    );
    caller.send(message).await.unwrap();
    caller.read_until("Hello").await;
    caller.reset();
    provider.upstream().wait_for_close().await;
    let line = line(&gateway).await;
    assert_eq!(line["error.type"], Code::ClientDisconnected.slug());
    let used = line["weir.quotas"][0]["used"].as_u64().unwrap();
    let reserved = line["weir.quotas"][0]["reserved"].as_u64().unwrap();
    assert!(used > 8, "{line}");
    assert!(used < reserved, "not all of it: {line}");
}

#[tokio::test]
async fn an_unmetered_stream_passes_and_its_usage_is_told() {
    let (provider, gateway, public) = answering(Reply::completion(&["Hi"], 5, 1)).await;
    let free = |body: String| async move {
        wire::request(public, "POST", "/free/chat/completions", &[JSON], body).await
    };
    let events = events(&free(ask("")).await.text());
    assert_eq!(content(&events), "Hi");
    assert!(!shows_usage(&events));
    assert_eq!(line(&gateway).await["gen_ai"]["usage.input_tokens"], 5);

    provider.set(Reply::completion(&["Hi"], 0, 0).without_usage());
    assert_eq!(free(ask(r#","user":"second""#)).await.status, 200);
    let silent = |line: &Value| line["gen_ai"]["usage.input_tokens"].is_null();
    let line = gateway.wait_for_log(silent).await;
    assert!(
        line["gen_ai"]["usage.output_tokens"].is_null(),
        "unknown is not zero: {line}"
    );
}
