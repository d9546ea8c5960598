//! Writes tools, and whether and which of them are called.

use std::borrow::Cow;

use serde::Serialize;

use super::blocks::{CACHED, Cached};
use crate::json;
use crate::llm::loss::Refused;
use crate::llm::{Choose, Json, Request, Tool};

/// A tool, as it is written.
#[derive(Serialize)]
pub(super) struct Definition<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    input_schema: Cow<'r, Json<'r>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Cached>,
}

/// `tool_choice`.
#[derive(Serialize)]
pub(super) struct Choice<'r> {
    #[serde(rename = "type")]
    sort: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

/// The tools; whether what they say is to be cached.
pub(super) fn define<'r>(
    tools: &'r [Tool<'_>],
    cached: bool,
) -> Result<Vec<Definition<'r>>, Refused> {
    let mut definitions = Vec::with_capacity(tools.len());
    for (at, tool) in tools.iter().enumerate() {
        if !is_tool_name(&tool.name) {
            return Err(Refused::new(
                format!("tools[{at}].name"),
                "takes names of letters, digits, '_' and '-', at most 128 long",
            ));
        }
        let schema = tool.parameters.as_ref().map_or_else(
            || Ok(Cow::Owned(object_schema("{}"))),
            |schema| input_schema(schema, at),
        );
        definitions.push(Definition {
            name: &tool.name,
            description: tool.description.as_deref(),
            input_schema: schema?,
            strict: tool.strict == Some(true),
            cache_control: None,
        });
    }
    if let Some(last) = definitions.last_mut().filter(|_| cached) {
        last.cache_control = Some(CACHED);
    }
    Ok(definitions)
}

/// A schema that says it is of an object, as Anthropic requires.
fn input_schema<'r>(schema: &'r Json<'_>, at: usize) -> Result<Cow<'r, Json<'r>>, Refused> {
    match json::pick(schema.get(), ["type"]) {
        Some([Some(_)]) => Ok(Cow::Borrowed(schema)),
        Some([None]) => Ok(Cow::Owned(object_schema(schema.get()))),
        None => Err(Refused::new(
            format!("tools[{at}].parameters"),
            "takes a JSON Schema of an object",
        )),
    }
}

/// `schema`, an object without a type, as one of objects.
fn object_schema(schema: &str) -> Json<'static> {
    let members = schema.trim_ascii_start().trim_start_matches('{');
    let comma = match members.trim_ascii_start().starts_with('}') {
        true => "",
        false => ",",
    };
    let typed = format!("{{\"type\":\"object\"{comma}{members}");
    Json::parse(&typed).expect("a member before those of an object leaves an object")
}

fn is_tool_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=128).contains(&name.len()) && name.bytes().all(is_fit)
}

/// What is chosen among them. Without tools there is nothing to choose.
pub(super) fn choice<'r>(request: &'r Request<'_>) -> Option<Choice<'r>> {
    if request.tools.is_empty() {
        return None;
    }
    let one_only = request.parallel_tool_calls == Some(false);
    let (sort, name) = match &request.choose {
        None if !one_only => return None,
        None | Some(Choose::Auto) => ("auto", None),
        Some(Choose::Any) => ("any", None),
        Some(Choose::Tool(name)) => ("tool", Some(&**name)),
        Some(Choose::None) => ("none", None),
    };
    Some(Choice {
        sort,
        name,
        disable_parallel_tool_use: one_only && sort != "none",
    })
}
