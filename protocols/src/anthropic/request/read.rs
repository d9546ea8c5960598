//! Reads a call: the members at its top. Knows no default.

use super::content::{self, Place};
use super::settings;
use crate::json::{Document, Fault, FaultKind, Value};
use crate::llm::{Message, Part, Request, Role};

/// Reads a call.
///
/// # Errors
/// A [`Fault`] if the body is not UTF-8 or no JSON object, lacks `model`, `max_tokens` or
/// `messages`, gives a member a wrong type or twice, or names what only Anthropic itself can do.
pub fn read(body: &[u8]) -> Result<Request<'_>, Fault> {
    let root = Document::new(body)?.root();
    let request = call(&root)?;
    match request.limit {
        Some(_) => Ok(request),
        None => Err(root.missing("max_tokens", "say how long the answer may be, in tokens")),
    }
}

/// Reads what is to be counted: a call without a limit on its answer.
///
/// # Errors
/// As [`read`], save that `max_tokens` need not be there.
pub fn read_for_count(body: &[u8]) -> Result<Request<'_>, Fault> {
    call(&Document::new(body)?.root())
}

const MEMBERS: [&str; 17] = [
    "model",
    "max_tokens",
    "messages",
    "system",
    "tools",
    "cache_control",
    "tool_choice",
    "thinking",
    "output_format",
    "output_config",
    "metadata",
    "mcp_servers",
    "stop_sequences",
    "stream",
    "temperature",
    "top_p",
    "top_k",
];

fn call<'a>(root: &Value<'a, '_>) -> Result<Request<'a>, Fault> {
    let mut unknown = Vec::new();
    let members = root.members(MEMBERS, &mut |name| unknown.push(name.to_owned()))?;
    let [
        model,
        limit,
        messages,
        system,
        tools,
        cache,
        choice,
        thinking,
        old_format,
        output,
        metadata,
        servers,
        stop,
        stream,
        sampling @ ..,
    ] = members;
    let model = model.ok_or_else(|| root.missing("model", "name the model to call"))?;
    let mut request = Request::new(model.text()?);
    request.unknown = unknown;
    if let Some(servers) = servers {
        servers.elements(&mut |server| Err(settings::only_anthropic(&server)))?;
    }
    request.limit = limit.map(|limit| limit.whole()).transpose()?;
    if let Some(tools) = tools {
        settings::tools(&tools, &mut request)?;
    }
    if let Some(system) = system {
        content::read(&system, Place::System, &mut request.instructions)?;
    }
    let messages = messages.ok_or_else(|| root.missing("messages", "send the conversation"))?;
    conversation(&messages, &mut request)?;
    if let (Some(_), Some(last)) = (cache, request.messages.last_mut()) {
        last.parts.push(Part::CachePoint);
    }
    if let Some(choice) = choice {
        settings::tool_choice(&choice, &mut request)?;
    }
    settings::output(thinking, old_format, output, &mut request)?;
    settings::sampling(sampling, stop, &mut request)?;
    if let Some(metadata) = metadata {
        let [user] = metadata.pick(["user_id"])?;
        request.user = user.map(|user| user.text()).transpose()?;
    }
    request.stream = stream.map_or(Ok(false), |stream| stream.boolean())?;
    // Streams of this dialect always say what was used.
    request.stream_usage = request.stream;
    Ok(request)
}

fn conversation<'a>(messages: &Value<'a, '_>, request: &mut Request<'a>) -> Result<(), Fault> {
    messages.elements(&mut |message| {
        let [role, content] = message.pick(["role", "content"])?;
        let role = role.ok_or_else(|| message.missing("role", "say who speaks"))?;
        let content = content.ok_or_else(|| message.missing("content", "say what is said"))?;
        let (role, place) = match &*role.text()? {
            "user" => (Role::User, Place::User),
            "assistant" => (Role::Assistant, Place::Assistant),
            // Instructions amid the conversation.
            "system" => return content::read(&content, Place::System, &mut request.instructions),
            _ => return Err(role.unknown_word("use user, assistant or system")),
        };
        let mut parts = Vec::new();
        content::read(&content, place, &mut parts)?;
        request.messages.push(Message {
            role,
            name: None,
            parts,
        });
        Ok(())
    })?;
    match request.messages.is_empty() {
        true => Err(messages.fault(
            FaultKind::Missing,
            "there is no turn to answer",
            "send at least one turn of the user",
        )),
        false => Ok(()),
    }
}
