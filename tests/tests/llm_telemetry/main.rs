//! What operators see of calls of language models: spans and figures in the words of
//! OpenTelemetry's GenAI conventions, what they cost and whom, and what was said only where that
//! was asked for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod content;
mod figures;

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_tests::Gateway;
use weir_tests::models::Said;
use weir_tests::otlp::{Collector, Span};
use weir_tests::wire::{self, Response};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const JSON: &str = "Content-Type: application/json";

/// What nobody but the model and its caller may see.
const PROMPT: &str = "The walrus sings at midnight.";
const INSTRUCTION: &str = "Answer as the carpenter would.";
const ANSWER: &str = "Goo goo g'joob.";

fn said() -> Said {
    Said {
        pieces: vec!["Goo goo ".to_owned(), "g'joob.".to_owned()],
        call: None,
        usage: (11, 4),
    }
}

/// What stands in the sections that tests differ in.
struct Setting<'s> {
    collector: &'s Collector,
    ratio: &'s str,
    telemetry: &'s str,
    route: &'s str,
}

/// A gateway whose model `smart` is answered by `first`, an OpenAI, and else by an Anthropic;
/// `plain` has no quota, so that nobody reads its streams event by event.
async fn gateway(first: SocketAddr, second: SocketAddr, setting: &Setting<'_>) -> Gateway {
    let Setting {
        collector,
        ratio,
        telemetry,
        route,
    } = setting;
    let endpoint = collector.endpoint();
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry:
  access_log: {{ output: "${{ACCESS_LOG}}" }}
  otlp: {{ endpoint: "{endpoint}", sample_ratio: {ratio} }}
  {telemetry}
stores: [{{ name: ledger, kind: memory }}]
teams: [{{ name: shop }}]
providers:
  - {{ name: first, dialect: openai, base_url: "http://{first}/v1" }}
  - {{ name: second, dialect: anthropic, base_url: "http://{second}" }}
prices:
  entries: [{{ provider: second, model: claude-test, from: 2026-01-01, input: "3.00", output: "15.00" }}]
models:
  - name: smart
    targets: [{{ provider: first, model: gpt-test }}, {{ provider: second, model: claude-test }}]
    strategy: {{ kind: fallback }}
consumers:
  - name: assistant
    team: shop
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 1000000 }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
routes:
  - name: chat
    matches: [{{ path: {{ prefix: / }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [smart]{route} }}
  - name: plain
    matches: [{{ path: {{ prefix: /plain }} }}]
    policies: [{{ kind: key_auth }}]
    llm: {{ models: [smart]{route} }}
"#
    ))
    .await
}

async fn ask(gateway: &Gateway, path: &str, stream: bool) -> Response {
    let body = json!({
        "model": "smart", "stream": stream, "max_tokens": 50, "temperature": 0.5, "top_p": 0.9,
        "stop": ["END"], "seed": 7,
        "messages": [
            { "role": "system", "content": INSTRUCTION },
            { "role": "user", "content": PROMPT },
        ],
    });
    let public = gateway.addr("public");
    wire::request(public, "POST", path, &[KEY, JSON], body.to_string()).await
}

fn has(span: &Span, expected: &[(&str, Value)]) {
    for (key, value) in expected {
        assert_eq!(
            span.attribute(key),
            value,
            "{key} of {}: {span:?}",
            span.name
        );
    }
}
