//! What Converse has no words for and passes on as it is: how a model thinks, and `top_k`
//! (Amazon Bedrock User Guide, "Extended thinking" and "Adaptive thinking" of Claude; Amazon Nova
//! User Guide, "Extended thinking"; OpenAI's models there).

use super::wire::{Effort as Said, Extra, NovaInference, NovaReasoning, Thinking};
use crate::bedrock::model::{Model, Thinking as Claude};
use crate::llm::loss::Dropped;
use crate::llm::{Choose, Effort, Part, Reasoning, Request, Role};

/// The least budget that Claude takes, in tokens.
const LEAST_BUDGET: u64 = 1024;

/// The fields, if any, and whether the model was told to think.
pub(super) fn fields(
    request: &Request<'_>,
    model: Model,
    dropped: &mut Dropped,
) -> (Option<Extra>, bool) {
    let mut extra = Extra::default();
    let thinks = think(request, model, &mut extra, dropped);
    if let Some(top_k) = request.sampling.top_k {
        match model {
            Model::Claude(_) if model.samples() && !thinks => extra.top_k = Some(top_k),
            Model::Nova { .. } => extra.inference_config = Some(NovaInference { top_k }),
            _ => dropped.note("top_k", true),
        }
    }
    let says = extra != Extra::default();
    (says.then_some(extra), thinks)
}

/// Says how to think. Gives whether the model was told to.
fn think(request: &Request<'_>, model: Model, extra: &mut Extra, dropped: &mut Dropped) -> bool {
    let Some(reasoning) = request.reasoning else {
        return false;
    };
    match model {
        Model::Claude(claude) => return think_claude(request, reasoning, claude, extra, dropped),
        Model::Nova { thinks: true } => {
            extra.reasoning_config = effort(reasoning).map(|effort| NovaReasoning {
                kind: "enabled",
                max_reasoning_effort: nova(effort, request, dropped),
            });
        }
        Model::GptOss => {
            // It always thinks: `Off` has no word.
            extra.reasoning_effort = effort(reasoning).map(plain);
            dropped.note("reasoning", reasoning == Reasoning::Off);
        }
        Model::Nova { thinks: false } | Model::Other => {
            // Those that think cannot be told how, and the others do not in any case.
            dropped.note("reasoning", true);
        }
    }
    extra.reasoning_config.is_some() || extra.reasoning_effort.is_some()
}

fn think_claude(
    request: &Request<'_>,
    reasoning: Reasoning,
    claude: Claude,
    extra: &mut Extra,
    dropped: &mut Dropped,
) -> bool {
    let Some(effort) = effort(reasoning) else {
        // The others do not think unless told to, and some refuse to be told not to.
        extra.thinking = (claude == Claude::ByDefault).then_some(Thinking::Disabled);
        return false;
    };
    let forced = matches!(request.choose, Some(Choose::Any | Choose::Tool(_)));
    let thinking = match claude {
        Claude::Never => None,
        _ if forced => None,
        Claude::Budget => {
            let wanted = match reasoning {
                Reasoning::Budget(tokens) => tokens,
                _ => effort.budget(),
            };
            budget(wanted, request)
        }
        _ => Some(Thinking::Adaptive),
    };
    dropped.note("reasoning", thinking.is_none());
    // Without an effort it is as much as the model finds right.
    if thinking == Some(Thinking::Adaptive) && reasoning != Reasoning::Adaptive {
        // Of the first that think so, not all know `max`.
        let most = claude == Claude::Adaptive && effort == Effort::Max;
        dropped.note("reasoning effort above high", most);
        extra.output_config = Some(Said {
            effort: match effort {
                Effort::Max if !most => "max",
                effort => plain(effort),
            },
        });
    }
    extra.thinking = thinking;
    extra.thinking.is_some()
}

/// The budget, made small enough for the limit. `None` if too little is left, or if the calls of
/// the latest turn have no signed thoughts before them, without which they are refused.
fn budget(wanted: u64, request: &Request<'_>) -> Option<Thinking> {
    let most = request
        .limit
        .map_or(u64::MAX, |limit| limit.saturating_sub(1));
    let budget_tokens = wanted.max(LEAST_BUDGET).min(most);
    let fits = budget_tokens >= LEAST_BUDGET && !calls_without_thought(request);
    fits.then_some(Thinking::Enabled { budget_tokens })
}

fn calls_without_thought(request: &Request<'_>) -> bool {
    let turns = request.messages.iter().rev();
    let latest = turns
        .skip_while(|message| message.role == Role::User)
        .take_while(|message| message.role == Role::Assistant);
    let (mut calls, mut thoughts) = (false, false);
    for part in latest.flat_map(|message| &message.parts) {
        match part {
            Part::ToolCall(_) => calls = true,
            Part::Redacted(_)
            | Part::Reasoning {
                signature: Some(_), ..
            } => thoughts = true,
            _ => {}
        }
    }
    calls && !thoughts
}

/// How hard to think; `None`: not at all.
fn effort(reasoning: Reasoning) -> Option<Effort> {
    match reasoning {
        Reasoning::Off => None,
        Reasoning::Effort(effort) => Some(effort),
        Reasoning::Budget(tokens) => Some(Effort::of_budget(tokens)),
        Reasoning::Adaptive => Some(Effort::Medium),
    }
}

/// The three words that all makers know.
const fn plain(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Max => "high",
    }
}

/// Nova takes neither a limit nor sampling beside `high`, and a limit may be a quota's: with either
/// it thinks less hard.
fn nova(effort: Effort, request: &Request<'_>, dropped: &mut Dropped) -> &'static str {
    let sampling = &request.sampling;
    let held = request.limit.is_some()
        || sampling.temperature.is_some()
        || sampling.top_p.is_some()
        || sampling.top_k.is_some();
    let lowered = held && effort > Effort::Medium;
    dropped.note("reasoning effort above medium", lowered);
    if lowered { "medium" } else { plain(effort) }
}
