//! Parts of conversations, in few words.

use weir_protocols::llm::{Media, Message, Part, Role, Source, ToolCall, ToolResult};

pub fn text(text: &'static str) -> Part<'static> {
    Part::Text(text.into())
}

pub fn media(source: Source<'static>, media_type: Option<&'static str>) -> Media<'static> {
    Media {
        source,
        media_type: media_type.map(Into::into),
        detail: None,
        name: None,
    }
}

pub fn call(id: &'static str, name: &'static str, arguments: &'static str) -> ToolCall<'static> {
    ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    }
}

pub fn result(id: &'static str, parts: Vec<Part<'static>>) -> Part<'static> {
    Part::ToolResult(ToolResult {
        id: id.into(),
        name: None,
        parts,
        is_error: false,
    })
}

pub fn turn(role: Role, parts: Vec<Part<'static>>) -> Message<'static> {
    Message {
        role,
        name: None,
        parts,
    }
}
