//! A request as a provider takes it. Schemas go out as JSON Schema (`parametersJsonSchema`,
//! `responseJsonSchema`), which both APIs take since Gemini 2.5, so that nothing in them is lost.

use serde::Serialize;

use super::options::{self, Options};
use super::turns;
use crate::gemini::wire::{Content, Part};
use crate::llm::loss::Dropped;
use crate::llm::{self, Choose, Json, Refused, Request, Tool, Written};

/// Writes the body of `generateContent` or `streamGenerateContent`; which of the two, and the
/// model, stand in the path. What a generation of models takes is told from `request.model`, which
/// must be the name the provider has for it.
///
/// # Errors
/// If the request asks for probabilities, more than five texts to end at, media that Gemini cannot
/// fetch, or holds a result of a tool whose name is nowhere said.
pub fn write(request: &Request<'_>) -> Result<Written, Refused> {
    if request.logprobs.is_some() {
        let why = "tells probabilities in a form that cannot be passed on";
        return Err(Refused::new("logprobs", why));
    }
    let mut dropped = Dropped::default();
    let config = options::of(request, &mut dropped)?;
    let contents = turns::write(request, &mut dropped)?;
    if contents.is_empty() {
        return Err(Refused::new("messages", "must be told something"));
    }
    let strict = request
        .tools
        .iter()
        .filter(|tool| tool.strict == Some(true))
        .count();
    let all_strict = strict > 0 && strict == request.tools.len();
    let mode = mode(request.choose.as_ref(), all_strict);
    // The other modes hold calls to their schemas, or allow none.
    let is_loose = mode.is_none_or(|mode| mode.mode == "AUTO");
    dropped.note("tools.strict", strict > 0 && is_loose);
    dropped.note("user", request.user.is_some());
    let one_at_a_time = request.parallel_tool_calls == Some(false);
    dropped.note(
        "parallel_tool_calls",
        one_at_a_time && !request.tools.is_empty(),
    );
    let body = Body {
        system_instruction: instructions(&request.instructions),
        contents,
        tools: tools(&request.tools),
        tool_config: mode
            .filter(|_| !request.tools.is_empty())
            .map(|mode| ToolConfig {
                function_calling_config: mode,
            }),
        generation_config: config,
    };
    Ok(Written {
        body: serde_json::to_vec(&body).expect("text, numbers and JSON always serialise"),
        dropped: dropped.into_names(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'w> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'w>>,
    contents: Vec<Content<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Functions<'w>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'w>>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    generation_config: Options<'w>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Functions<'w> {
    function_declarations: Vec<Function<'w>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'w> {
    name: &'w str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'w Json<'w>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'w> {
    function_calling_config: Mode<'w>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mode<'w> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'w str; 1]>,
}

/// How the model is held to its tools. `VALIDATED` leaves it the choice and holds its calls to
/// their schemas.
fn mode<'w>(choose: Option<&'w Choose<'_>>, strict: bool) -> Option<Mode<'w>> {
    let (mode, only) = match choose {
        None if !strict => return None,
        None | Some(Choose::Auto) if strict => ("VALIDATED", None),
        None | Some(Choose::Auto) => ("AUTO", None),
        Some(Choose::None) => ("NONE", None),
        Some(Choose::Any) => ("ANY", None),
        Some(Choose::Tool(name)) => ("ANY", Some([&**name])),
    };
    Some(Mode {
        mode,
        allowed_function_names: only,
    })
}

fn instructions<'w>(parts: &'w [llm::Part<'_>]) -> Option<Content<'w>> {
    let texts = parts.iter().filter_map(|part| match part {
        llm::Part::Text(text) if !text.is_empty() => Some(Part::text(text)),
        // Text and cache points are all there is; Gemini finds its cached prompts by itself.
        _ => None,
    });
    let parts: Vec<Part<'_>> = texts.collect();
    (!parts.is_empty()).then_some(Content { role: None, parts })
}

fn tools<'w>(tools: &'w [Tool<'_>]) -> Option<[Functions<'w>; 1]> {
    let functions = tools.iter().map(|tool| Function {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema: tool.parameters.as_ref(),
    });
    let function_declarations: Vec<Function<'_>> = functions.collect();
    (!function_declarations.is_empty()).then_some([Functions {
        function_declarations,
    }])
}
