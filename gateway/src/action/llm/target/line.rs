//! Who is asked first, and who next: by the model's strategy, those set aside last.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use smallvec::SmallVec;
use weir_protocols::llm::prompt::Prompt;

use super::clock;
use super::turn::{Passed, Turn};
use crate::action::llm::ask::Asked;
use crate::action::llm::count;
use crate::action::llm::model::{Model, Strategy, Target};
use crate::price::Tokens;
use crate::upstream;

/// An answer that nobody limits is taken to be so long, in tokens.
const USUAL: u64 = 256;
/// A token is taken to be so many bytes of text. It is only an estimate: nothing is charged by it.
const TOKEN: u64 = 4;

/// What a call is taken to come to, in tokens.
#[derive(Debug, Clone, Copy)]
pub(in crate::action::llm) struct Expected {
    prompt: u64,
    output: u64,
    stream: bool,
}

impl Expected {
    /// Of a call; nothing is measured unless the model's targets differ by it.
    pub(in crate::action::llm) fn of(asked: &Asked<'_>, model: &Model) -> Self {
        let matters = matches!(model.strategy, Strategy::LeastCost)
            || model.targets.iter().any(|target| target.limits.any());
        let size = |prompt: &dyn Prompt| count::bound(prompt, &model.targets[0].model) / TOKEN;
        let each = asked.limit().unwrap_or(USUAL);
        Self {
            prompt: if matters { size(asked.prompt()) } else { 0 },
            output: each.saturating_mul(asked.choices()),
            stream: asked.stream(),
        }
    }

    fn tokens(&self) -> u32 {
        u32::try_from(self.prompt.saturating_add(self.output)).unwrap_or(u32::MAX)
    }

    fn cost(&self, target: &Target, now: SystemTime) -> Option<u64> {
        let tokens = Tokens {
            input: self.prompt,
            output: self.output,
            ..Tokens::default()
        };
        Some(target.prices.price(now)?.cost(&tokens))
    }
}

/// The targets that were not asked yet, by whom is asked first.
pub(in crate::action::llm) struct Line<'m> {
    left: SmallVec<[&'m Target; 4]>,
    expected: Expected,
    /// The shortest time until one that was passed over may have room.
    full: Option<Duration>,
}

impl<'m> Line<'m> {
    /// All targets of a model.
    pub(in crate::action::llm) fn new(model: &'m Model, expected: Expected) -> Self {
        Self {
            left: order(model, &expected),
            expected,
            full: None,
        }
    }

    /// Whose turn it is next. Who is at its limit is passed over.
    pub(in crate::action::llm) fn next(&mut self) -> Option<Turn<'m>> {
        let begin = Turn::begin as fn(&'m Target, u32, u64) -> Result<Turn<'m>, Passed>;
        self.find(begin)
            .or_else(|| self.find(Turn::begin_anyway as fn(_, _, _) -> _))
    }

    /// Another turn of one that had its own, unless it is at its limit.
    pub(in crate::action::llm) fn again(&self, target: &'m Target) -> Option<Turn<'m>> {
        Turn::begin_anyway(target, self.expected.tokens(), clock::now()).ok()
    }

    /// Whether somebody is left.
    pub(in crate::action::llm) fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// The shortest time until one that was passed over may have room, if any was.
    pub(in crate::action::llm) const fn full(&self) -> Option<Duration> {
        self.full
    }

    fn find(
        &mut self,
        begin: fn(&'m Target, u32, u64) -> Result<Turn<'m>, Passed>,
    ) -> Option<Turn<'m>> {
        let (tokens, now) = (self.expected.tokens(), clock::now());
        let mut at = 0;
        while at < self.left.len() {
            match begin(self.left[at], tokens, now) {
                Ok(turn) => {
                    self.left.remove(at);
                    return Some(turn);
                }
                Err(Passed::Aside) => at += 1,
                Err(Passed::Full(wait)) => {
                    self.left.remove(at);
                    self.full = Some(self.full.map_or(wait, |full| full.min(wait)));
                }
            }
        }
        None
    }
}

/// The targets by whom the strategy asks first; equals stay in the order written.
fn order<'m>(model: &'m Model, expected: &Expected) -> SmallVec<[&'m Target; 4]> {
    let mut all: SmallVec<[&Target; 4]> = model.targets.iter().collect();
    match &model.strategy {
        Strategy::Fallback => {}
        Strategy::Weighted { weights, turn } => {
            let first = upstream::pick_weighted(weights, turn).unwrap_or(0);
            all[..=first].rotate_right(1);
        }
        Strategy::LeastLatency => {
            let (stream, now) = (expected.stream, clock::now());
            let due = |target: &&Target| target.standing.pace.is_due(stream, now);
            let explored = all.iter().position(due);
            if let Some(explored) = explored {
                all[..=explored].rotate_right(1);
            }
            let known = usize::from(explored.is_some());
            all[known..].sort_by_key(|target| target.standing.pace.expected(stream));
        }
        Strategy::LeastCost => {
            let now = SystemTime::now();
            all.sort_by_cached_key(|target| {
                let cost = expected.cost(target, now);
                (Reverse(cost.is_some()), cost)
            });
        }
    }
    all
}
