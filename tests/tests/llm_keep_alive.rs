//! Streams that fall silent: their callers are told that they live on, between two events and in
//! words their SDKs pass over, and the provider gets no more time for it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::models::{Dialect, Said};
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

const JSON: &str = "Content-Type: application/json";
const WORDS: [&str; 3] = ["The weir ", "holds ", "well."];

fn said() -> Said {
    Said {
        pieces: WORDS.map(str::to_owned).into(),
        call: None,
        usage: (21, 9),
    }
}

/// A gateway in front of one provider of each dialect; a route of its own for each `keep_alive`.
async fn gateway(providers: &[(Dialect, Upstream)]) -> Gateway {
    let (mut entries, mut models, mut names) = (String::new(), String::new(), Vec::new());
    for (dialect, upstream) in providers {
        let name = dialect.word();
        let waits = ", timeouts: { stream_idle: 3s }";
        entries.push_str(&dialect.provider(name, upstream, waits));
        models.push_str(&format!(
            "  - {{ name: {name}, targets: [{{ provider: {name}, model: m-1 }}] }}\n"
        ));
        names.push(name);
    }
    let names = names.join(", ");
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
secrets: [{{ name: key, value: provider-key-not-for-production }}]
stores: [{{ name: ledger, kind: memory }}]
providers:
{entries}models:
{models}quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 1000000 }}, window: {{ kind: fixed, every: day }} }}
routes:
  - name: told
    matches: [{{ path: {{ prefix: /told }} }}]
    llm: {{ models: [{names}], keep_alive: {{ kind: ping, after: 50ms }} }}
  - name: counted
    matches: [{{ path: {{ prefix: /counted }} }}]
    policies: [{{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [{names}], keep_alive: {{ kind: ping, after: 50ms }} }}
  - name: untold
    matches: [{{ path: {{ prefix: /untold }} }}]
    llm: {{ models: [{names}], keep_alive: {{ kind: none }} }}
"#
    ))
    .await
}

/// What a caller speaks, and what it is sent amid silence.
const CALLERS: [(&str, &str); 5] = [
    ("chat", "\n\n: keep-alive\n\n"),
    ("responses", "\n\n: keep-alive\n\n"),
    ("messages", "\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"),
    ("gemini", "\n\n\n"),
    ("array", "}\n\n"),
];

async fn ask(public: SocketAddr, route: &str, caller: &str, model: &str) -> Response {
    let turns = json!([{ "role": "user", "content": "Hm?" }]);
    let contents = json!({ "contents": [{ "parts": [{ "text": "Hm?" }] }] });
    let (path, body) = match caller {
        "chat" => (
            "v1/chat/completions".to_owned(),
            json!({ "model": model, "stream": true, "messages": turns }),
        ),
        "responses" => (
            "v1/responses".to_owned(),
            json!({ "model": model, "stream": true, "input": "Hm?" }),
        ),
        "messages" => (
            "v1/messages".to_owned(),
            json!({ "model": model, "stream": true, "max_tokens": 99, "messages": turns }),
        ),
        "gemini" => (
            format!("v1beta/models/{model}:streamGenerateContent?alt=sse"),
            contents,
        ),
        _ => (
            format!("v1beta/models/{model}:streamGenerateContent"),
            contents,
        ),
    };
    let path = format!("/{route}/{path}");
    wire::request(public, "POST", &path, &[JSON], body.to_string()).await
}

/// The stream is whole, and each event of it, and it says what the model says.
fn is_whole(answer: &Response, caller: &str, who: &str) {
    assert_eq!(answer.status, 200, "{who}: {}", answer.text());
    assert_eq!(answer.broken, None, "{who}: {}", answer.text());
    let text = answer.text();
    if caller == "array" {
        let all: Value = serde_json::from_str(&text).unwrap();
        assert!(all.is_array(), "{who}: {text}");
    } else {
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        for event in data.filter(|data| *data != "[DONE]") {
            let event: Result<Value, _> = serde_json::from_str(event);
            assert!(event.is_ok(), "{who}: {text}");
        }
    }
    let mut rest = &*text;
    for word in WORDS {
        let at = rest.find(word);
        rest = &rest[at.unwrap_or_else(|| panic!("{who}: no {word:?} in {text}"))..];
    }
}

async fn silent_providers() -> Vec<(Dialect, Upstream)> {
    let mut providers = Vec::new();
    for dialect in Dialect::ALL {
        let behaviour = dialect.pauses(said(), Duration::from_secs(1));
        providers.push((dialect, Upstream::start(behaviour).await));
    }
    providers
}

#[tokio::test]
async fn every_caller_of_a_silent_stream_is_told_that_it_lives_on() {
    let providers = silent_providers().await;
    let gateway = gateway(&providers).await;
    let public = gateway.addr("public");
    let mut calls = Vec::new();
    for dialect in Dialect::ALL {
        for (caller, ping) in CALLERS {
            for route in ["told", "counted"] {
                let call = async move {
                    let who = format!("{caller} of {dialect:?}, {route}");
                    let answer = ask(public, route, caller, dialect.word()).await;
                    is_whole(&answer, caller, &who);
                    let text = answer.text();
                    assert!(text.contains(ping), "{who} was told nothing: {text:?}");
                };
                calls.push(call.boxed());
            }
        }
    }
    join_all(calls).await;
}

#[tokio::test]
async fn who_wants_no_words_amid_silence_gets_none() {
    let providers = silent_providers().await;
    let gateway = gateway(&providers).await;
    let public = gateway.addr("public");
    let calls = CALLERS.iter().map(|(caller, ping)| {
        let call = async move {
            let answer = ask(public, "untold", caller, "openai").await;
            is_whole(&answer, caller, caller);
            assert!(!answer.text().contains(ping), "{caller}: {}", answer.text());
        };
        call.boxed()
    });
    join_all(calls).await;
}

#[tokio::test]
async fn words_amid_silence_give_a_provider_no_more_time() {
    let hangs = Dialect::Openai.pauses(said(), Duration::from_secs(3600));
    let providers = [(Dialect::Openai, Upstream::start(hangs).await)];
    let gateway = gateway(&providers).await;
    for caller in ["chat", "messages"] {
        let answer = ask(gateway.addr("public"), "told", caller, "openai").await;
        let text = answer.text();
        assert!(answer.broken.is_some(), "{caller}: {text}");
        assert!(
            text.contains("keep-alive") || text.contains("ping"),
            "{text}"
        );
        assert!(text.contains(Code::ResponseStalled.slug()), "{text}");
    }
}

#[tokio::test]
async fn nothing_is_kept_alive_that_has_not_begun() {
    let thinks = Behaviour::slow_head(Duration::from_secs(1));
    let providers = [(Dialect::Openai, Upstream::start(thinks).await)];
    let gateway = gateway(&providers).await;
    let answer = ask(gateway.addr("public"), "told", "chat", "openai").await;
    // The model never spoke: the caller is told so by a status, which a first byte would rule out.
    assert_eq!(
        (answer.status, answer.header("weir-error")),
        (502, Some(Code::ProviderResponseInvalid.slug()))
    );
}
