//! Everything of a request for a response but its input.

use std::collections::HashSet;

use super::opt;
use crate::json::{Fault, Value};
use crate::llm::{Choose, Effort, FaultKind, Format, Reasoning, Request, Tool};

/// `tools`: functions, described in the tool itself.
pub(super) fn tools<'a>(tools: &Value<'a, '_>) -> Result<Vec<Tool<'a>>, Fault> {
    let mut all = Vec::new();
    tools.elements(&mut |tool| {
        let keys = ["type", "name", "description", "parameters", "strict"];
        let [kind, name, description, parameters, strict] = tool.pick(keys)?;
        is_function(&tool, kind)?;
        let name = name.ok_or_else(|| tool.missing("name", "name the function"))?;
        all.push(Tool {
            name: name.text()?,
            description: opt(description, Value::text)?,
            parameters: opt(parameters, Value::json_object)?,
            strict: opt(strict, Value::boolean)?,
        });
        Ok(())
    })?;
    Ok(all)
}

/// `tool_choice`. Where it allows some tools only, all others leave `tools`: a model that is not
/// told of a tool cannot call it.
pub(super) fn choose<'a>(
    choice: &Value<'a, '_>,
    tools: &mut Vec<Tool<'a>>,
) -> Result<Choose<'a>, Fault> {
    if choice.is_string() {
        return match &*choice.text()? {
            "auto" => Ok(Choose::Auto),
            "none" => Ok(Choose::None),
            "required" => Ok(Choose::Any),
            _ => Err(choice.unknown_word("send auto, none, required, or a function by name")),
        };
    }
    let [kind, name, mode, allowed] = choice.pick(["type", "name", "mode", "tools"])?;
    let kind = kind.ok_or_else(|| choice.missing("type", "send function or allowed_tools"))?;
    match &*kind.text()? {
        "function" => {
            let name = name.ok_or_else(|| choice.missing("name", "name the function to call"))?;
            Ok(Choose::Tool(name.text()?))
        }
        "allowed_tools" => {
            let missing = || choice.missing("tools", "name the functions that may be called");
            narrow(&allowed.ok_or_else(missing)?, tools)?;
            let mode = mode.ok_or_else(|| choice.missing("mode", "send auto or required"))?;
            match &*mode.text()? {
                "auto" => Ok(Choose::Auto),
                "required" => Ok(Choose::Any),
                _ => Err(mode.unknown_word("send auto or required")),
            }
        }
        _ => Err(kind.unknown_word(
            "send function or allowed_tools: other tools are known to their provider only",
        )),
    }
}

fn narrow<'a>(allowed: &Value<'a, '_>, tools: &mut Vec<Tool<'a>>) -> Result<(), Fault> {
    let known: HashSet<&str> = tools.iter().map(|tool| &*tool.name).collect();
    let mut names = HashSet::new();
    allowed.elements(&mut |tool| {
        let [kind, name] = tool.pick(["type", "name"])?;
        is_function(&tool, kind)?;
        let named = name.ok_or_else(|| tool.missing("name", "name the function"))?;
        let name = named.text()?;
        if !known.contains(&*name) {
            return Err(named.fault(
                FaultKind::OutOfRange,
                "there is no such tool",
                "name one of `tools`",
            ));
        }
        names.insert(name);
        Ok(())
    })?;
    tools.retain(|tool| names.contains(&tool.name));
    Ok(())
}

fn is_function(tool: &Value<'_, '_>, kind: Option<Value<'_, '_>>) -> Result<(), Fault> {
    const MEND: &str = "send tools of type function: those that a provider runs itself can only be \
        asked of a provider that speaks this dialect";
    let kind = kind.ok_or_else(|| tool.missing("type", MEND))?;
    match &*kind.text()? {
        "function" => Ok(()),
        _ => Err(kind.unknown_word(MEND)),
    }
}

/// `text`: what the answer's text is to be, and how wordy.
pub(super) fn text<'a>(
    text: Option<Value<'a, '_>>,
    request: &mut Request<'a>,
) -> Result<(), Fault> {
    let Some(text) = text else {
        return Ok(());
    };
    let [format, verbosity] = text.pick(["format", "verbosity"])?;
    if verbosity.is_some() {
        request.unknown.push("text.verbosity".to_owned());
    }
    request.format = opt(format, self::format)?.unwrap_or_default();
    Ok(())
}

fn format<'a>(format: &Value<'a, '_>) -> Result<Format<'a>, Fault> {
    const MEND: &str = "send text, json_object or json_schema";
    let [kind, name, description, schema, strict] =
        format.pick(["type", "name", "description", "schema", "strict"])?;
    let kind = kind.ok_or_else(|| format.missing("type", MEND))?;
    match &*kind.text()? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let missing = || format.missing("schema", "send the JSON Schema");
            Ok(Format::Schema {
                name: opt(name, Value::text)?,
                description: opt(description, Value::text)?,
                schema: schema.ok_or_else(missing)?.json_object()?,
                strict: opt(strict, Value::boolean)?,
            })
        }
        _ => Err(kind.unknown_word(MEND)),
    }
}

/// `reasoning`. Which summary is wished for is not looked at: whatever a provider shows of its
/// thoughts is told as one.
pub(super) fn reasoning(reasoning: &Value<'_, '_>) -> Result<Option<Reasoning>, Fault> {
    let [effort] = reasoning.pick(["effort"])?;
    let Some(effort) = effort else {
        return Ok(None);
    };
    let of = |effort| Ok(Some(Reasoning::Effort(effort)));
    match &*effort.text()? {
        "none" => Ok(Some(Reasoning::Off)),
        "minimal" => of(Effort::Minimal),
        "low" => of(Effort::Low),
        "medium" => of(Effort::Medium),
        "high" => of(Effort::High),
        "xhigh" | "max" => of(Effort::Max),
        _ => Err(effort.unknown_word("send none, minimal, low, medium, high or xhigh")),
    }
}

/// `include`, which asks for more in the answer, and `top_logprobs`, which adds to that. What
/// thoughts are signed with is in the answer whether asked for or not.
pub(super) fn logprobs(
    include: Option<Value<'_, '_>>,
    top: Option<Value<'_, '_>>,
    request: &mut Request<'_>,
) -> Result<(), Fault> {
    let mut wanted = false;
    let mut others = false;
    if let Some(include) = include {
        include.elements(&mut |name| {
            match &*name.text()? {
                "message.output_text.logprobs" => wanted = true,
                "reasoning.encrypted_content" => {}
                _ => others = true,
            }
            Ok(())
        })?;
    }
    if others {
        request.unknown.push("include".to_owned());
    }
    let top = opt(top, Value::whole)?.unwrap_or(0);
    request.logprobs = (wanted || top > 0).then_some(top);
    Ok(())
}

/// What is asked for and not done, which the caller is told: keeping the response, and hiding the
/// length of its pieces.
pub(super) fn left_undone(
    store: Option<Value<'_, '_>>,
    stream_options: Option<Value<'_, '_>>,
    request: &mut Request<'_>,
) -> Result<(), Fault> {
    if opt(store, Value::boolean)?.unwrap_or(false) {
        request.unknown.push("store".to_owned());
    }
    if let Some(options) = stream_options {
        let [obfuscation] = options.pick(["include_obfuscation"])?;
        if opt(obfuscation, Value::boolean)?.unwrap_or(false) {
            let name = "stream_options.include_obfuscation";
            request.unknown.push(name.to_owned());
        }
    }
    Ok(())
}
