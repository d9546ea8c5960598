//! The input of a request: a text, or items.

use std::borrow::Cow;

use super::content::{self, Place};
use super::opt;
use crate::json::{Fault, Value};
use crate::llm::{FaultKind, Message, Part, Request, Role, ToolCall, ToolResult};
use crate::openai::responses::REDACTED;

/// Reads `input` into a request.
pub(super) fn read<'a>(input: &Value<'a, '_>, request: &mut Request<'a>) -> Result<(), Fault> {
    if input.is_string() {
        push(request, Role::User, vec![Part::Text(input.text()?)]);
        return Ok(());
    }
    if !input.is_array() {
        return Err(input.wrong_type(
            "a string or an array of items",
            "send the text, or an array of items",
        ));
    }
    input.elements(&mut |item| self::item(&item, request))?;
    if request.messages.is_empty() && request.instructions.is_empty() {
        return Err(input.fault(
            FaultKind::Missing,
            "there are no items",
            "send at least one message",
        ));
    }
    Ok(())
}

/// The members of an item, of whatever type.
const KEYS: [&str; 11] = [
    "type",
    "role",
    "content",
    "id",
    "call_id",
    "name",
    "arguments",
    "output",
    "summary",
    "encrypted_content",
    "extra_content",
];

fn item<'a>(item: &Value<'a, '_>, request: &mut Request<'a>) -> Result<(), Fault> {
    const MEND: &str = "send items of type message, function_call, function_call_output or \
        reasoning: all others are known to their provider only";
    let [
        kind,
        role,
        content,
        id,
        call_id,
        name,
        arguments,
        output,
        summary,
        encrypted,
        extra,
    ] = item.pick(KEYS)?;
    let Some(kind) = kind else {
        // Messages need no type; what has no role either is no message.
        let role = role.ok_or_else(|| item.missing("type", MEND))?;
        return message(item, &role, content, request);
    };
    let call_id = || {
        let missing = || item.missing("call_id", "send the id of the call");
        call_id.ok_or_else(missing)?.text()
    };
    match &*kind.text()? {
        "message" => {
            let missing = || item.missing("role", "give the message a role, such as \"user\"");
            message(item, &role.ok_or_else(missing)?, content, request)?;
        }
        "function_call" => {
            let name = name.ok_or_else(|| item.missing("name", "name the function"))?;
            let call = ToolCall {
                id: call_id()?,
                name: name.text()?,
                arguments: opt(arguments, Value::text)?.unwrap_or_default(),
                signature: opt(extra, signature)?.flatten(),
            };
            answered(request, vec![Part::ToolCall(call)]);
        }
        "function_call_output" => {
            let output = output.ok_or_else(|| item.missing("output", "say what came of it"))?;
            let result = ToolResult {
                id: call_id()?,
                name: opt(name, Value::text)?,
                parts: content::read(&output, Place::Tool)?,
                is_error: false,
            };
            returned(request, Part::ToolResult(result));
        }
        "reasoning" => {
            let thoughts = reasoning(id, summary, content, encrypted)?;
            answered(request, thoughts.into_iter().collect());
        }
        _ => return Err(kind.unknown_word(MEND)),
    }
    Ok(())
}

fn message<'a>(
    item: &Value<'a, '_>,
    role: &Value<'a, '_>,
    content: Option<Value<'a, '_>>,
    request: &mut Request<'a>,
) -> Result<(), Fault> {
    let missing = || item.missing("content", "send a text or an array of parts");
    let content = content.ok_or_else(missing)?;
    match &*role.text()? {
        "user" => {
            let said = content::read(&content, Place::User)?;
            push(request, Role::User, said);
        }
        "assistant" => {
            let said = content::read(&content, Place::Assistant)?;
            answered(request, said);
        }
        "system" | "developer" => {
            let mut said = content::read(&content, Place::Instructions)?;
            request.instructions.append(&mut said);
        }
        _ => return Err(role.unknown_word("send system, developer, user or assistant")),
    }
    Ok(())
}

/// Thoughts; `None` for those of which nothing but their id is there.
fn reasoning<'a>(
    id: Option<Value<'a, '_>>,
    summary: Option<Value<'a, '_>>,
    content: Option<Value<'a, '_>>,
    encrypted: Option<Value<'a, '_>>,
) -> Result<Option<Part<'a>>, Fault> {
    let signature = opt(encrypted, Value::text)?;
    let id = opt(id, Value::text)?.unwrap_or_default();
    let signature = match signature {
        Some(data) if id.starts_with(REDACTED) => return Ok(Some(Part::Redacted(data))),
        signature => signature,
    };
    let mut texts = opt(summary, content::texts)?.unwrap_or_default();
    if texts.is_empty() {
        texts = opt(content, content::texts)?.unwrap_or_default();
    }
    let text = match <[Cow<'a, str>; 1]>::try_from(texts) {
        Ok([text]) => text,
        Err(texts) => Cow::Owned(texts.join("\n\n")),
    };
    let is_something = !text.is_empty() || signature.is_some();
    Ok(is_something.then_some(Part::Reasoning { text, signature }))
}

/// What signs a call, where its provider does: a member beyond those of the API, named as Google
/// names it in its own version of OpenAI's dialect.
fn signature<'a>(extra: &Value<'a, '_>) -> Result<Option<Cow<'a, str>>, Fault> {
    let [google] = extra.pick(["google"])?;
    let Some(google) = google else {
        return Ok(None);
    };
    let [signature] = google.pick(["thought_signature"])?;
    opt(signature, Value::text)
}

fn push<'a>(request: &mut Request<'a>, role: Role, parts: Vec<Part<'a>>) {
    request.messages.push(Message {
        role,
        name: None,
        parts,
    });
}

/// The model's items that follow each other are one turn: its calls are answered together.
fn answered<'a>(request: &mut Request<'a>, mut parts: Vec<Part<'a>>) {
    match request.messages.last_mut() {
        Some(turn) if turn.role == Role::Assistant => turn.parts.append(&mut parts),
        _ if parts.is_empty() => {}
        _ => push(request, Role::Assistant, parts),
    }
}

/// So are the results of those calls.
fn returned<'a>(request: &mut Request<'a>, result: Part<'a>) {
    match request.messages.last_mut() {
        Some(turn) if matches!(turn.parts.last(), Some(Part::ToolResult(_))) => {
            turn.parts.push(result);
        }
        _ => push(request, Role::User, vec![result]),
    }
}
