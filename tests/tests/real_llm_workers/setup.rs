//! A gateway with one worker, prompts with numbers, and a provider that says each number back.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::kafka::{Kafka, Record, Written};
use weir_tests::upstream::{Behaviour, Received, Step, When};
use weir_tests::{Gateway, Upstream};

/// What gateways of a test have in common.
#[derive(Clone)]
pub(crate) struct Setup {
    bootstrap: String,
    provider: String,
    topic: &'static str,
    otlp: String,
    limit: u64,
    every: &'static str,
}

impl Setup {
    /// Prompts of a topic of that name are answered by `provider`; completions go to `TOPIC-done`, and what
    /// is given up to `TOPIC-dead`.
    pub(crate) async fn new(
        kafka: &Kafka,
        provider: &Upstream,
        topic: &'static str,
        partitions: i32,
    ) -> Self {
        kafka.create_topic(topic, partitions).await;
        kafka.create_topic(&format!("{topic}-done"), 1).await;
        kafka.create_topic(&format!("{topic}-dead"), 1).await;
        Self {
            bootstrap: kafka.bootstrap(),
            provider: provider.url("/v1"),
            topic,
            otlp: String::new(),
            limit: 1_000_000,
            every: "day",
        }
    }

    /// Sends spans there.
    pub(crate) fn otlp(mut self, endpoint: &str) -> Self {
        self.otlp = format!(", otlp: {{ endpoint: \"{endpoint}\", sample_ratio: 1.0 }}");
        self
    }

    /// The route's quota is so many tokens in each window.
    pub(crate) fn quota(mut self, limit: u64, every: &'static str) -> Self {
        (self.limit, self.every) = (limit, every);
        self
    }

    pub(crate) async fn start(&self, options: &str) -> Gateway {
        Gateway::start(&self.yaml(options)).await
    }

    /// The configuration; `options` are members of the worker.
    pub(crate) fn yaml(&self, options: &str) -> String {
        let Self {
            bootstrap,
            provider,
            topic,
            otlp,
            limit,
            every,
        } = self;
        let kind = match *every {
            "day" => "fixed",
            _ => "sliding",
        };
        let consumer = match options.contains("as:") {
            true => "",
            false => "as: { kind: consumer, name: batch }",
        };
        format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }}{otlp} }}
secrets: [{{ name: key, value: provider-key-not-for-production }}]
stores: [{{ name: memory, kind: memory }}]
teams: [{{ name: shop, organisation: acme, owns: {{ topics: ["*"] }} }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{bootstrap}"] }}]
providers: [{{ name: openai, dialect: openai, base_url: "{provider}", api_key: {{ secret: key }} }}]
models: [{{ name: smart, targets: [{{ provider: openai, model: gpt-4o }}] }}]
consumers:
  - {{ name: batch, team: shop, credentials: [] }}
  - {{ name: other, credentials: [] }}
quotas:
  - {{ name: tokens, store: memory, unit: tokens, limit: {{ default: {limit} }}, window: {{ kind: {kind}, every: {every} }}, by: [consumer] }}
routes:
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies:
      - {{ kind: key_auth, consumers: [batch] }}
      - {{ kind: ip_restriction, allow: [192.0.2.0/24] }}
      - {{ kind: quota, quotas: [tokens] }}
      - {{ kind: prompt_guard, deny: [{{ name: secret, pattern: "the password" }}] }}
    llm: {{ models: [smart] }}
llm_workers:
  - name: summaries
    team: shop
    cluster: events
    topics: [{topic}]
    group: g-{topic}
    start: earliest
    route: chat
    to: {{ topic: {topic}-done, headers: {{ x-own: "yes" }} }}
    {consumer}
    {options}
"#
        )
    }
}

/// A body as a caller would POST it.
pub(crate) fn prompt(text: &str) -> String {
    json!({
        "model": "smart",
        "max_tokens": 10,
        "messages": [{ "role": "user", "content": text }],
    })
    .to_string()
}

/// What the last message of a call says.
pub(crate) fn said(request: &Received) -> String {
    let asked = request.json();
    let messages = asked["messages"].as_array().unwrap();
    messages.last().unwrap()["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// What a completion says.
pub(crate) fn text(record: &Record) -> String {
    let answer: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    let text = &answer["choices"][0]["message"]["content"];
    text.as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// An answer that says `text`, and used 7 tokens and 3.
pub(crate) fn answer(text: &str) -> Vec<u8> {
    let body = json!({
        "id": "chatcmpl-test", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": text },
        }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 },
    });
    response("200 OK", &body.to_string())
}

/// A whole answer with a JSON body.
pub(crate) fn response(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = "Content-Type: application/json";
    format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// Says back what it is asked, after its time.
pub(crate) fn echo(pause: Duration) -> Behaviour {
    Behaviour::new(When::Whole, move |request| {
        vec![Step::Pause(pause), Step::Send(answer(&said(request)))]
    })
}

/// Writes prompts with consecutive numbers: in each partition the same number of keys, each with so many.
pub(crate) async fn write_numbered(
    kafka: &Kafka,
    topic: &str,
    partitions: i32,
    keys: usize,
    each: usize,
) -> usize {
    let mut next = 0;
    for partition in 0..partitions {
        let made: Vec<(String, String)> = (0..keys * each)
            .map(|index| {
                let key = format!("{partition}-{}", index % keys);
                let value = prompt(&format!("{key}:{}", next + index));
                (key, value)
            })
            .collect();
        next += made.len();
        let records: Vec<Written<'_>> = made
            .iter()
            .map(|(key, value)| Written {
                key: Some(key),
                value: Some(value.as_bytes()),
                ..Written::default()
            })
            .collect();
        kafka.write(topic, partition, &records).await;
    }
    next
}

/// Each of the numbered prompts has its completion, of its key, and those of a key came in their order: when
/// one came for the first time, all before it had. Returns how many came again.
pub(crate) fn assert_each_and_in_order(completions: &[Record], written: usize) -> usize {
    let mut seen: HashSet<u64> = HashSet::new();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for record in completions {
        let text = text(record);
        let (key, number) = text.split_once(':').unwrap();
        assert_eq!(record.key.as_deref(), Some(key.as_bytes()));
        let number: u64 = number.parse().unwrap();
        if seen.insert(number) {
            let before = last.insert(key.to_owned(), number);
            assert!(before < Some(number), "{number} of {key} after {before:?}");
        }
    }
    assert_eq!(seen.len(), written);
    completions.len() - written
}

/// The labels of the worker, and another.
pub(crate) fn labels<'a>(name: &'a str, value: &'a str) -> [(&'a str, &'a str); 2] {
    [("weir_llm_worker", "summaries"), (name, value)]
}
