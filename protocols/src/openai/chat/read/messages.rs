//! The messages of a chat request.

use std::borrow::Cow;

use super::opt;
use super::parts;
use crate::json::{Fault, FaultKind, Value};
use crate::llm::{Message, Part, Request, Role, ToolCall, ToolResult};

/// Reads `messages` into a request. What a system says, wherever it stands, is instructions.
pub(super) fn read<'a>(messages: &Value<'a, '_>, request: &mut Request<'a>) -> Result<(), Fault> {
    messages.elements(&mut |message| {
        let keys = [
            "role",
            "content",
            "name",
            "tool_calls",
            "function_call",
            "tool_call_id",
            "refusal",
            "reasoning_content",
            "reasoning",
            "audio",
        ];
        let [
            role,
            content,
            name,
            calls,
            function,
            id,
            refusal,
            thoughts,
            reasoning,
            audio,
        ] = message.pick(keys)?;
        let missing = || message.missing("role", "give each message a role, such as \"user\"");
        let role = role.ok_or_else(missing)?;
        if let Some(audio) = audio {
            return Err(audio.fault(
                FaultKind::OutOfRange,
                "earlier speech is known to the provider that spoke it only",
                "send what was said as text",
            ));
        }
        let mut said = Vec::new();
        if let Some(thoughts) = thoughts.or(reasoning) {
            said.push(Part::Reasoning {
                text: thoughts.text()?,
                signature: None,
            });
        }
        if let Some(content) = content {
            parts::read(&content, &mut said)?;
        }
        let name = opt(name, Value::text)?;
        let role = match &*role.text()? {
            "system" | "developer" => {
                request.instructions.append(&mut said);
                return Ok(());
            }
            "user" => Role::User,
            "assistant" => {
                if let Some(refusal) = refusal {
                    said.push(Part::Refusal(refusal.text()?));
                }
                tool_calls(calls, function, &mut said)?;
                Role::Assistant
            }
            "tool" => {
                let missing = || message.missing("tool_call_id", "say which call it answers");
                let id = id.ok_or_else(missing)?.text()?;
                said = vec![result(id, name.clone(), said)];
                Role::User
            }
            // The older dialect had one call at a time, and named it by its function.
            "function" => {
                let missing = || message.missing("name", "say which function it answers");
                let name = name.clone().ok_or_else(missing)?;
                said = vec![result(name.clone(), Some(name), said)];
                Role::User
            }
            _ => {
                return Err(role.unknown_word("send system, developer, user, assistant or tool"));
            }
        };
        request.messages.push(Message {
            role,
            name,
            parts: said,
        });
        Ok(())
    })?;
    if request.messages.is_empty() && request.instructions.is_empty() {
        return Err(messages.fault(
            FaultKind::Missing,
            "there are no messages",
            "send at least one",
        ));
    }
    Ok(())
}

fn result<'a>(id: Cow<'a, str>, name: Option<Cow<'a, str>>, parts: Vec<Part<'a>>) -> Part<'a> {
    Part::ToolResult(ToolResult {
        id,
        name,
        parts,
        is_error: false,
    })
}

fn tool_calls<'a>(
    calls: Option<Value<'a, '_>>,
    function: Option<Value<'a, '_>>,
    said: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    if let Some(calls) = calls {
        calls.elements(&mut |call| {
            let [id, kind, function] = call.pick(["id", "type", "function"])?;
            if let Some(kind) = kind
                && kind.text()? != "function"
            {
                const MEND: &str = "only calls of functions can be told to another provider";
                return Err(kind.unknown_word(MEND));
            }
            let id = id.ok_or_else(|| call.missing("id", "repeat the call's id"))?;
            let function =
                function.ok_or_else(|| call.missing("function", "say what was called"))?;
            said.push(self::call(Some(id.text()?), &function)?);
            Ok(())
        })?;
    }
    if let Some(function) = function {
        said.push(call(None, &function)?);
    }
    Ok(())
}

/// A call; without an id, as in the older dialect, the function's name is its id.
fn call<'a>(id: Option<Cow<'a, str>>, function: &Value<'a, '_>) -> Result<Part<'a>, Fault> {
    let [name, arguments] = function.pick(["name", "arguments"])?;
    let name = name.ok_or_else(|| function.missing("name", "name the function"))?;
    let name = name.text()?;
    Ok(Part::ToolCall(ToolCall {
        id: id.unwrap_or_else(|| name.clone()),
        name,
        arguments: opt(arguments, Value::text)?.unwrap_or_default(),
        signature: None,
    }))
}
