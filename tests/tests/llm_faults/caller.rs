//! Callers of each dialect: what they ask, and what they read of an answer that failed.

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_tests::wire::{self, Response};

/// The limit of every call, in tokens.
pub(crate) const LIMIT: u64 = 40;

/// A dialect that callers speak, in the order of the page's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Chat,
    Responses,
    Messages,
    Gemini,
}

impl Caller {
    pub(crate) const ALL: [Caller; 4] = [
        Caller::Chat,
        Caller::Responses,
        Caller::Messages,
        Caller::Gemini,
    ];

    /// The path and the body of a call.
    pub(crate) fn request(self, model: &str, stream: bool) -> (String, String) {
        let turns = json!([{ "role": "user", "content": "Hello" }]);
        let (path, body) = match self {
            Caller::Chat => (
                "/v1/chat/completions".to_owned(),
                json!({ "model": model, "stream": stream, "max_tokens": LIMIT, "messages": turns }),
            ),
            Caller::Responses => (
                "/v1/responses".to_owned(),
                json!({ "model": model, "stream": stream, "max_output_tokens": LIMIT,
                    "input": "Hello" }),
            ),
            Caller::Messages => (
                "/v1/messages".to_owned(),
                json!({ "model": model, "stream": stream, "max_tokens": LIMIT, "messages": turns }),
            ),
            Caller::Gemini => (
                match stream {
                    true => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
                    false => format!("/v1beta/models/{model}:generateContent"),
                },
                json!({ "contents": [{ "parts": [{ "text": "Hello" }] }],
                    "generationConfig": { "maxOutputTokens": LIMIT } }),
            ),
        };
        (path, body.to_string())
    }

    /// Calls.
    pub(crate) async fn ask(self, public: SocketAddr, request: &(String, String)) -> Response {
        let (path, body) = request;
        let json = "Content-Type: application/json";
        wire::request(public, "POST", path, &[json], body).await
    }

    /// The last event of a stream.
    pub(crate) fn last(self, answer: &Response) -> Value {
        let text = answer.text();
        let last = text.lines().rfind(|line| line.starts_with("data: "));
        let data = last.and_then(|line| line.strip_prefix("data: "));
        serde_json::from_str(data.unwrap()).unwrap()
    }

    /// The text of an answer of chat completions, whole or streamed.
    pub(crate) fn text(self, answer: &Response, stream: bool) -> String {
        assert_eq!(self, Caller::Chat, "only chats are read whole");
        if !stream {
            let message = &answer.json()["choices"][0]["message"];
            return message["content"].as_str().unwrap().to_owned();
        }
        let text = answer.text();
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let values = events.filter_map(|event| serde_json::from_str::<Value>(event).ok());
        let piece = |event: Value| {
            let delta = &event["choices"][0]["delta"];
            Some(delta["content"].as_str()?.to_owned())
        };
        values.filter_map(piece).collect()
    }

    /// The word its dialect has for an error.
    pub(crate) fn kind(self, told: &Value) -> String {
        let word = match self {
            Caller::Gemini => &told["error"]["status"],
            Caller::Chat | Caller::Responses | Caller::Messages => &told["error"]["type"],
        };
        word.as_str().unwrap_or_default().to_owned()
    }
}
