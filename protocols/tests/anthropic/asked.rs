//! Requests and their parts, in few words.

use serde_json::Value;
use weir_protocols::anthropic::request::{Defaults, Thinking, write};
use weir_protocols::llm::{
    Json, Media, Message, Part, Request, Role, Source, Tool, ToolCall, ToolResult,
};

pub const ADAPTIVE: Defaults = Defaults {
    max_tokens: 4_096,
    thinking: Thinking::Adaptive,
    sampling: true,
};

pub const BUDGET: Defaults = Defaults {
    thinking: Thinking::Budget,
    ..ADAPTIVE
};

pub fn message(role: Role, parts: Vec<Part<'static>>) -> Message<'static> {
    Message {
        role,
        name: None,
        parts,
    }
}

pub fn text(text: &'static str) -> Part<'static> {
    Part::Text(text.into())
}

pub fn asked() -> Request<'static> {
    Request {
        messages: vec![message(Role::User, vec![text("q")])],
        ..Request::new("claude")
    }
}

pub fn tool(name: &'static str, parameters: Option<&str>) -> Tool<'static> {
    Tool {
        name: name.into(),
        description: None,
        parameters: parameters.and_then(Json::parse),
        strict: None,
    }
}

pub fn call(id: &'static str) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: "{}".into(),
        signature: None,
    })
}

pub fn result(id: &'static str, content: &'static str) -> Part<'static> {
    Part::ToolResult(ToolResult {
        id: id.into(),
        name: Some("f".into()),
        parts: vec![text(content)],
        is_error: false,
    })
}

pub fn thought(signature: Option<&'static str>) -> Part<'static> {
    Part::Reasoning {
        text: "t".into(),
        signature: signature.map(Into::into),
    }
}

pub fn media(source: Source<'static>, media_type: Option<&'static str>) -> Media<'static> {
    Media {
        source,
        media_type: media_type.map(Into::into),
        detail: None,
        name: None,
    }
}

/// What a request becomes, and what is dropped.
pub fn written(request: &Request<'_>, defaults: &Defaults) -> (Value, Vec<&'static str>) {
    let written = write(request, defaults).expect("it can be said");
    let body = serde_json::from_slice(&written.body).expect("JSON");
    (body, written.dropped)
}
