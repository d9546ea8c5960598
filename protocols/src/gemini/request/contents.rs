//! The turns of a conversation: `Content` and `Part`, read.
//!
//! A signature that stands on text is not read: only Gemini can check it and does not ask for it,
//! and no other part of the conversation can hold it.

use std::borrow::Cow;

use super::calls::Calls;
use super::media;
use crate::gemini::member::either;
use crate::gemini::thought;
use crate::json::{Fault, Kind, Value, pick};
use crate::llm::{Json, Message, Part, Role, ToolCall, ToolResult};

const PART: &str = "send text, inlineData, fileData, functionCall or functionResponse";

/// Reads `contents`. Turns of the model that follow one another are one: Google's clients send a
/// streamed answer back with a turn for each piece of it.
///
/// # Errors
/// If there is no turn, or one of them is none.
pub(super) fn read<'a>(contents: Value<'a, '_>) -> Result<Vec<Message<'a>>, Fault> {
    let mut calls = Calls::default();
    let mut messages = Vec::new();
    contents.one_or_more(&mut |content| turn(content, &mut calls, &mut messages))?;
    match messages.is_empty() {
        true => Err(contents.fault(Kind::Missing, "there are no turns", "send at least one")),
        false => Ok(messages),
    }
}

fn turn<'a>(
    content: Value<'a, '_>,
    calls: &mut Calls<'a>,
    messages: &mut Vec<Message<'a>>,
) -> Result<(), Fault> {
    let [role, said] = content.pick(["role", "parts"])?;
    let role = match role {
        None => Role::User,
        Some(role) => match &*role.text()? {
            "" | "user" | "function" => Role::User,
            "model" => Role::Assistant,
            _ => return Err(role.unknown_word("say user or model")),
        },
    };
    let goes_on = role == Role::Assistant && messages.last().is_some_and(|last| last.role == role);
    if !goes_on {
        messages.push(Message {
            role,
            name: None,
            parts: Vec::new(),
        });
    }
    if let (Some(said), Some(message)) = (said, messages.last_mut()) {
        said.one_or_more(&mut |value| part(value, calls, &mut message.parts))?;
    }
    Ok(())
}

/// The members of a part that are read, each under both of its names. All at once: what a part holds
/// may be large, and is passed over once for each time its members are picked.
const MEMBERS: [&str; 20] = [
    "text",
    "thought",
    "thoughtSignature",
    "thought_signature",
    "inlineData",
    "inline_data",
    "fileData",
    "file_data",
    "functionCall",
    "function_call",
    "functionResponse",
    "function_response",
    "executableCode",
    "executable_code",
    "codeExecutionResult",
    "code_execution_result",
    "toolCall",
    "tool_call",
    "toolResponse",
    "tool_response",
];

/// Reads a part into `out`; one that says nothing adds nothing.
pub(super) fn part<'a>(
    value: Value<'a, '_>,
    calls: &mut Calls<'a>,
    out: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    let [
        text,
        thought,
        signature,
        signature_,
        inline,
        inline_,
        file,
        file_,
        call,
        call_,
        result,
        result_,
        own @ ..,
    ] = value.pick(MEMBERS)?;
    if let Some(own) = own.into_iter().flatten().next() {
        // Parts of the tools that Gemini runs itself.
        let why = "parts of this sort are only passed through, to Gemini itself";
        return Err(own.fault(Kind::OutOfRange, why, PART));
    }
    let (inline, file) = (either(inline, inline_)?, either(file, file_)?);
    let (call, result) = (either(call, call_)?, either(result, result_)?);
    let signature = optional(either(signature, signature_)?)?;
    let is_thought = thought.map_or(Ok(false), |thought| thought.boolean())?;
    match (text, inline, file, call, result) {
        (None, None, None, None, None) if !is_thought && signature.is_none() => {
            return Err(value.fault(Kind::Missing, "the part holds nothing", PART));
        }
        (text, None, None, None, None) => {
            let text = text.map_or(Ok(Cow::Borrowed("")), |text| text.text())?;
            if is_thought {
                thought::push(out, text, signature.map(thought::proof));
            } else if !text.is_empty() {
                out.push(Part::Text(text));
            }
        }
        (None, Some(inline), None, None, None) => out.push(media::inline(inline)?),
        (None, None, Some(file), None, None) => out.push(media::file(file)?),
        (None, None, None, Some(call), None) => {
            out.push(Part::ToolCall(tool_call(call, signature, calls)?));
        }
        (None, None, None, None, Some(result)) => {
            out.push(Part::ToolResult(tool_result(result, calls)?));
        }
        _ => return Err(value.fault(Kind::Conflict, "the part holds two things", PART)),
    }
    Ok(())
}

fn tool_call<'a>(
    value: Value<'a, '_>,
    signature: Option<Cow<'a, str>>,
    calls: &mut Calls<'a>,
) -> Result<ToolCall<'a>, Fault> {
    let [id, name, args] = value.pick(["id", "name", "args"])?;
    let name = required_name(value, name)?;
    let id = optional(id)?;
    Ok(ToolCall {
        id: calls.called(id, &name),
        name,
        arguments: match args {
            Some(args) => {
                args.json_object()?;
                Cow::Borrowed(args.raw())
            }
            None => Cow::Borrowed("{}"),
        },
        signature,
    })
}

fn tool_result<'a>(value: Value<'a, '_>, calls: &mut Calls<'a>) -> Result<ToolResult<'a>, Fault> {
    let [id, name, response, media] = value.pick(["id", "name", "response", "parts"])?;
    let name = required_name(value, name)?;
    let id = optional(id)?;
    let response = response.ok_or_else(|| value.missing("response", "send what came of it"))?;
    response.json_object()?;
    let (text, is_error) = outcome(response.raw());
    let mut parts = vec![Part::Text(text)];
    if let Some(media) = media {
        media.elements(&mut |part| {
            let [inline, inline_] = part.pick(["inlineData", "inline_data"])?;
            let inline = either(inline, inline_)?;
            let inline = inline.ok_or_else(|| part.missing("inlineData", "send the bytes here"))?;
            parts.push(media::inline(inline)?);
            Ok(())
        })?;
    }
    Ok(ToolResult {
        id: calls.returned(id, &name),
        name: Some(name),
        parts,
        is_error,
    })
}

/// What an object says that a tool returned, and whether that is an error: the text of its one
/// member `result`, `output` or `error`, or all of it as JSON.
fn outcome(object: &str) -> (Cow<'_, str>, bool) {
    let mut members = 0;
    let counted = crate::json::members::<()>(object, &mut |_, _| {
        members += 1;
        Ok(())
    });
    let whole = (Cow::Borrowed(object), false);
    let Some([result, output, error]) = pick(object, ["result", "output", "error"]) else {
        return whole;
    };
    if counted.is_err() || members != 1 {
        return whole;
    }
    let text = |json: &'_ str| serde_json::from_str::<String>(json).ok().map(Cow::Owned);
    match (result.or(output).and_then(text), error) {
        (Some(text), _) => (text, false),
        (None, Some(error)) => match text(error) {
            Some(text) => (text, true),
            None if Json::parse(error).is_some_and(|json| json.is_object()) => {
                (Cow::Borrowed(error), true)
            }
            None => whole,
        },
        (None, None) => whole,
    }
}

fn required_name<'a>(
    value: Value<'a, '_>,
    name: Option<Value<'a, '_>>,
) -> Result<Cow<'a, str>, Fault> {
    const MEND: &str = "name the function";
    let name = name.ok_or_else(|| value.missing("name", MEND))?;
    let text = name.text()?;
    match text.is_empty() {
        true => Err(name.fault(Kind::Missing, "the name is empty", MEND)),
        false => Ok(text),
    }
}

fn optional<'a>(id: Option<Value<'a, '_>>) -> Result<Option<Cow<'a, str>>, Fault> {
    let text = id.map(|id| id.text()).transpose()?;
    Ok(text.filter(|text| !text.is_empty()))
}
