//! Writes a chat request.
//!
//! | What | Becomes |
//! |---|---|
//! | instructions | one `system` (or `developer`) message before all others |
//! | a turn with results of tools | a `tool` message for each, then what else was said |
//! | reasoning of earlier turns | dropped: no member holds it |
//! | a budget of thoughts | the effort whose budget is nearest above |
//! | `top_k` | dropped: OpenAI's API has none |
//! | what the server's [`Profile`] lacks | dropped where it tunes, else refused |
//! | images in a tool's result | refused |

mod messages;
mod wire;

use serde_json::Value;

use super::profile::{Profile, Seed};
use super::request::LimitField;
use crate::llm::loss::Dropped;
use crate::llm::{Choose, Format, Reasoning, Refused, Request, Written};

/// Writes `request` as `profile` wants it.
///
/// # Errors
/// [`Refused`] if it says something that has no place in a chat request.
pub fn write(request: &Request<'_>, profile: &Profile) -> Result<Written, Refused> {
    sayable(request, profile)?;
    let mut dropped = Dropped::default();
    let sampling = &request.sampling;
    drop_unknown(request, profile, &mut dropped);
    let parallel = request
        .parallel_tool_calls
        .filter(|_| !request.tools.is_empty());
    let seed = |name| sampling.seed.filter(|_| profile.seed == Some(name));
    let limit = |field| request.limit.filter(|_| profile.limit == field);
    let body = wire::Request {
        model: &request.model,
        messages: messages::write(request, profile, &mut dropped)?,
        tools: request.tools.iter().map(wire::Tool::new).collect(),
        tool_choice: request
            .choose
            .as_ref()
            .filter(|_| !request.tools.is_empty())
            .map(choose),
        parallel_tool_calls: parallel.filter(|_| profile.parallel_tool_calls),
        response_format: format(&request.format, profile)?,
        max_tokens: limit(LimitField::MaxTokens),
        max_completion_tokens: limit(LimitField::MaxCompletionTokens),
        n: Some(request.choices).filter(|n| *n > 1),
        stop: &request.stop,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        frequency_penalty: sampling.frequency_penalty.filter(|_| profile.penalties),
        presence_penalty: sampling.presence_penalty.filter(|_| profile.penalties),
        seed: seed(Seed::Seed),
        random_seed: seed(Seed::RandomSeed),
        logit_bias: sampling.logit_bias.as_ref().filter(|_| profile.logit_bias),
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.filter(|top| *top > 0),
        reasoning_effort: effort(request.reasoning, profile, &mut dropped),
        user: request.user.as_deref().filter(|_| profile.user),
        stream: request.stream,
        stream_options: (request.stream && profile.ask_usage).then_some(wire::StreamOptions {
            include_usage: true,
        }),
    };
    let body = serde_json::to_vec(&body).expect("text, numbers and JSON always serialise");
    Ok(Written {
        body,
        dropped: dropped.into_names(),
    })
}

fn sayable(request: &Request<'_>, profile: &Profile) -> Result<(), Refused> {
    if !profile.choices && request.choices > 1 {
        return Err(Refused::new("n", "gives one answer to a request"));
    }
    if !profile.logprobs && request.logprobs.is_some() {
        return Err(Refused::new("logprobs", "tells no probabilities"));
    }
    Ok(())
}

/// Names what tunes an answer and is not understood.
fn drop_unknown(request: &Request<'_>, profile: &Profile, dropped: &mut Dropped) {
    let sampling = &request.sampling;
    let mut unless = |known: bool, name, is_there: bool| dropped.note(name, !known && is_there);
    unless(false, "top_k", sampling.top_k.is_some());
    let penalties = profile.penalties;
    let frequency = sampling.frequency_penalty.is_some();
    unless(penalties, "frequency_penalty", frequency);
    let presence = sampling.presence_penalty.is_some();
    unless(penalties, "presence_penalty", presence);
    unless(profile.seed.is_some(), "seed", sampling.seed.is_some());
    let bias = sampling.logit_bias.is_some();
    unless(profile.logit_bias, "logit_bias", bias);
    let parallel = request.parallel_tool_calls.is_some() && !request.tools.is_empty();
    unless(profile.parallel_tool_calls, "parallel_tool_calls", parallel);
    unless(profile.user, "user", request.user.is_some());
}

fn choose(choice: &Choose<'_>) -> Value {
    match choice {
        Choose::Auto => "auto".into(),
        Choose::None => "none".into(),
        Choose::Any => "required".into(),
        Choose::Tool(name) => {
            serde_json::json!({ "type": "function", "function": { "name": name } })
        }
    }
}

fn format<'r>(
    format: &'r Format<'_>,
    profile: &Profile,
) -> Result<Option<wire::Format<'r>>, Refused> {
    match format {
        Format::Text => Ok(None),
        Format::Json => Ok(Some(wire::Format::Json)),
        Format::Schema { .. } if !profile.schema => Err(Refused::new(
            "response_format",
            "holds no answer to a schema",
        )),
        Format::Schema {
            name,
            description,
            schema,
            strict,
        } => Ok(Some(wire::Format::Schema {
            json_schema: wire::Schema {
                name: name.as_deref().unwrap_or("answer"),
                description: description.as_deref(),
                schema,
                strict: *strict,
            },
        })),
    }
}

fn effort(
    reasoning: Option<Reasoning>,
    profile: &Profile,
    dropped: &mut Dropped,
) -> Option<&'static str> {
    use crate::llm::Effort;
    let word = match reasoning? {
        Reasoning::Off => "none",
        Reasoning::Adaptive => return None,
        Reasoning::Effort(effort) => word(effort),
        Reasoning::Budget(tokens) => word(Effort::of_budget(tokens)),
    };
    dropped.note("reasoning", !profile.effort);
    profile.effort.then_some(word)
}

const fn word(effort: crate::llm::Effort) -> &'static str {
    use crate::llm::Effort;
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "xhigh",
    }
}
