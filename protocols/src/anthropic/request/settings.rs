//! Reads how an answer is to be made: tools and their choice, thinking, effort, format.

use crate::json::{Fault, FaultKind, Value};
use crate::llm::{Choose, Effort, Format, Part, Reasoning, Request, Tool};

/// What names something that Anthropic runs itself.
pub(super) fn only_anthropic(value: &Value<'_, '_>) -> Fault {
    value.fault(
        FaultKind::OutOfRange,
        "only Anthropic itself can do this",
        "call a model that Anthropic serves, or leave it out",
    )
}

/// A cache point after a tool stands before the instructions, which follow the tools in a prompt.
pub(super) fn tools<'a>(tools: &Value<'a, '_>, request: &mut Request<'a>) -> Result<(), Fault> {
    let mut is_cached = false;
    tools.elements(&mut |tool| {
        let [sort, name, description, schema, strict, cache] = tool.pick([
            "type",
            "name",
            "description",
            "input_schema",
            "strict",
            "cache_control",
        ])?;
        if let Some(sort) = sort
            && sort.text()? != "custom"
        {
            return Err(only_anthropic(&sort));
        }
        let name = name.ok_or_else(|| tool.missing("name", "name the tool"))?;
        let missing = || tool.missing("input_schema", "say what the tool takes, as JSON Schema");
        request.tools.push(Tool {
            name: name.text()?,
            description: description.map(|text| text.text()).transpose()?,
            parameters: Some(schema.ok_or_else(missing)?.json_object()?),
            strict: strict.map(|strict| strict.boolean()).transpose()?,
        });
        is_cached |= cache.is_some();
        Ok(())
    })?;
    if is_cached {
        request.instructions.push(Part::CachePoint);
    }
    Ok(())
}

pub(super) fn tool_choice<'a>(
    choice: &Value<'a, '_>,
    request: &mut Request<'a>,
) -> Result<(), Fault> {
    let [sort, name, not_parallel] = choice.pick(["type", "name", "disable_parallel_tool_use"])?;
    let sort = sort.ok_or_else(|| choice.missing("type", "use auto, any, tool or none"))?;
    request.choose = Some(match &*sort.text()? {
        "auto" => Choose::Auto,
        "any" => Choose::Any,
        "none" => Choose::None,
        "tool" => {
            let missing = || choice.missing("name", "name the tool that is to be called");
            Choose::Tool(name.ok_or_else(missing)?.text()?)
        }
        _ => return Err(sort.unknown_word("use auto, any, tool or none")),
    });
    let not_parallel = not_parallel.map(|value| value.boolean()).transpose()?;
    request.parallel_tool_calls = not_parallel.map(|not_parallel| !not_parallel);
    Ok(())
}

fn thinking(thinking: &Value<'_, '_>) -> Result<Reasoning, Fault> {
    let [sort, budget] = thinking.pick(["type", "budget_tokens"])?;
    let mend = "use enabled, disabled or adaptive";
    let sort = sort.ok_or_else(|| thinking.missing("type", mend))?;
    match &*sort.text()? {
        "disabled" => Ok(Reasoning::Off),
        "adaptive" => Ok(Reasoning::Adaptive),
        "enabled" => {
            let missing = || thinking.missing("budget_tokens", "say how much, in tokens");
            let budget = budget.ok_or_else(missing)?.whole()?;
            Ok(Reasoning::Budget(budget))
        }
        "between_tools" => Err(only_anthropic(&sort)),
        _ => Err(sort.unknown_word(mend)),
    }
}

/// What is thought and what the answer is to be: `thinking`, `output_config`, and what was
/// `output_format` before structured outputs were generally available.
///
/// An effort says how much to think, unless a budget does or there is to be no thinking.
pub(super) fn output<'a>(
    thought: Option<Value<'a, '_>>,
    old_format: Option<Value<'a, '_>>,
    output: Option<Value<'a, '_>>,
    request: &mut Request<'a>,
) -> Result<(), Fault> {
    request.reasoning = thought.map(|value| thinking(&value)).transpose()?;
    if let Some(value) = old_format {
        request.format = format(&value)?;
    }
    let Some(output) = output else {
        return Ok(());
    };
    let [worked, formatted] = output.pick(["effort", "format"])?;
    if let Some(value) = worked {
        let effort = effort(&value)?;
        if matches!(request.reasoning, None | Some(Reasoning::Adaptive)) {
            request.reasoning = Some(Reasoning::Effort(effort));
        }
    }
    if let Some(value) = formatted {
        request.format = format(&value)?;
    }
    Ok(())
}

fn effort(value: &Value<'_, '_>) -> Result<Effort, Fault> {
    match &*value.text()? {
        "low" => Ok(Effort::Low),
        "medium" => Ok(Effort::Medium),
        "high" => Ok(Effort::High),
        "xhigh" | "max" => Ok(Effort::Max),
        _ => Err(value.unknown_word("use low, medium, high, xhigh or max")),
    }
}

/// How words are picked, and where the answer ends: `temperature`, `top_p` and `top_k`, and
/// `stop_sequences`.
pub(super) fn sampling<'a>(
    [temperature, top_p, top_k]: [Option<Value<'a, '_>>; 3],
    stop: Option<Value<'a, '_>>,
    request: &mut Request<'a>,
) -> Result<(), Fault> {
    let sampling = &mut request.sampling;
    sampling.temperature = temperature.map(|value| value.number()).transpose()?;
    sampling.top_p = top_p.map(|value| value.number()).transpose()?;
    sampling.top_k = top_k.map(|value| value.whole()).transpose()?;
    if let Some(stop) = stop {
        stop.elements(&mut |text| {
            request.stop.push(text.text()?);
            Ok(())
        })?;
    }
    Ok(())
}

fn format<'a>(format: &Value<'a, '_>) -> Result<Format<'a>, Fault> {
    let [sort, schema] = format.pick(["type", "schema"])?;
    let sort = sort.ok_or_else(|| format.missing("type", "use json_schema"))?;
    if sort.text()? != "json_schema" {
        return Err(sort.unknown_word("use json_schema"));
    }
    let missing = || format.missing("schema", "send the JSON Schema of the answer");
    Ok(Format::Schema {
        name: None,
        description: None,
        schema: schema.ok_or_else(missing)?.json_object()?,
        // There is no other way here.
        strict: Some(true),
    })
}
