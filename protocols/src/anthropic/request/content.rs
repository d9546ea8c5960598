//! Reads content: a string, or blocks. Which blocks may stand where is checked here, since other
//! dialects have no place for those that stand elsewhere.

use super::media;
use super::settings::only_anthropic;
use crate::json::{Fault, FaultKind, Value};
use crate::llm::{Part, ToolCall, ToolResult};

/// Where content stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    Assistant,
    /// In the result of a tool.
    Result,
    /// In a document that is made of blocks.
    Document,
}

/// A block's members, of every type that is known.
pub(super) struct Members<'a, 'v> {
    pub(super) text: Option<Value<'a, 'v>>,
    pub(super) source: Option<Value<'a, 'v>>,
    pub(super) title: Option<Value<'a, 'v>>,
    pub(super) context: Option<Value<'a, 'v>>,
    pub(super) citations: Option<Value<'a, 'v>>,
    thinking: Option<Value<'a, 'v>>,
    signature: Option<Value<'a, 'v>>,
    data: Option<Value<'a, 'v>>,
    id: Option<Value<'a, 'v>>,
    name: Option<Value<'a, 'v>>,
    input: Option<Value<'a, 'v>>,
    tool_use_id: Option<Value<'a, 'v>>,
    content: Option<Value<'a, 'v>>,
    is_error: Option<Value<'a, 'v>>,
}

const MEMBERS: [&str; 16] = [
    "type",
    "text",
    "source",
    "title",
    "context",
    "citations",
    "thinking",
    "signature",
    "data",
    "id",
    "name",
    "input",
    "tool_use_id",
    "content",
    "is_error",
    "cache_control",
];

/// Appends what `content` says to `parts`.
pub(super) fn read<'a>(
    content: &Value<'a, '_>,
    place: Place,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    if content.is_string() {
        parts.push(Part::Text(content.text()?));
        return Ok(());
    }
    if !content.is_array() {
        return Err(content.wrong_type("a string or an array", "send text or blocks"));
    }
    content.elements(&mut |block| read_block(&block, place, parts))
}

fn read_block<'a>(
    block: &Value<'a, '_>,
    place: Place,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    let [
        sort,
        text,
        source,
        title,
        context,
        citations,
        thinking,
        signature,
        data,
        id,
        name,
        input,
        tool_use_id,
        content,
        is_error,
        cache,
    ] = block.pick(MEMBERS)?;
    let sort = sort.ok_or_else(|| block.missing("type", "say what sort of block it is"))?;
    let members = Members {
        text,
        source,
        title,
        context,
        citations,
        thinking,
        signature,
        data,
        id,
        name,
        input,
        tool_use_id,
        content,
        is_error,
    };
    translate(block, &sort, &members, place, parts)?;
    if cache.is_some() {
        parts.push(Part::CachePoint);
    }
    Ok(())
}

fn translate<'a>(
    block: &Value<'a, '_>,
    sort: &Value<'a, '_>,
    members: &Members<'a, '_>,
    place: Place,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    use Place::{Assistant, Document, Result, User};
    let word = sort.text()?;
    let part = match (&*word, place) {
        ("text", _) => Part::Text(required(block, members.text, "text")?.text()?),
        ("image", User | Result | Document) => Part::Image(media::image(block, members)?),
        ("document", User | Result) => return media::document(block, members, parts),
        ("tool_result", User) => Part::ToolResult(tool_result(block, members)?),
        ("thinking", Assistant) => Part::Reasoning {
            text: required(block, members.thinking, "thinking")?.text()?,
            signature: match members.signature {
                Some(signature) => Some(signature.text()?).filter(|text| !text.is_empty()),
                None => None,
            },
        },
        ("redacted_thinking", Assistant) => {
            Part::Redacted(required(block, members.data, "data")?.text()?)
        }
        ("tool_use", Assistant) => Part::ToolCall(ToolCall {
            id: required(block, members.id, "id")?.text()?,
            name: required(block, members.name, "name")?.text()?,
            arguments: object(&required(block, members.input, "input")?)?.into(),
            signature: None,
        }),
        (
            "image" | "document" | "tool_result" | "thinking" | "redacted_thinking" | "tool_use",
            _,
        ) => {
            return Err(sort.fault(
                FaultKind::OutOfRange,
                "a block of this type does not stand here",
                "put it into a turn of the role it belongs to",
            ));
        }
        (word, _) if is_served(word) => return Err(only_anthropic(sort)),
        _ => {
            return Err(sort.unknown_word(
                "use text, image, document, tool_result, tool_use, thinking or redacted_thinking",
            ));
        }
    };
    parts.push(part);
    Ok(())
}

/// Whether a block of this type comes from, or is for, what Anthropic runs itself.
fn is_served(word: &str) -> bool {
    matches!(
        word,
        "server_tool_use"
            | "mcp_tool_use"
            | "container_upload"
            | "search_result"
            | "tool_reference"
            | "compaction"
    ) || word.ends_with("_tool_result")
}

fn tool_result<'a>(
    block: &Value<'a, '_>,
    members: &Members<'a, '_>,
) -> Result<ToolResult<'a>, Fault> {
    let mut parts = Vec::new();
    if let Some(content) = members.content {
        read(&content, Place::Result, &mut parts)?;
    }
    Ok(ToolResult {
        id: required(block, members.tool_use_id, "tool_use_id")?.text()?,
        name: None,
        parts,
        is_error: members
            .is_error
            .map_or(Ok(false), |value| value.boolean())?,
    })
}

fn object<'a>(value: &Value<'a, '_>) -> Result<&'a str, Fault> {
    match value.is_object() {
        true => Ok(value.raw()),
        false => Err(value.wrong_type("an object", "send an object")),
    }
}

/// A member that a block of its type must have.
pub(super) fn required<'a, 'v>(
    block: &Value<'a, '_>,
    member: Option<Value<'a, 'v>>,
    key: &'static str,
) -> Result<Value<'a, 'v>, Fault> {
    member.ok_or_else(|| block.missing(key, "a block of this type must have it"))
}
