//! Everything of a chat request but its messages.

use std::borrow::Cow;

use super::opt;
use crate::json::{Fault, FaultKind, Value};
use crate::llm::{Choose, Effort, Format, Reasoning, Tool};

/// The tools; the older dialect's functions are some.
pub(super) fn tools<'a>(
    tools: Option<Value<'a, '_>>,
    functions: Option<Value<'a, '_>>,
) -> Result<Vec<Tool<'a>>, Fault> {
    let mut all = Vec::new();
    if let Some(tools) = tools {
        tools.elements(&mut |tool| {
            let [kind, function] = tool.pick(["type", "function"])?;
            if let Some(kind) = kind
                && kind.text()? != "function"
            {
                const MEND: &str = "only tools of type function can be told to another provider";
                return Err(kind.unknown_word(MEND));
            }
            let missing = || tool.missing("function", "describe the function");
            all.push(self::function(&function.ok_or_else(missing)?)?);
            Ok(())
        })?;
    }
    if let Some(functions) = functions {
        functions.elements(&mut |described| {
            all.push(function(&described)?);
            Ok(())
        })?;
    }
    Ok(all)
}

fn function<'a>(described: &Value<'a, '_>) -> Result<Tool<'a>, Fault> {
    let [name, description, parameters, strict] =
        described.pick(["name", "description", "parameters", "strict"])?;
    let name = name.ok_or_else(|| described.missing("name", "name the function"))?;
    Ok(Tool {
        name: name.text()?,
        description: opt(description, Value::text)?,
        parameters: opt(parameters, Value::json_object)?,
        strict: opt(strict, Value::boolean)?,
    })
}

/// `tool_choice`, or the older `function_call`.
pub(super) fn choose<'a>(choice: &Value<'a, '_>) -> Result<Choose<'a>, Fault> {
    if choice.is_string() {
        return match &*choice.text()? {
            "auto" => Ok(Choose::Auto),
            "none" => Ok(Choose::None),
            "required" => Ok(Choose::Any),
            _ => Err(choice.unknown_word("send auto, none, required, or a function by name")),
        };
    }
    let [kind, function, name] = choice.pick(["type", "function", "name"])?;
    if let Some(kind) = kind
        && kind.text()? != "function"
    {
        return Err(
            kind.unknown_word("only a choice of type function can be told to another provider")
        );
    }
    // The older dialect has no object around the name.
    let name = match function {
        Some(function) => {
            let [name] = function.pick(["name"])?;
            let missing = || function.missing("name", "name the function to call");
            name.ok_or_else(missing)?.text()?
        }
        None => name
            .ok_or_else(|| choice.missing("function", "name the function to call"))?
            .text()?,
    };
    Ok(Choose::Tool(name))
}

/// `response_format`.
pub(super) fn format<'a>(format: &Value<'a, '_>) -> Result<Format<'a>, Fault> {
    let [kind, schema] = format.pick(["type", "json_schema"])?;
    let kind =
        kind.ok_or_else(|| format.missing("type", "send text, json_object or json_schema"))?;
    match &*kind.text()? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let wrapped = schema.ok_or_else(|| format.missing("json_schema", "send the schema"))?;
            let [name, description, schema, strict] =
                wrapped.pick(["name", "description", "schema", "strict"])?;
            let missing = || wrapped.missing("schema", "send the JSON Schema");
            Ok(Format::Schema {
                name: opt(name, Value::text)?,
                description: opt(description, Value::text)?,
                schema: schema.ok_or_else(missing)?.json_object()?,
                strict: opt(strict, Value::boolean)?,
            })
        }
        _ => Err(kind.unknown_word("send text, json_object or json_schema")),
    }
}

/// `n`.
pub(super) fn choices(n: &Value<'_, '_>) -> Result<u64, Fault> {
    match n.whole()? {
        0 => Err(n.fault(
            FaultKind::OutOfRange,
            "no choice is asked for",
            "send a whole number of choices, at least 1",
        )),
        n => Ok(n),
    }
}

/// `stop`: one text, or several.
pub(super) fn stop<'a>(stop: &Value<'a, '_>) -> Result<Vec<Cow<'a, str>>, Fault> {
    let mut texts = Vec::new();
    stop.one_or_more(&mut |text| {
        texts.push(text.text()?);
        Ok(())
    })?;
    Ok(texts)
}

/// `logprobs` and `top_logprobs`.
pub(super) fn logprobs(
    wanted: Option<Value<'_, '_>>,
    top: Option<Value<'_, '_>>,
) -> Result<Option<u64>, Fault> {
    let wanted = opt(wanted, Value::boolean)?.unwrap_or(false);
    let top = opt(top, Value::whole)?;
    Ok(wanted.then(|| top.unwrap_or(0)))
}

/// `reasoning_effort`.
pub(super) fn reasoning(effort: &Value<'_, '_>) -> Result<Reasoning, Fault> {
    Ok(Reasoning::Effort(match &*effort.text()? {
        "none" => return Ok(Reasoning::Off),
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" | "max" => Effort::Max,
        _ => return Err(effort.unknown_word("send none, minimal, low, medium, high or xhigh")),
    }))
}

/// `stream_options.include_usage`.
pub(super) fn include_usage(options: &Value<'_, '_>) -> Result<bool, Fault> {
    let [include] = options.pick(["include_usage"])?;
    Ok(opt(include, Value::boolean)?.unwrap_or(false))
}

/// `modalities`: answers are text.
pub(super) fn modalities(modalities: &Value<'_, '_>) -> Result<(), Fault> {
    modalities.elements(&mut |modality| match &*modality.text()? {
        "text" => Ok(()),
        _ => Err(modality.unknown_word("only text can be asked of a provider of another dialect")),
    })
}
