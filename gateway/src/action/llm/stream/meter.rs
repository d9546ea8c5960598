//! What a stream has used so far, and whether there is room for more.
//!
//! Every byte of output may be a token until it is counted. Only where that bound comes near what
//! is reserved is the text counted, and only where the count does is more reserved. Where no more
//! is to be had, what is reserved is used up to the last token, and then the stream ends.

use weir_protocols::llm::{Event, Finish, Usage};

use super::cut::Cut;
use crate::action::llm::budget::Budget;
use crate::action::llm::count::{self, Tally};
use crate::action::llm::note;
use crate::proxy::Request;

/// The least that is reserved at a time, in tokens.
const STEP: u64 = 256;
/// More is reserved when no more than this is left, so that few streams have to wait for it.
const MARGIN: u64 = STEP / 4;
/// Text of more bytes than this is counted whether or not that decides anything, so that it need
/// not be kept.
const LONGEST_UNCOUNTED: usize = 64 << 10;

/// The meter of one stream.
pub(in crate::action::llm) struct Meter<'b, 'a> {
    budget: &'b mut Budget<'a>,
    tally: Tally,
    /// Tokens of output, as of the last count or report.
    counted: u64,
    /// An output that may be more than this is looked at.
    unseen: u64,
    /// The report the provider made last, if no output came after it.
    told: Option<Usage>,
    /// Bytes not counted here that a report covers.
    covered: usize,
    /// Each choice seen, and why it ended, if it did.
    choices: Vec<Choice>,
    asked: u64,
}

struct Choice {
    index: u64,
    ended: bool,
    /// As long as the model wanted it.
    whole: bool,
}

/// What becomes of the event that was last taken in.
pub(super) enum Verdict {
    /// It goes on.
    Passes,
    /// It is the last that does.
    Last(Cut),
    /// It does not.
    Stops(Cut),
}

/// Choices beyond so many are not told apart.
const MOST_CHOICES: usize = 128;

impl<'b, 'a> Meter<'b, 'a> {
    /// Of a stream of so many `choices`.
    pub(in crate::action::llm) fn new(budget: &'b mut Budget<'a>, choices: u64) -> Self {
        let mut meter = Self {
            tally: Tally::of(budget.prompt.model),
            budget,
            counted: 0,
            unseen: 0,
            told: None,
            covered: 0,
            choices: Vec::new(),
            asked: choices,
        };
        meter.unseen = meter.comfortable();
        meter
    }

    /// Takes in an event.
    pub(super) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Usage(usage) => self.report(*usage),
            Event::Finish { choice, reason, .. } => self.choice(*choice, Some(*reason)),
            _ => {
                let Some((place, text)) = count::added(event) else {
                    return;
                };
                self.choice(place.choice, None);
                if !text.is_empty() {
                    self.tally.add(place, text);
                    self.told = None;
                }
            }
        }
    }

    /// Takes in what the provider reports, of everything so far.
    fn report(&mut self, usage: Usage) {
        self.counted = self.counted.max(usage.output);
        self.covered = self.tally.uncounted();
        self.told = Some(usage);
    }

    /// Whether what was taken in has to be judged: seldom, because waiting for a verdict is dear.
    pub(super) fn is_due(&self) -> bool {
        self.told.is_some() && self.is_over()
            || self.most() > self.unseen
            || self.tally.uncounted() > LONGEST_UNCOUNTED
    }

    /// Judges what was taken in.
    pub(super) async fn judge(&mut self, request: &mut Request) -> Verdict {
        if let Some(told) = self.told.filter(|_| self.is_over()) {
            // Tokens that nobody saw, as those of reasoning: what was allowed of them is no debt
            // where there is room.
            let most = self.budget.allowed.unwrap_or(u64::MAX);
            let to = told.output.min(most);
            let _ = self.budget.grow(request, to).await;
            return Verdict::Passes;
        }
        if self.most() > self.unseen || self.tally.uncounted() > LONGEST_UNCOUNTED {
            if self.told.is_none() {
                self.count().await;
            }
            return self.room(request).await;
        }
        Verdict::Passes
    }

    /// Has room for what was counted, if there is any.
    async fn room(&mut self, request: &mut Request) -> Verdict {
        while self.counted > self.unseen {
            let refused = match self.budget.grow(request, self.next()).await {
                Ok(()) => {
                    self.unseen = self.comfortable();
                    continue;
                }
                Err(refused) => refused,
            };
            if !self.budget.ends() {
                self.unseen = self.counted.saturating_add(STEP);
                break;
            }
            let (used, reserved) = (self.counted, self.budget.output);
            let full = used > reserved || used == reserved && self.budget.may_grow();
            if full && !self.is_over() {
                let cut = Cut::new(&refused);
                return match used > reserved {
                    true => Verdict::Stops(cut),
                    false => Verdict::Last(cut),
                };
            }
            // It is tried once more before the end: others may have given something back.
            self.unseen = match self.budget.may_grow() {
                true => reserved.saturating_sub(1).max(used),
                false => reserved.max(used),
            };
        }
        Verdict::Passes
    }

    /// How much output is next to be reserved for.
    fn next(&self) -> u64 {
        let reserved = self.budget.output;
        let next = reserved.saturating_add(STEP.max(reserved / 4));
        let next = next.max(self.counted.saturating_add(MARGIN));
        match self.budget.allowed {
            Some(allowed) if allowed > reserved.max(self.counted) => next.min(allowed),
            _ => next,
        }
    }

    /// Up to where an output is far from what is reserved, or will not come to more.
    fn comfortable(&self) -> u64 {
        match self.budget.may_grow() {
            true => self.budget.output.saturating_sub(MARGIN),
            false => self.budget.output,
        }
    }

    /// The most tokens that the output can be.
    pub(super) fn most(&self) -> u64 {
        let unknown = self.tally.uncounted().saturating_sub(self.covered);
        self.counted.saturating_add(unknown as u64)
    }

    async fn count(&mut self) {
        let most = self.most();
        // What cannot be counted is as much as it can be.
        let counted = self.tally.count().await.unwrap_or(most);
        self.counted = self.counted.max(counted);
        self.covered = 0;
    }

    /// Writes down what was used, if it were over now.
    pub(super) fn note(&self, request: &mut Request) {
        match &self.told {
            Some(usage) => note::told(request, usage),
            None => note::estimated(request, self.budget.prompt.tokens, self.most()),
        }
    }

    /// Counts and writes down what was used, now that it is over, unless the provider said so.
    /// Returns the tokens of the prompt and of the output.
    pub(super) async fn settle(&mut self, request: &mut Request) -> (u64, u64) {
        if let Some(usage) = &self.told {
            note::told(request, usage);
            return (usage.input, usage.output);
        }
        self.count().await;
        self.budget.prompt.count().await;
        let used = (self.budget.prompt.tokens, self.counted);
        note::counted(request, used.0, used.1);
        used
    }

    /// Learns from a stream that ended by itself.
    pub(super) fn learn(&self, request: &Request) {
        if self.is_over() && self.choices.iter().all(|choice| choice.whole) {
            note::learn(request, self.asked);
        }
    }

    fn choice(&mut self, index: u64, reason: Option<Finish>) {
        let ended = reason.is_some();
        let whole = reason.is_some_and(Finish::is_whole);
        if let Some(choice) = self.choices.iter_mut().find(|c| c.index == index) {
            choice.whole |= whole && !choice.ended;
            choice.ended |= ended;
        } else if self.choices.len() < MOST_CHOICES {
            self.choices.push(Choice {
                index,
                ended,
                whole,
            });
        }
    }

    /// Whether every choice ended.
    fn is_over(&self) -> bool {
        let ended = self.choices.iter().filter(|choice| choice.ended).count();
        ended as u64 >= self.asked
    }

    /// The choices that did not end, those of which nothing came included.
    pub(super) fn unended(&self) -> Vec<u64> {
        let asked = 0..self.asked.min(MOST_CHOICES as u64);
        let seen = self.choices.iter().map(|choice| choice.index);
        let mut all: Vec<u64> = asked.chain(seen).collect();
        all.sort_unstable();
        all.dedup();
        all.retain(|index| !self.choices.iter().any(|c| c.index == *index && c.ended));
        all
    }
}
