//! How the answer is to be: `GenerationConfig`, written.

use std::borrow::Cow;

use serde::Serialize;

use crate::gemini::model::{Generation, is_flash};
use crate::llm::loss::Dropped;
use crate::llm::{Effort, Format, Json, Reasoning, Refused, Request};

/// How many texts to end at both APIs take.
const MAX_STOP: usize = 5;
/// The largest budget of the small models of generation 2.5.
const MAX_FLASH_BUDGET: u64 = 24_576;

/// `GenerationConfig`.
#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options<'w> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'w [Cow<'w, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'w Json<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking>,
}

/// `ThinkingConfig`: a budget or a level, never both.
#[derive(Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

impl Options<'_> {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What `request` asks of the answer.
///
/// # Errors
/// If it asks for an end at more texts than the APIs take.
pub(super) fn of<'w>(
    request: &'w Request<'w>,
    dropped: &mut Dropped,
) -> Result<Options<'w>, Refused> {
    if request.stop.len() > MAX_STOP {
        return Err(Refused::new("stop", "ends at one of five texts at most"));
    }
    let sampling = &request.sampling;
    dropped.note("logit_bias", sampling.logit_bias.is_some());
    // The APIs count seeds in 32 bits.
    let seed = sampling.seed.and_then(|seed| i32::try_from(seed).ok());
    dropped.note("seed", sampling.seed.is_some() && seed.is_none());
    let (response_mime_type, response_json_schema) = match &request.format {
        Format::Text => (None, None),
        Format::Json => (Some("application/json"), None),
        Format::Schema {
            description,
            schema,
            ..
        } => {
            dropped.note("response_format.description", description.is_some());
            (Some("application/json"), Some(schema))
        }
    };
    Ok(Options {
        stop_sequences: &request.stop,
        candidate_count: Some(request.choices).filter(|choices| *choices > 1),
        // And lengths as well: a limit beyond them is none.
        max_output_tokens: request.limit.map(|limit| limit.min(i32::MAX as u64)),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        seed,
        response_mime_type,
        response_json_schema,
        thinking_config: thinking(request, dropped),
    })
}

fn thinking(request: &Request<'_>, dropped: &mut Dropped) -> Option<Thinking> {
    let reasoning = request.reasoning?;
    let generation = Generation::of(&request.model);
    if !generation.thinks() {
        dropped.note("reasoning", reasoning != Reasoning::Off);
        return None;
    }
    let is_flash = is_flash(&request.model);
    // Generation 3 always thinks: off is as little as the model can.
    dropped.note(
        "reasoning",
        generation.is_third() && reasoning == Reasoning::Off,
    );
    let (budget, level) = match reasoning {
        Reasoning::Off if generation.is_third() => (None, Some(level(Effort::Minimal, is_flash))),
        Reasoning::Off => (Some(0), None),
        Reasoning::Effort(effort) if generation.is_third() => (None, Some(level(effort, is_flash))),
        Reasoning::Effort(effort) => {
            let most = if is_flash { MAX_FLASH_BUDGET } else { u64::MAX };
            (Some(effort.budget().min(most)), None)
        }
        // Generation 3 takes budgets still.
        Reasoning::Budget(tokens) => (Some(tokens), None),
        Reasoning::Adaptive if generation.is_third() => (None, None),
        Reasoning::Adaptive => {
            return Some(Thinking {
                include_thoughts: Some(true),
                thinking_budget: Some(-1),
                thinking_level: None,
            });
        }
    };
    Some(Thinking {
        include_thoughts: (reasoning != Reasoning::Off).then_some(true),
        thinking_budget: budget.map(|tokens| i64::from(i32::try_from(tokens).unwrap_or(i32::MAX))),
        thinking_level: level,
    })
}

const fn level(effort: Effort, is_flash: bool) -> &'static str {
    match effort {
        // Only the small models can think as little as that.
        Effort::Minimal if is_flash => "MINIMAL",
        Effort::Minimal | Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::High | Effort::Max => "HIGH",
    }
}
