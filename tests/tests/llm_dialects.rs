//! Every dialect in front of every other: callers say the same in their own words, and are answered
//! in them, whoever answers; what was used is settled as the provider says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_tests::Upstream;
use weir_tests::models::{self, Dialect, Said};
use weir_tests::wire::{self, Response};

const KEY: &str = "Authorization: Bearer example-key-not-for-production";
const JSON: &str = "Content-Type: application/json";

/// A dialect that callers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Chat,
    Responses,
    Messages,
    Gemini,
}

const CALLERS: [Caller; 4] = [
    Caller::Chat,
    Caller::Responses,
    Caller::Messages,
    Caller::Gemini,
];

/// What a caller learns of an answer.
#[derive(Debug, Default, PartialEq)]
struct Learned {
    text: String,
    call: Option<(String, Value)>,
    usage: (u64, u64),
}

fn said() -> Said {
    Said {
        pieces: ["The weir ", "holds \"b\u{e4}ck\"", "."]
            .map(str::to_owned)
            .into(),
        call: Some((
            "look_up".to_owned(),
            json!({ "place": "Z\u{fc}rich", "days": 2 }),
        )),
        usage: (21, 9),
    }
}

fn expected() -> Learned {
    let said = said();
    Learned {
        text: said.pieces.concat(),
        call: said.call,
        usage: said.usage,
    }
}

impl Caller {
    async fn ask(self, public: SocketAddr, model: &str, stream: bool) -> Response {
        self.ask_with(public, model, stream, "Accept: */*").await
    }

    /// Asks with one more header field.
    async fn ask_with(
        self,
        public: SocketAddr,
        model: &str,
        stream: bool,
        field: &str,
    ) -> Response {
        let tool = json!({ "type": "object", "properties": { "place": { "type": "string" } } });
        let (path, body) = match self {
            Caller::Chat => (
                "/v1/chat/completions".to_owned(),
                json!({ "model": model, "stream": stream, "max_tokens": 300,
                    "stream_options": { "include_usage": true },
                    "messages": [
                        { "role": "system", "content": "Be brief." },
                        { "role": "user", "content": "Does the weir hold?" }],
                    "tools": [{ "type": "function",
                        "function": { "name": "look_up", "parameters": tool } }] }),
            ),
            Caller::Responses => (
                "/v1/responses".to_owned(),
                json!({ "model": model, "stream": stream, "max_output_tokens": 300,
                    "instructions": "Be brief.", "input": "Does the weir hold?",
                    "tools": [{ "type": "function", "name": "look_up", "parameters": tool,
                        "strict": false }] }),
            ),
            Caller::Messages => (
                "/v1/messages".to_owned(),
                json!({ "model": model, "stream": stream, "max_tokens": 300,
                    "system": "Be brief.",
                    "messages": [{ "role": "user", "content": "Does the weir hold?" }],
                    "tools": [{ "name": "look_up", "input_schema": tool }] }),
            ),
            Caller::Gemini => {
                let method = match stream {
                    true => "streamGenerateContent?alt=sse",
                    false => "generateContent",
                };
                (
                    format!("/v1beta/models/{model}:{method}"),
                    json!({ "systemInstruction": { "parts": [{ "text": "Be brief." }] },
                        "contents": [{ "role": "user",
                            "parts": [{ "text": "Does the weir hold?" }] }],
                        "generationConfig": { "maxOutputTokens": 300 },
                        "tools": [{ "functionDeclarations": [
                            { "name": "look_up", "parametersJsonSchema": tool }] }] }),
                )
            }
        };
        let body = body.to_string();
        wire::request(public, "POST", &path, &[KEY, JSON, field], body).await
    }

    fn learn(self, answer: &Response, stream: bool) -> Learned {
        match (self, stream) {
            (Caller::Chat, false) => chat(&answer.json()),
            (Caller::Chat, true) => chat_stream(&events(&answer.text())),
            (Caller::Responses, false) => responses(&answer.json()),
            (Caller::Responses, true) => {
                let events = events(&answer.text());
                responses(&events.last().unwrap()["response"])
            }
            (Caller::Messages, false) => messages(&answer.json()),
            (Caller::Messages, true) => messages_stream(&events(&answer.text())),
            (Caller::Gemini, false) => gemini(&[answer.json()]),
            (Caller::Gemini, true) => gemini(&events(&answer.text())),
        }
    }
}

/// The data of each event that has JSON.
fn events(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines
        .filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn parsed(name: &Value, arguments: &str) -> Option<(String, Value)> {
    Some((
        text(name).to_owned(),
        serde_json::from_str(arguments).unwrap(),
    ))
}

fn chat(answer: &Value) -> Learned {
    let message = &answer["choices"][0]["message"];
    assert_eq!(
        answer["choices"][0]["finish_reason"], "tool_calls",
        "{answer}"
    );
    let function = &message["tool_calls"][0]["function"];
    let usage = &answer["usage"];
    Learned {
        text: text(&message["content"]).to_owned(),
        call: parsed(&function["name"], text(&function["arguments"])),
        usage: (
            number(&usage["prompt_tokens"]),
            number(&usage["completion_tokens"]),
        ),
    }
}

fn chat_stream(events: &[Value]) -> Learned {
    let (mut learned, mut name, mut arguments) = (Learned::default(), Value::Null, String::new());
    let mut finished = Value::Null;
    for event in events {
        let choice = &event["choices"][0];
        learned.text.push_str(text(&choice["delta"]["content"]));
        let function = &choice["delta"]["tool_calls"][0]["function"];
        if function["name"].is_string() {
            name = function["name"].clone();
        }
        arguments.push_str(text(&function["arguments"]));
        if choice["finish_reason"].is_string() {
            finished = choice["finish_reason"].clone();
        }
        if event["usage"].is_object() {
            let usage = &event["usage"];
            learned.usage = (
                number(&usage["prompt_tokens"]),
                number(&usage["completion_tokens"]),
            );
        }
    }
    assert_eq!(finished, "tool_calls");
    learned.call = parsed(&name, &arguments);
    learned
}

fn responses(answer: &Value) -> Learned {
    assert_eq!(answer["status"], "completed", "{answer}");
    let of = |kind: &str| {
        let items = answer["output"].as_array().unwrap().iter();
        items
            .filter(|item| item["type"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let call = &of("function_call")[0];
    Learned {
        text: text(&of("message")[0]["content"][0]["text"]).to_owned(),
        call: parsed(&call["name"], text(&call["arguments"])),
        usage: (
            number(&answer["usage"]["input_tokens"]),
            number(&answer["usage"]["output_tokens"]),
        ),
    }
}

fn messages(answer: &Value) -> Learned {
    assert_eq!(answer["stop_reason"], "tool_use", "{answer}");
    let blocks = answer["content"].as_array().unwrap();
    let of = |kind: &str| blocks.iter().find(|block| block["type"] == kind).unwrap();
    let call = of("tool_use");
    Learned {
        text: text(&of("text")["text"]).to_owned(),
        call: Some((text(&call["name"]).to_owned(), call["input"].clone())),
        usage: (
            number(&answer["usage"]["input_tokens"]),
            number(&answer["usage"]["output_tokens"]),
        ),
    }
}

fn messages_stream(events: &[Value]) -> Learned {
    let (mut learned, mut name, mut arguments) = (Learned::default(), Value::Null, String::new());
    let mut input = 0;
    for event in events {
        match text(&event["type"]) {
            "message_start" => input = number(&event["message"]["usage"]["input_tokens"]),
            "content_block_start" if event["content_block"]["type"] == "tool_use" => {
                name = event["content_block"]["name"].clone();
            }
            "content_block_delta" => {
                learned.text.push_str(text(&event["delta"]["text"]));
                arguments.push_str(text(&event["delta"]["partial_json"]));
            }
            "message_delta" => {
                assert_eq!(event["delta"]["stop_reason"], "tool_use");
                let usage = &event["usage"];
                input = usage["input_tokens"].as_u64().unwrap_or(input);
                learned.usage = (input, number(&usage["output_tokens"]));
            }
            _ => {}
        }
    }
    assert_eq!(events.last().unwrap()["type"], "message_stop");
    learned.call = parsed(&name, &arguments);
    learned
}

fn gemini(answers: &[Value]) -> Learned {
    let mut learned = Learned::default();
    for answer in answers {
        for part in answer["candidates"][0]["content"]["parts"]
            .as_array()
            .into_iter()
            .flatten()
        {
            learned.text.push_str(text(&part["text"]));
            let call = &part["functionCall"];
            if call.is_object() {
                learned.call = Some((text(&call["name"]).to_owned(), call["args"].clone()));
            }
        }
        let usage = &answer["usageMetadata"];
        if usage.is_object() {
            learned.usage = (
                number(&usage["promptTokenCount"]),
                number(&usage["candidatesTokenCount"]),
            );
        }
    }
    let last = &answers.last().unwrap()["candidates"][0]["finishReason"];
    assert_eq!(last, "STOP");
    learned
}

#[tokio::test]
async fn every_caller_is_answered_in_its_own_words_whoever_answers() {
    let mut providers = Vec::new();
    for dialect in Dialect::ALL {
        let upstream = Upstream::start(dialect.says(said())).await;
        providers.push((dialect, upstream));
    }
    let named: Vec<_> = providers
        .iter()
        .map(|(dialect, upstream)| (dialect.word(), *dialect, upstream))
        .collect();
    let gateway = models::gateway(&named).await;
    let public = gateway.addr("public");
    let mut calls = 0;
    for (dialect, _) in &providers {
        for caller in CALLERS {
            for stream in [false, true] {
                let who = format!("{caller:?} of {dialect:?}, stream: {stream}");
                let answer = caller.ask(public, dialect.word(), stream).await;
                assert_eq!(answer.status, 200, "{who}: {}", answer.text());
                assert_eq!(answer.broken, None, "{who}");
                assert_eq!(
                    answer.header("weir-provider"),
                    Some(dialect.word()),
                    "{who}"
                );
                assert_eq!(
                    caller.learn(&answer, stream),
                    expected(),
                    "{who}: {}",
                    answer.text()
                );
                calls += 1;
            }
        }
    }
    let lines = gateway
        .wait_for_logs(calls, |line| line["weir.route"] == "models")
        .await;
    for line in lines {
        assert_eq!(line["weir.quotas"][0]["used"], 30, "{line}");
        assert_eq!(line["weir.quotas"][0]["provenance"], "provider", "{line}");
    }
}

#[tokio::test]
async fn what_was_kept_is_told_again_in_the_callers_words_as_a_document_or_as_a_stream() {
    for dialect in Dialect::ALL {
        let upstream = Upstream::start(dialect.says(said())).await;
        let provider = [(dialect.word(), dialect, &upstream)];
        let gateway = models::gateway_that(&provider, ", cache: { ttl: 1h }").await;
        let public = gateway.addr("public");
        let mut kept = 0;
        for caller in CALLERS {
            for first in [false, true] {
                // What was kept is replaced by what comes in this form.
                let anew = "Cache-Control: no-cache";
                let asked = caller.ask_with(public, dialect.word(), first, anew).await;
                assert_eq!(asked.header("weir-cache"), Some("miss"));
                kept += 1;
                let name = "weir_llm_cache_kept_total";
                gateway
                    .wait_for_metric(name, &[], |n| n >= f64::from(kept))
                    .await;
                for stream in [false, true] {
                    let who =
                        format!("{caller:?} of {dialect:?}, kept as {first}, stream: {stream}");
                    let answer = caller.ask(public, dialect.word(), stream).await;
                    assert_eq!(answer.header("weir-cache"), Some("hit"), "{who}");
                    assert_eq!(answer.header("weir-provider"), Some(dialect.word()));
                    assert_eq!(
                        caller.learn(&answer, stream),
                        expected(),
                        "{who}: {}",
                        answer.text()
                    );
                }
            }
        }
        assert_eq!(upstream.requests().len(), kept as usize);
    }
}
