//! Writes a call. What this dialect cannot say is refused where it would change the answer, and
//! dropped where it tunes it.

use std::borrow::Cow;

use serde::Serialize;

use super::blocks::{self, Block};
use super::thinking::{self, Config, Decided};
use super::tools::{self, Choice, Definition};
use super::turns::{self, Turn, Turns};
use crate::llm::loss::{Dropped, Refused, Written};
use crate::llm::{Choose, Format, Json, Request};

/// What must be known of a model beyond the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The limit on the answer where the request has none, in tokens: this dialect requires one.
    pub max_tokens: u64,
    /// How the model is told to think.
    pub thinking: Thinking,
    /// Whether it takes `temperature`, `top_p` and `top_k`. Under `anthropic-version: 2026-10-21`
    /// none does, nor does Claude Opus 4.7 or a model after it under any: a request that has one of
    /// them is refused there.
    pub sampling: bool,
}

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thinking {
    /// With a budget in tokens (`thinking.type: enabled`): models before Claude 4.6.
    Budget,
    /// As it finds right, guided by `output_config.effort` (`thinking.type: adaptive`): Claude 4.6
    /// and later.
    Adaptive,
}

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'r>>,
    messages: Vec<Turn<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Definition<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Config>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Output<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'r>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'r [Cow<'r, str>],
    #[serde(flatten)]
    sampling: Sampling,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct Output<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Schema<'r>>,
}

#[derive(Serialize)]
struct Schema<'r> {
    #[serde(rename = "type")]
    sort: &'static str,
    schema: &'r Json<'r>,
}

#[derive(Serialize)]
struct Metadata<'r> {
    user_id: &'r str,
}

#[derive(Default, Serialize)]
struct Sampling {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
}

/// Writes `request` as the body of `POST /v1/messages`.
///
/// # Errors
/// What Anthropic cannot be told: several choices, probabilities of words, JSON without a schema,
/// sounds, media of types it does not take, names of tools it does not take, a tool that must be
/// called while there is none, and an answer that ends at white space.
pub fn write(request: &Request<'_>, defaults: &Defaults) -> Result<Written, Refused> {
    refuse(request)?;
    let mut dropped = Dropped::default();
    let limit = request.limit.unwrap_or(defaults.max_tokens);
    let (system, tools_cached) = blocks::instructions(&request.instructions)?;
    let turns = Turns::of(request, &mut dropped)?;
    let thought = thinking::decide(request, defaults, limit, &turns, &mut dropped);
    let turns = match thought.is_off {
        true => turns.without_thoughts(),
        false => turns,
    };
    let user = request.user.as_deref();
    dropped.note("user", user.is_some_and(|user| !is_opaque(user)));
    let body = Body {
        model: &request.model,
        max_tokens: limit,
        system,
        messages: turns.into_inner(),
        tools: tools::define(&request.tools, tools_cached)?,
        tool_choice: tools::choice(request),
        thinking: thought.config,
        output_config: output(request, &thought, &mut dropped),
        metadata: user
            .filter(|user| is_opaque(user))
            .map(|user_id| Metadata { user_id }),
        stop_sequences: &request.stop,
        sampling: sampling(request, defaults, thought.is_on(), &mut dropped),
        stream: request.stream,
    };
    if body.messages.is_empty() {
        return Err(turns::nothing());
    }
    let body = serde_json::to_vec(&body).expect("text and numbers always serialise");
    Ok(Written {
        body,
        dropped: dropped.into_names(),
    })
}

fn refuse(request: &Request<'_>) -> Result<(), Refused> {
    let calls = matches!(request.choose, Some(Choose::Any | Choose::Tool(_)));
    let blank = |text: &Cow<'_, str>| text.trim().is_empty();
    let refused = if request.choices > 1 {
        ("n", "gives one answer at a time")
    } else if request.logprobs.is_some() {
        ("logprobs", "tells no probabilities of words")
    } else if request.format == Format::Json {
        (
            "response_format",
            "answers in JSON by a schema only: name one",
        )
    } else if calls && request.tools.is_empty() {
        ("tool_choice", "cannot call a tool when there is none")
    } else if request.stop.iter().any(blank) {
        ("stop", "ends no answer at white space")
    } else {
        return Ok(());
    };
    Err(Refused::new(refused.0, refused.1))
}

fn output<'r>(
    request: &'r Request<'_>,
    thought: &Decided,
    dropped: &mut Dropped,
) -> Option<Output<'r>> {
    let format = match &request.format {
        Format::Schema {
            schema,
            description,
            ..
        } => {
            // Its name is a label only, and goes without saying.
            dropped.note("response_format.description", description.is_some());
            Some(Schema {
                sort: "json_schema",
                schema,
            })
        }
        Format::Text | Format::Json => None,
    };
    let effort = thought.effort;
    (format.is_some() || effort.is_some()).then_some(Output { effort, format })
}

/// Anthropic asks for no name, address or number of a person, and refuses what looks like one.
fn is_opaque(user: &str) -> bool {
    let is_number = user.len() >= 7
        && user
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b" +-()".contains(&byte));
    user.len() <= 256 && !user.contains('@') && !is_number
}

fn sampling(
    request: &Request<'_>,
    defaults: &Defaults,
    thinks: bool,
    dropped: &mut Dropped,
) -> Sampling {
    let given = &request.sampling;
    dropped.note("frequency_penalty", given.frequency_penalty.is_some());
    dropped.note("presence_penalty", given.presence_penalty.is_some());
    dropped.note("seed", given.seed.is_some());
    dropped.note("logit_bias", given.logit_bias.is_some());
    // A model that thinks takes the default temperature, and a top_p near its own.
    let temperature = given
        .temperature
        .filter(|heat| defaults.sampling && (!thinks || *heat == 1.0));
    let top_p = given.top_p.filter(|top_p| {
        // Models since Claude Opus 4.1 take one of the two.
        defaults.sampling && temperature.is_none() && (!thinks || (0.95..=1.0).contains(top_p))
    });
    let top_k = given.top_k.filter(|_| defaults.sampling && !thinks);
    dropped.note("temperature", given.temperature != temperature);
    dropped.note(
        "temperature above 1",
        temperature.is_some_and(|heat| heat > 1.0),
    );
    dropped.note("top_p", given.top_p != top_p);
    dropped.note("top_k", given.top_k != top_k);
    Sampling {
        temperature: temperature.map(|heat| heat.min(1.0)),
        top_p,
        top_k,
    }
}
