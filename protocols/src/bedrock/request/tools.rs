//! Which tools a model may call, and whether it must.

use std::borrow::Cow;

use super::{id, wire};
use crate::llm::{Choose, Json, Part, Refused, Request, Tool};

/// The tools of `request`.
///
/// The API knows no way to forbid the tools it is told of, and wants to be told of some as soon as
/// the conversation has calls.
pub(super) fn config<'r>(
    request: &'r Request<'_>,
) -> Result<Option<wire::ToolConfig<'r>>, Refused> {
    if request.tools.is_empty() {
        return match (has_calls(request), &request.choose) {
            (true, _) => Err(Refused::new(
                "tools",
                "wants the tools declared that the conversation calls",
            )),
            (false, Some(Choose::Any | Choose::Tool(_))) => Err(Refused::new(
                "tool_choice",
                "can call no tool: none is declared",
            )),
            (false, _) => Ok(None),
        };
    }
    let tool_choice = match &request.choose {
        Some(Choose::None) if has_calls(request) => {
            return Err(Refused::new(
                "tool_choice",
                "cannot be kept from calling tools once the conversation has calls",
            ));
        }
        Some(Choose::None) => return Ok(None),
        None | Some(Choose::Auto) => None,
        Some(Choose::Any) => Some(wire::ToolChoice::Any {}),
        Some(Choose::Tool(name)) => Some(wire::ToolChoice::Tool { name }),
    };
    if request.parallel_tool_calls == Some(false) {
        return Err(Refused::new(
            "parallel_tool_calls",
            "may call several tools at once and cannot be kept from it",
        ));
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        if !id::fits(&tool.name) {
            return Err(Refused::new(
                format!("tools[{index}]"),
                "takes names of 1 to 64 letters, digits, hyphens and underscores",
            ));
        }
        tools.push(wire::Tool::ToolSpec(spec(tool)));
    }
    Ok(Some(wire::ToolConfig { tools, tool_choice }))
}

fn spec<'r>(tool: &'r Tool<'_>) -> wire::ToolSpec<'r> {
    let nothing = || {
        let schema = Json::parse(r#"{"type":"object","properties":{}}"#);
        Cow::Owned(schema.expect("it is JSON"))
    };
    wire::ToolSpec {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema: wire::InputSchema::Json(
            tool.parameters.as_ref().map_or_else(nothing, Cow::Borrowed),
        ),
        // Not every model knows the word, and its absence means the same as `false`.
        strict: tool.strict.filter(|strict| *strict),
    }
}

fn has_calls(request: &Request<'_>) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.any(|part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_)))
}
