//! The cases: what a client sends in each, and what a right answer is.
//!
//! The same bytes go to every contender, credentials included: a plain proxy carries what the
//! gateway checks. Who serves a case, and at what price, is not known here.

use std::net::SocketAddr;

use crate::load::{Exchange, http};
use crate::right::Right;
use crate::{answer, words};

/// The key every client presents.
pub const KEY: &str = "weir-bench-key-0123456789abcdef";
/// SHA-256 of [`KEY`] in hex, as the gateway's configuration holds it.
pub const KEY_SHA256: &str = "7cf1ab3289c98f490f7c9e9401ec92273ecc369fffa9b451b9d4d80adde299d0";
/// The model's name as callers say it.
pub const MODEL: &str = "bench-model";
/// The model's name as the provider knows it: another name, so that the gateway has to replace
/// it, and as long, so that every contender's answer has one length whoever names the model.
pub const PROVIDER_MODEL: &str = "gpt-4o-mini";
/// Where OpenAI's dialect answers chats.
pub const CHAT_PATH: &str = "/v1/chat/completions";

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Case {
    /// A GET answered with 1 KiB.
    Get,
    /// A POST of 256 bytes answered with 1 KiB.
    Post,
    /// A chat completion answered whole.
    Llm,
    /// A chat completion answered as server-sent events.
    #[value(name = "llm_stream")]
    LlmStream,
    /// The same, all events sent in one go.
    #[value(name = "llm_at_once")]
    LlmAtOnce,
    /// A unary call of gRPC that is echoed.
    Grpc,
    /// A WebSocket message that is echoed.
    Websocket,
}

impl Case {
    /// What is measured beside proxies, in the order it is run and reported.
    pub const PROXIED: [Self; 4] = [Self::Get, Self::Post, Self::Llm, Self::LlmStream];
    /// What is measured beside other gateways of language models.
    pub const CHATS: [Self; 3] = [Self::Llm, Self::LlmStream, Self::LlmAtOnce];

    /// What is measured beside Envoy: protocols other than requests over HTTP/1.1.
    pub const PROTOCOLS: [Self; 2] = [Self::Grpc, Self::Websocket];

    /// Whether it is a chat.
    pub fn is_chat(self) -> bool {
        Self::CHATS.contains(&self)
    }

    /// Whether it is streamed.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::LlmStream | Self::LlmAtOnce)
    }

    /// The name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Llm => "llm",
            Self::LlmStream => "llm_stream",
            Self::LlmAtOnce => "llm_at_once",
            Self::Grpc => "grpc",
            Self::Websocket => "websocket",
        }
    }

    /// The heading of its table.
    pub fn title(self) -> String {
        match self {
            Self::Get => "GET, 1 KiB answered".to_owned(),
            Self::Post => "POST of 256 bytes, 1 KiB answered".to_owned(),
            Self::Llm => format!(
                "LLM chat completion, {} bytes of JSON answered",
                self.answer_length()
            ),
            Self::LlmStream => format!(
                "LLM chat completion, streamed in {} events",
                answer::DELTAS + 1
            ),
            Self::LlmAtOnce => format!("{}, all at once", Self::LlmStream.title()),
            Self::Grpc => format!("A unary gRPC call, {} bytes echoed", self.answer_length()),
            Self::Websocket => {
                format!("A WebSocket message, {} bytes echoed", self.answer_length())
            }
        }
    }

    /// What callers do in it, with `more` lines in the heads of requests over HTTP/1.1; `written` says
    /// whether who answers may write the answer anew.
    pub fn exchange(self, host: SocketAddr, more: &str, written: bool) -> Exchange {
        let chats = |tail: &str| {
            let body = chat(tail);
            with_body(CHAT_PATH, host, "application/json", more, &body)
        };
        let request = match self {
            Self::Grpc => return Exchange::Grpc,
            Self::Websocket => return Exchange::Websocket,
            Self::Get => head("GET", "/get", host, more) + "\r\n",
            Self::Post => {
                let body = "p".repeat(256);
                with_body("/post", host, "application/octet-stream", more, &body)
            }
            Self::Llm => chats(""),
            Self::LlmStream => chats(r#","stream":true"#),
            Self::LlmAtOnce => chats(r#","stream":true,"user":"at-once""#),
        };
        let right = match self {
            Self::Llm if written => Right::Completion,
            Self::LlmStream | Self::LlmAtOnce if written => Right::Stream,
            _ => Right::Length(self.answer_length()),
        };
        let request = request.into_bytes();
        Exchange::Http(http::Exchange { request, right })
    }

    /// The bytes of a right answer's body, transfer coding removed.
    fn answer_length(self) -> usize {
        match self {
            Self::Get | Self::Post => answer::PLAIN,
            Self::Llm => answer::completion().len(),
            Self::LlmStream | Self::LlmAtOnce => answer::events(false).iter().map(Vec::len).sum(),
            Self::Grpc | Self::Websocket => words::LENGTH,
        }
    }
}

/// A streamed chat whose upstream stamps the events with content.
pub fn stamped(host: SocketAddr) -> Vec<u8> {
    let body = chat(r#","stream":true,"user":"stamped""#);
    with_body(CHAT_PATH, host, "application/json", "", &body).into_bytes()
}

fn head(method: &str, path: &str, host: SocketAddr, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: weir-bench\r\nAccept: */*\r\n\
         Authorization: Bearer {KEY}\r\n{more}"
    )
}

fn with_body(path: &str, host: SocketAddr, media_type: &str, more: &str, body: &str) -> String {
    let about = format!(
        "Content-Type: {media_type}\r\n{more}Content-Length: {}\r\n\r\n",
        body.len()
    );
    head("POST", path, host, &about) + body
}

/// A chat as the official SDKs send it: compact, the bound on output given, and no
/// `stream_options`, so that the gateway has to ask for usage itself and keep it from the caller.
fn chat(tail: &str) -> String {
    format!(
        r#"{{"messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"In two sentences, what does a weir do to the river that flows over it?"}}],"model":"{MODEL}","max_tokens":256,"temperature":0.7{tail}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_its_body_length() {
        let host = SocketAddr::from(([127, 0, 0, 1], 80));
        for case in [Case::Post, Case::Llm, Case::LlmStream] {
            let Exchange::Http(exchange) = case.exchange(host, "X-More: 1\r\n", false) else {
                panic!("{case:?} is asked over HTTP/1.1");
            };
            let text = String::from_utf8(exchange.request).expect("requests are ASCII");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head ends");
            let said = format!("Content-Length: {}", body.len());
            assert!(head.lines().any(|line| line == said), "{head}");
        }
    }

    #[test]
    fn the_gateway_holds_the_hash_of_the_key() {
        use pingora::tls::hash::{MessageDigest, hash};
        let digest = hash(MessageDigest::sha256(), KEY.as_bytes()).expect("SHA-256 is there");
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, KEY_SHA256);
    }

    #[test]
    fn replacing_the_model_keeps_the_length() {
        assert_eq!(MODEL.len(), PROVIDER_MODEL.len());
        assert_ne!(MODEL, PROVIDER_MODEL);
    }
}
