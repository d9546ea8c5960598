//! A gateway with a model route under quotas, and a model that says one word again and again, each
//! of which is one token: what is used can be told by counting words.
//!
//! It knows how callers ask and what they read, and nothing of how quotas are kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::openai::{Provider, Reply};
use crate::upstream::wire_format::{LAST_CHUNK, chunk, chunked_head, response};
use crate::upstream::{Behaviour, Received, Step, When};
use crate::wire::{self, Response};
use crate::{Gateway, consumer, wait};

/// What the model says: a token of OpenAI's encodings, wherever it stands.
pub const WORD: &str = " word";
/// What the prompt of [`ask`] costs by OpenAI's rules, in tokens.
pub const PROMPT: u64 = 8;

/// A model that says so many words in each choice.
#[derive(Debug, Clone)]
pub struct Speaker {
    words: u64,
    honours: bool,
    reports: bool,
    stalls: bool,
    pause: Duration,
    per_event: u64,
    said: Arc<AtomicU64>,
}

impl Speaker {
    /// One that keeps to the limit it is given, and reports what it used.
    pub fn new(words: u64) -> Self {
        Self {
            words,
            honours: true,
            reports: true,
            stalls: false,
            pause: Duration::ZERO,
            per_event: 1,
            said: Arc::default(),
        }
    }

    /// It says all its words whatever limit it is given.
    #[must_use]
    pub fn heedless(self) -> Self {
        let honours = false;
        Self { honours, ..self }
    }

    /// It reports no usage.
    #[must_use]
    pub fn silent(self) -> Self {
        let reports = false;
        Self { reports, ..self }
    }

    /// It says its words in a stream and then no more, and does not end it.
    #[must_use]
    pub fn stalling(self) -> Self {
        let stalls = true;
        Self { stalls, ..self }
    }

    /// It waits before each event.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// It says so many words with each event.
    #[must_use]
    pub fn per_event(self, per_event: u64) -> Self {
        Self { per_event, ..self }
    }

    /// Tokens of output that it was about to say, over all calls so far.
    pub fn said(&self) -> u64 {
        self.said.load(Ordering::Relaxed)
    }

    /// Starts it.
    pub async fn start(&self) -> Provider {
        Provider::start(Reply::Raw(self.behaviour())).await
    }

    /// How it behaves.
    pub fn behaviour(&self) -> Behaviour {
        let speaker = self.clone();
        Behaviour::new(When::Whole, move |request| speaker.answer(request))
    }

    fn answer(&self, request: &Received) -> Vec<Step> {
        let asked = request.json();
        let limit = asked["max_tokens"].as_u64().filter(|_| self.honours);
        let each = limit.unwrap_or(u64::MAX).min(self.words);
        let choices = asked["n"].as_u64().unwrap_or(1);
        self.said.fetch_add(each * choices, Ordering::Relaxed);
        let reason = if each < self.words { "length" } else { "stop" };
        let usage = json!({
            "prompt_tokens": PROMPT,
            "completion_tokens": each * choices,
            "total_tokens": PROMPT + each * choices,
        });
        match asked["stream"] == true {
            true => self.stream(each, choices, reason, &usage),
            false => self.whole(each, choices, reason, &usage),
        }
    }

    fn whole(&self, each: u64, choices: u64, reason: &str, usage: &Value) -> Vec<Step> {
        let text = WORD.repeat(usize::try_from(each).expect("it fits"));
        let choice = |index| {
            let message = json!({ "role": "assistant", "content": text });
            json!({ "index": index, "message": message, "finish_reason": reason })
        };
        let mut answer = json!({ "id": "chatcmpl-7", "choices": [] });
        answer["choices"] = (0..choices).map(choice).collect();
        if self.reports {
            answer["usage"] = usage.clone();
        }
        let body = answer.to_string();
        let json = ["Content-Type: application/json"];
        vec![Step::Send(response(200, &json, body.as_bytes()))]
    }

    fn stream(&self, each: u64, choices: u64, reason: &str, usage: &Value) -> Vec<Step> {
        let mut events = Vec::new();
        let mut left = each;
        while left > 0 {
            let now = left.min(self.per_event);
            left -= now;
            let text = WORD.repeat(usize::try_from(now).expect("it fits"));
            for index in 0..choices {
                let delta = json!({ "content": text });
                events.push(event(&json!([{ "index": index, "delta": delta }])));
            }
        }
        let mut steps = vec![Step::Send(chunked_head(&[
            "Content-Type: text/event-stream",
        ]))];
        let mut send = |line: String| {
            steps.push(Step::Pause(self.pause));
            steps.push(Step::Send(chunk(format!("data: {line}\n\n").as_bytes())));
        };
        if self.stalls {
            events.iter().map(Value::to_string).for_each(&mut send);
            steps.push(Step::Hang);
            return steps;
        }
        for index in 0..choices {
            let last = json!([{ "index": index, "delta": {}, "finish_reason": reason }]);
            events.push(event(&last));
        }
        if self.reports {
            let mut last = event(&json!([]));
            last["usage"] = usage.clone();
            events.push(last);
        }
        events.iter().map(Value::to_string).for_each(&mut send);
        send("[DONE]".to_owned());
        steps.push(Step::Send(LAST_CHUNK.to_vec()));
        steps
    }
}

fn event(choices: &Value) -> Value {
    json!({
        "id": "chatcmpl-7",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "word-1",
        "choices": choices,
    })
}

/// A gateway with these quotas, whose route `/v1` counts by those of these names. Its consumers
/// are `ann` and `bob` of the team `shop` and `cyd` of the team `art`, all of `acme`; each is its
/// own key. Its models are `smart` and `quick`, at the same price.
pub async fn gateway(provider: &Provider, quotas: &str, attached: &str) -> Gateway {
    Gateway::start(&config(provider, quotas, attached)).await
}

/// The configuration of [`gateway`].
pub fn config(provider: &Provider, quotas: &str, attached: &str) -> String {
    let consumers = [("ann", "shop"), ("bob", "shop"), ("cyd", "art")];
    let consumers = consumers.map(|(name, team)| consumer::entry(name, team));
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
teams: [{{ name: shop, organisation: acme }}, {{ name: art, organisation: acme }}]
providers: [{{ name: mock, dialect: openai, base_url: "{}" }}]
models:
  - {{ name: smart, targets: [{{ provider: mock, model: word-1 }}] }}
  - {{ name: quick, targets: [{{ provider: mock, model: word-2 }}] }}
prices:
  entries:
    - {{ provider: mock, model: word-1, from: 2020-01-01, input: "2.50", cached_input: "1.25", output: "10.00", reasoning: "20.00" }}
    - {{ provider: mock, model: word-2, from: 2020-01-01, input: "2.50", cached_input: "1.25", output: "10.00", reasoning: "20.00" }}
consumers:
{}quotas:
{quotas}
routes:
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [{attached}] }}]
    llm: {{ models: [smart, quick] }}
"#,
        provider.base_url(),
        consumers.concat(),
    )
}

/// A quota of so much a month, with `more` members such as `, by: [team]`.
pub fn quota(name: &str, unit: &str, limit: &str, more: &str) -> String {
    format!(
        "  - {{ name: {name}, store: ledger, unit: {unit}, limit: {{ default: {limit} }}, window: {{ kind: fixed, every: month }}{more} }}\n"
    )
}

/// A call with `more` members, such as `,"max_tokens":5`.
pub fn ask(more: &str) -> String {
    format!(r#"{{"model":"smart","messages":[{{"role":"user","content":"Hello"}}]{more}}}"#)
}

/// The same, streamed.
pub fn stream(more: &str) -> String {
    ask(&format!(r#","stream":true{more}"#))
}

/// Calls.
pub async fn post(public: SocketAddr, consumer: &str, body: impl AsRef<[u8]>) -> Response {
    let auth = format!("Authorization: Bearer {consumer}");
    let json = "Content-Type: application/json";
    wire::request(public, "POST", "/v1/chat/completions", &[&auth, json], body).await
}

/// A stream as a caller read it.
#[derive(Debug, Clone)]
pub struct Streamed {
    /// The data of each event but `[DONE]`.
    pub events: Vec<Value>,
    /// Whether `[DONE]` came last.
    pub done: bool,
}

impl Streamed {
    /// Reads one.
    ///
    /// # Panics
    /// If it is none.
    pub fn read(response: &Response) -> Self {
        assert_eq!(response.status, 200, "{}", response.text());
        let text = response.text();
        let mut lines: Vec<&str> = text
            .split("\n\n")
            .filter_map(|block| block.strip_prefix("data: "))
            .collect();
        let done = lines.last() == Some(&"[DONE]");
        lines.truncate(lines.len() - usize::from(done));
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"))
        };
        Self {
            events: lines.into_iter().map(parse).collect(),
            done,
        }
    }

    /// How many words were said, over all choices.
    pub fn words(&self) -> u64 {
        let choices = self.events.iter().filter_map(|e| e["choices"].as_array());
        let texts = choices
            .flatten()
            .filter_map(|c| c["delta"]["content"].as_str());
        texts.map(|text| text.matches(WORD).count() as u64).sum()
    }

    /// The events that end a choice.
    pub fn ends(&self) -> Vec<&Value> {
        let ends = |event: &&Value| event["choices"][0]["finish_reason"].is_string();
        self.events.iter().filter(ends).collect()
    }
}

/// What each quota of a request with a model was charged, once so many are over: objects with
/// `quota`, `reserved`, `used` and `provenance`, by request.
pub async fn charged(gateway: &Gateway, requests: usize) -> Vec<Vec<Value>> {
    let lines = || {
        let log = gateway.access_log();
        let over = log
            .into_iter()
            .filter(|line| line["weir.quotas"].is_array());
        over.collect::<Vec<_>>()
    };
    let what = format!("{requests} requests to be over");
    wait::until_true(what, || lines().len() >= requests).await;
    let each = lines().into_iter();
    each.map(|line| line["weir.quotas"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// The sum of a figure such as `used` over what [`charged`] says of one quota.
pub fn total(charged: &[Vec<Value>], quota: &str, figure: &str) -> u64 {
    let all = charged.iter().flatten();
    let of = all.filter(|entry| entry["quota"] == *quota);
    of.filter_map(|entry| entry[figure].as_u64()).sum()
}
