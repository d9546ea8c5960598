//! Writes a request for a response.
//!
//! | What | Becomes |
//! |---|---|
//! | instructions | `instructions`, with an empty line between texts |
//! | signed or redacted thoughts of earlier turns | `reasoning` items with `encrypted_content` |
//! | thoughts that nobody signed | dropped: the provider takes back only its own |
//! | a budget of thoughts | the effort whose budget is nearest above, and a summary asked for |
//! | as many thoughts as the model likes | a summary asked for |
//! | whether a tool's call is held to its schema, not said | `strict: false`, as in every other dialect |
//! | a document of plain text | text |
//! | whether a tool failed | dropped: what it returned says so |
//! | `top_k`, penalties, `seed`, `logit_bias`, names of authors | dropped: the dialect has none |
//! | stop sequences, several choices, probabilities, sounds | refused |
//!
//! Nothing is kept at the provider (`store: false`), as nothing is by any other dialect.

mod input;
mod wire;

use serde_json::Value;

use crate::llm::loss::Dropped;
use crate::llm::{Choose, Effort, Format, Part, Reasoning, Refused, Request, Written};

/// Writes `request`.
///
/// # Errors
/// [`Refused`] if it says something that has no place in a request for a response.
pub fn write(request: &Request<'_>) -> Result<Written, Refused> {
    sayable(request)?;
    let mut dropped = Dropped::default();
    let sampling = &request.sampling;
    dropped.note("top_k", sampling.top_k.is_some());
    dropped.note("frequency_penalty", sampling.frequency_penalty.is_some());
    dropped.note("presence_penalty", sampling.presence_penalty.is_some());
    dropped.note("seed", sampling.seed.is_some());
    dropped.note("logit_bias", sampling.logit_bias.is_some());
    let has_tools = !request.tools.is_empty();
    let body = wire::Request {
        model: &request.model,
        instructions: instructions(&request.instructions)?,
        input: input::write(request, &mut dropped)?,
        tools: request.tools.iter().map(wire::Tool::new).collect(),
        tool_choice: request.choose.as_ref().filter(|_| has_tools).map(choose),
        parallel_tool_calls: request.parallel_tool_calls.filter(|_| has_tools),
        text: format(&request.format).map(|format| wire::Text { format }),
        reasoning: request.reasoning.map(reasoning),
        include: include(request),
        max_output_tokens: request.limit,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        user: request.user.as_deref(),
        stream: request.stream,
        store: false,
    };
    let body = serde_json::to_vec(&body).expect("text, numbers and JSON always serialise");
    Ok(Written {
        body,
        dropped: dropped.into_names(),
    })
}

fn sayable(request: &Request<'_>) -> Result<(), Refused> {
    if request.choices > 1 {
        return Err(Refused::new("n", "gives one answer to a request"));
    }
    if !request.stop.is_empty() {
        return Err(Refused::new("stop", "knows no texts to stop at"));
    }
    if request.logprobs.is_some() {
        return Err(Refused::new(
            "logprobs",
            "tells probabilities in its own dialect only",
        ));
    }
    Ok(())
}

fn instructions(parts: &[Part<'_>]) -> Result<Option<String>, Refused> {
    let mut all: Option<String> = None;
    for part in parts {
        match (part, &mut all) {
            (Part::Text(text), None) => all = Some(text.clone().into_owned()),
            (Part::Text(text), Some(all)) => {
                all.push_str("\n\n");
                all.push_str(text);
            }
            (Part::CachePoint, _) => {}
            _ => return Err(Refused::new("instructions", "takes only text there")),
        }
    }
    Ok(all)
}

fn choose(choice: &Choose<'_>) -> Value {
    match choice {
        Choose::Auto => "auto".into(),
        Choose::None => "none".into(),
        Choose::Any => "required".into(),
        Choose::Tool(name) => serde_json::json!({ "type": "function", "name": name }),
    }
}

fn format<'r>(format: &'r Format<'_>) -> Option<wire::Format<'r>> {
    match format {
        Format::Text => None,
        Format::Json => Some(wire::Format::JsonObject),
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => Some(wire::Format::JsonSchema {
            name: name.as_deref().unwrap_or("answer"),
            description: description.as_deref(),
            schema,
            strict: *strict,
        }),
    }
}

/// Callers of dialects that set a budget are shown what the model thinks; those that set an effort
/// are not, and some of OpenAI's customers may not ask for it.
fn reasoning(reasoning: Reasoning) -> wire::Reasoning {
    let (effort, summary) = match reasoning {
        Reasoning::Off => (Some("none"), None),
        Reasoning::Effort(effort) => (Some(word(effort)), None),
        Reasoning::Budget(tokens) => (Some(word(Effort::of_budget(tokens))), Some("auto")),
        Reasoning::Adaptive => (None, Some("auto")),
    };
    wire::Reasoning { effort, summary }
}

const fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "xhigh",
    }
}

/// Thoughts can only be sent back if they came encrypted; models that do not think refuse to be
/// asked for that.
fn include(request: &Request<'_>) -> &'static [&'static str] {
    match request.reasoning {
        None | Some(Reasoning::Off) => &[],
        Some(_) => &["reasoning.encrypted_content"],
    }
}
