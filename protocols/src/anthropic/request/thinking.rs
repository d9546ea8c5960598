//! Decides how a model is told to think, by the published rules:
//!
//! - A model that thinks is not forced to call a tool; forcing one changes the answer and thinking
//!   tunes it, so thinking is left out.
//! - A budget is at least 1,024 tokens and less than the limit.
//! - With a budget, a turn that calls tools must have begun with a thought that the provider
//!   signed. Models that think adaptively ask for none.

use serde::Serialize;

use super::turns::Turns;
use super::write::{Defaults, Thinking};
use crate::llm::loss::Dropped;
use crate::llm::{Choose, Effort, Reasoning, Request};

/// The least budget there is, in tokens.
const LEAST: u64 = 1_024;

/// `thinking`, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Config {
    Enabled { budget_tokens: u64 },
    Adaptive,
    Disabled,
}

/// What is written about thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) config: Option<Config>,
    /// `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// Whether it is certain that the model does not think.
    pub(super) is_off: bool,
}

impl Decided {
    /// Whether it is certain that the model thinks.
    pub(super) const fn is_on(&self) -> bool {
        matches!(self.config, Some(Config::Enabled { .. } | Config::Adaptive))
    }
}

/// Decides about `request`, whose answer may have `limit` tokens.
pub(super) fn decide(
    request: &Request<'_>,
    defaults: &Defaults,
    limit: u64,
    turns: &Turns<'_>,
    dropped: &mut Dropped,
) -> Decided {
    let forced = matches!(request.choose, Some(Choose::Any | Choose::Tool(_)));
    match defaults.thinking {
        Thinking::Adaptive => {
            let decided = adaptive(request.reasoning);
            let conflict = forced && decided.is_on();
            dropped.note("reasoning", conflict);
            Decided {
                config: decided.config.filter(|_| !conflict),
                ..decided
            }
        }
        Thinking::Budget => {
            let wanted = request.reasoning.and_then(wanted);
            let budget = wanted
                .and_then(|wanted| wanted.fit(limit, dropped))
                .filter(|_| !forced && !turns.calls_without_thought());
            dropped.note("reasoning", wanted.is_some() && budget.is_none());
            Decided {
                config: budget.map(|budget_tokens| Config::Enabled { budget_tokens }),
                effort: None,
                is_off: budget.is_none(),
            }
        }
    }
}

fn adaptive(reasoning: Option<Reasoning>) -> Decided {
    let Some(reasoning) = reasoning else {
        return Decided::default();
    };
    let effort = match reasoning {
        Reasoning::Effort(effort) => Some(effort),
        Reasoning::Budget(tokens) => Some(Effort::of_budget(tokens)),
        Reasoning::Adaptive | Reasoning::Off => None,
    };
    let is_off = reasoning == Reasoning::Off;
    Decided {
        config: Some(match is_off {
            true => Config::Disabled,
            false => Config::Adaptive,
        }),
        effort: effort.map(word),
        is_off,
    }
}

const fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "max",
    }
}

/// A budget that is asked for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    tokens: u64,
    /// Whether the caller named the number, rather than an effort that it stands for.
    is_exact: bool,
}

/// `None` if the model is not to think, which models with budgets do not unless told to.
const fn wanted(reasoning: Reasoning) -> Option<Wanted> {
    let (tokens, is_exact) = match reasoning {
        Reasoning::Off => return None,
        Reasoning::Budget(tokens) => (tokens, true),
        Reasoning::Effort(effort) => (effort.budget(), false),
        Reasoning::Adaptive => (Effort::Medium.budget(), false),
    };
    Some(Wanted { tokens, is_exact })
}

impl Wanted {
    /// The budget within `limit`. One that does not fit, or that an effort stands for, leaves a
    /// quarter of the limit to the answer.
    fn fit(self, limit: u64, dropped: &mut Dropped) -> Option<u64> {
        if self.is_exact && self.tokens < limit {
            return Some(self.tokens.max(LEAST)).filter(|budget| *budget < limit);
        }
        let room = limit - limit / 4;
        let budget = self.tokens.min(room);
        let fits = (LEAST..limit).contains(&budget);
        dropped.note("reasoning above the limit", self.is_exact && fits);
        fits.then_some(budget)
    }
}
