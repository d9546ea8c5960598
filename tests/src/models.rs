//! Providers of language models in every dialect that Weir speaks to, each saying the same: some
//! text, perhaps a call of a tool, and what it used. Whole or streamed as the request asks.
//!
//! They read nothing of what they are asked but that; tests look at what was asked themselves.

mod stream;

use std::time::Duration;

use serde_json::{Value, json};
use weir_protocols::aws::event_stream::{self, Value as Header};

use stream::{data, gemini_answer};

use crate::Gateway;
use crate::upstream::wire_format::{LAST_CHUNK, chunk, chunked_head, response};
use crate::upstream::{Behaviour, Received, Step, Upstream, When};

/// A dialect that providers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's chat completions.
    Openai,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Gemini,
    /// Bedrock's `Converse`.
    Bedrock,
}

/// What a model says.
#[derive(Debug, Clone)]
pub struct Said {
    /// The pieces of its text, one event each when streamed.
    pub pieces: Vec<String>,
    /// The tool it calls, and what with: a JSON object.
    pub call: Option<(String, Value)>,
    /// Tokens of the prompt and of the answer.
    pub usage: (u64, u64),
}

/// A gateway in front of providers, with a model of each one's name; callers need the key
/// `example-key-not-for-production`, and a quota of tokens counts what they use.
pub async fn gateway(providers: &[(&str, Dialect, &Upstream)]) -> Gateway {
    gateway_that(providers, "").await
}

/// The same, of whose route `more` is said, each member after a comma.
pub async fn gateway_that(providers: &[(&str, Dialect, &Upstream)], more: &str) -> Gateway {
    let (mut entries, mut models, mut names) = (String::new(), String::new(), Vec::new());
    for (name, dialect, upstream) in providers {
        entries.push_str(&dialect.provider(name, upstream, ""));
        models.push_str(&format!(
            "  - {{ name: {name}, targets: [{{ provider: {name}, model: claude-opus-4-6 }}] }}\n"
        ));
        names.push(*name);
    }
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
{entries}models:
{models}consumers:
  - name: assistant
    credentials: [{{ kind: key, id: ci, sha256: 7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff }}]
quotas:
  - {{ name: tokens, store: ledger, unit: tokens, limit: {{ default: 1000000 }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
routes:
  - name: models
    matches: [{{ path: {{ prefix: / }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [tokens] }}]
    llm: {{ models: [{}]{more} }}
"#,
        names.join(", ")
    ))
    .await
}

/// A provider of OpenAI's embeddings that makes of each text what `meaning` says, and reports so many
/// tokens for it. It is asked for one text at a time.
pub fn makes_vectors(tokens: u64, meaning: fn(&str) -> Vec<f64>) -> Behaviour {
    Behaviour::new(When::Whole, move |request| {
        let asked = request.json();
        let vector = meaning(asked["input"].as_str().unwrap_or_default());
        let answer = json!({
            "object": "list", "model": "e-1",
            "data": [{ "object": "embedding", "index": 0, "embedding": vector }],
            "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
        });
        vec![Step::Send(response(
            200,
            &[JSON],
            answer.to_string().as_bytes(),
        ))]
    })
}

const JSON: &str = "Content-Type: application/json";
const SSE: &str = "Content-Type: text/event-stream";
const AWS: &str = "Content-Type: application/vnd.amazon.eventstream";

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 4] = [
        Dialect::Openai,
        Dialect::Anthropic,
        Dialect::Gemini,
        Dialect::Bedrock,
    ];

    /// Its word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Openai => "openai",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
            Dialect::Bedrock => "bedrock",
        }
    }

    /// The entry of `providers` for one of this dialect, which needs a secret named `key`; `more` is
    /// what else it says, each member after a comma.
    pub fn provider(self, name: &str, upstream: &Upstream, more: &str) -> String {
        let word = self.word();
        let base = upstream.url(match self {
            Dialect::Openai => "/v1",
            Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock => "",
        });
        let proof = match self {
            Dialect::Bedrock => {
                "aws: { region: eu-central-1, access_key_id: { secret: key }, secret_access_key: { secret: key } }"
            }
            Dialect::Openai | Dialect::Anthropic | Dialect::Gemini => "api_key: { secret: key }",
        };
        format!("  - {{ name: {name}, dialect: {word}, base_url: \"{base}\", {proof}{more} }}\n")
    }

    /// A provider that says this, streamed if it is asked so.
    pub fn says(self, said: Said) -> Behaviour {
        Behaviour::new(When::Whole, move |request| self.answer(request, &said))
    }

    /// A provider that says again what it was told last, in pieces of so many characters; told
    /// `call …`, it calls the tool `send` with the rest.
    pub fn repeats(self, characters: usize) -> Behaviour {
        Behaviour::new(When::Whole, move |request| {
            let body = serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
            let turns = body["messages"].as_array().or(body["contents"].as_array());
            let turn = turns.and_then(|turns| turns.last()).unwrap_or(&Value::Null);
            let content = [
                &turn["content"],
                &turn["content"][0]["text"],
                &turn["parts"][0]["text"],
            ];
            let text = content
                .into_iter()
                .find_map(Value::as_str)
                .unwrap_or_default();
            let (call, text) = match text.strip_prefix("call ") {
                Some(rest) => (Some(("send".to_owned(), json!({ "to": rest }))), "Well."),
                None => (None, text),
            };
            let letters: Vec<char> = text.chars().collect();
            let pieces = letters
                .chunks(characters)
                .map(|piece| piece.iter().collect());
            let said = Said {
                pieces: pieces.collect(),
                call,
                usage: (21, 9),
            };
            self.answer(request, &said)
        })
    }

    /// A provider whose stream is silent for so long after its first word, amid an event.
    pub fn pauses(self, said: Said, pause: Duration) -> Behaviour {
        let first = self.unspoken() + 1;
        Behaviour::new(When::Whole, move |_| {
            let events = self.events(&said);
            let begun = events[..first].concat();
            let (half, rest) = events[first].split_at(events[first].len() / 2);
            let rest = [rest, &events[first + 1..].concat()].concat();
            vec![
                Step::Send(chunked_head(&[self.stream_type()])),
                Step::Send(chunk(&[&begun, half].concat())),
                Step::Pause(pause),
                Step::Send(chunk(&rest)),
                Step::Send(LAST_CHUNK.to_vec()),
            ]
        })
    }

    /// A provider that says so many events of this, and then that it has too much to do.
    pub fn overloads(self, said: Said, after: usize) -> Behaviour {
        Behaviour::new(When::Whole, move |_| {
            let mut steps = vec![Step::Send(chunked_head(&[self.stream_type()]))];
            let events = self.events(&said).into_iter().take(after);
            steps.extend(events.map(|event| Step::Send(chunk(&event))));
            steps.push(Step::Send(chunk(&self.overloaded())));
            steps.push(Step::Send(LAST_CHUNK.to_vec()));
            steps
        })
    }

    fn overloaded(self) -> Vec<u8> {
        let message = "Too much to do.";
        match self {
            Dialect::Openai => {
                data(&json!({ "error": { "message": message, "type": "overloaded_error" } }))
            }
            Dialect::Anthropic => {
                let error = json!({ "type": "overloaded_error", "message": message });
                let event = json!({ "type": "error", "error": error });
                format!("event: error\ndata: {event}\n\n").into_bytes()
            }
            Dialect::Gemini => data(&json!({ "error":
                { "code": 503, "message": message, "status": "UNAVAILABLE" } })),
            Dialect::Bedrock => {
                let headers = [
                    (":message-type", Header::Text("exception")),
                    (
                        ":exception-type",
                        Header::Text("serviceUnavailableException"),
                    ),
                    (":content-type", Header::Text("application/json")),
                ];
                let payload = json!({ "message": message }).to_string();
                event_stream::encode(&headers, payload.as_bytes()).expect("short headers")
            }
        }
    }

    /// How many events of a stream there are before its first word.
    pub fn unspoken(self) -> usize {
        match self {
            Dialect::Gemini => 0,
            Dialect::Openai | Dialect::Bedrock => 1,
            Dialect::Anthropic => 3,
        }
    }

    fn answer(self, request: &Received, said: &Said) -> Vec<Step> {
        if self.asks_stream(request) {
            let mut steps = vec![Step::Send(chunked_head(&[self.stream_type()]))];
            let events = self.events(said).into_iter();
            steps.extend(events.map(|event| Step::Send(chunk(&event))));
            steps.push(Step::Send(LAST_CHUNK.to_vec()));
            steps
        } else {
            let body = self.whole(said).to_string();
            vec![Step::Send(response(200, &[JSON], body.as_bytes()))]
        }
    }

    /// A provider whose stream stops after so many events: the connection is reset.
    pub fn breaks_off(self, said: Said, after: usize) -> Behaviour {
        Behaviour::new(When::Whole, move |_| {
            let mut steps = vec![Step::Send(chunked_head(&[self.stream_type()]))];
            let events = self.events(&said).into_iter().take(after);
            steps.extend(events.map(|event| Step::Send(chunk(&event))));
            steps.push(Step::Reset);
            steps
        })
    }

    fn asks_stream(self, request: &Received) -> bool {
        match self {
            Dialect::Gemini => request.target.contains(":streamGenerateContent"),
            Dialect::Bedrock => request.target.ends_with("/converse-stream"),
            Dialect::Openai | Dialect::Anthropic => {
                let body = serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
                body["stream"] == true
            }
        }
    }

    fn stream_type(self) -> &'static str {
        match self {
            Dialect::Bedrock => AWS,
            _ => SSE,
        }
    }

    fn whole(self, said: &Said) -> Value {
        let text = said.pieces.concat();
        let (input, output) = said.usage;
        match self {
            Dialect::Openai => {
                let mut message = json!({ "role": "assistant", "content": text });
                if let Some((name, arguments)) = &said.call {
                    message["tool_calls"] = json!([{
                        "id": "call_1", "type": "function",
                        "function": { "name": name, "arguments": arguments.to_string() },
                    }]);
                }
                let reason = ["stop", "tool_calls"][usize::from(said.call.is_some())];
                json!({
                    "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000,
                    "model": "model-1",
                    "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
                    "usage": { "prompt_tokens": input, "completion_tokens": output,
                               "total_tokens": input + output },
                })
            }
            Dialect::Anthropic => {
                let mut content = vec![json!({ "type": "text", "text": text })];
                content.extend(said.call.as_ref().map(|(name, arguments)| {
                    json!({ "type": "tool_use", "id": "toolu_1", "name": name, "input": arguments })
                }));
                let reason = ["end_turn", "tool_use"][usize::from(said.call.is_some())];
                json!({
                    "id": "msg_1", "type": "message", "role": "assistant", "model": "model-1",
                    "content": content, "stop_reason": reason, "stop_sequence": null,
                    "usage": { "input_tokens": input, "output_tokens": output },
                })
            }
            Dialect::Gemini => {
                let mut parts = vec![json!({ "text": text })];
                parts.extend(said.call.as_ref().map(|(name, arguments)| {
                    json!({ "functionCall": { "name": name, "args": arguments } })
                }));
                gemini_answer(&parts, Some("STOP"), Some(said.usage))
            }
            Dialect::Bedrock => {
                let mut content = vec![json!({ "text": text })];
                content.extend(said.call.as_ref().map(|(name, arguments)| {
                    json!({ "toolUse": { "toolUseId": "tooluse_1", "name": name, "input": arguments } })
                }));
                let reason = ["end_turn", "tool_use"][usize::from(said.call.is_some())];
                json!({
                    "output": { "message": { "role": "assistant", "content": content } },
                    "stopReason": reason, "metrics": { "latencyMs": 1 },
                    "usage": { "inputTokens": input, "outputTokens": output,
                               "totalTokens": input + output },
                })
            }
        }
    }

    /// The events of a stream, each as bytes.
    fn events(self, said: &Said) -> Vec<Vec<u8>> {
        match self {
            Dialect::Openai => stream::openai(said),
            Dialect::Anthropic => stream::anthropic(said),
            Dialect::Gemini => stream::gemini(said),
            Dialect::Bedrock => stream::bedrock(said),
        }
    }
}
