//! A request as callers send it. Members that only Gemini knows (`safetySettings`, `cachedContent`,
//! `labels`, …) are told by name and not looked into.

use super::calls::Calls;
use super::{config, contents, functions};
use crate::gemini::member::either;
use crate::json::{Document, Fault, Kind, Value};
use crate::llm::{Part, Request};

/// Reads a body of `generateContent` or `streamGenerateContent` (Gemini API v1beta, Vertex AI v1).
/// `model` and `stream` are what the path says; see [`path`](crate::gemini::path). A stream of this
/// dialect always tells what was used.
///
/// # Errors
/// If it is no such request, or holds a part or a tool that only Gemini itself knows.
pub fn read<'a>(body: &'a [u8], model: &'a str, stream: bool) -> Result<Request<'a>, Fault> {
    request(Document::new(body)?.root(), model, stream)
}

/// The request that stands at `root`.
pub(in crate::gemini) fn request<'a>(
    root: Value<'a, '_>,
    model: &'a str,
    stream: bool,
) -> Result<Request<'a>, Fault> {
    let mut request = Request::new(model.strip_prefix("models/").unwrap_or(model));
    request.stream = stream;
    request.stream_usage = stream;
    let mut unknown = Vec::new();
    let [
        named,
        turns,
        system,
        system_,
        tools,
        choose,
        choose_,
        settings,
        settings_,
    ] = root.members(
        [
            "model",
            "contents",
            "systemInstruction",
            "system_instruction",
            "tools",
            "toolConfig",
            "tool_config",
            "generationConfig",
            "generation_config",
        ],
        &mut |name| unknown.push(name.to_owned()),
    )?;
    request.unknown = unknown;
    if let Some(named) = named {
        same_model(named, model)?;
    }
    if let Some(system) = either(system, system_)? {
        request.instructions = instructions(system)?;
    }
    let turns = turns.ok_or_else(|| root.missing("contents", "send the conversation"))?;
    request.messages = contents::read(turns)?;
    functions::read(tools, either(choose, choose_)?, &mut request)?;
    if let Some(settings) = either(settings, settings_)? {
        config::read(settings, &mut request)?;
    }
    Ok(request)
}

/// A body may repeat the path's model, as a resource's name, but not name another.
fn same_model(named: Value<'_, '_>, model: &str) -> Result<(), Fault> {
    let name = named.text()?;
    // Vertex AI's names go from the project down to the model.
    let last = |name: &str| {
        name.rsplit_once("models/")
            .map_or(name, |(_, last)| last)
            .to_owned()
    };
    if last(&name) == last(model) {
        return Ok(());
    }
    Err(named.fault(
        Kind::Conflict,
        "the body names another model than the path",
        "leave it out of the body",
    ))
}

/// The text of `systemInstruction`, whose role says nothing.
fn instructions<'a>(system: Value<'a, '_>) -> Result<Vec<Part<'a>>, Fault> {
    let mut parts = Vec::new();
    let [said] = system.pick(["parts"])?;
    let Some(said) = said else { return Ok(parts) };
    said.one_or_more(&mut |part| {
        let before = parts.len();
        contents::part(part, &mut Calls::default(), &mut parts)?;
        let is_text = parts[before..]
            .iter()
            .all(|part| matches!(part, Part::Text(_)));
        match is_text {
            true => Ok(()),
            false => Err(part.wrong_type("a part of text", "send instructions as text")),
        }
    })?;
    Ok(parts)
}
