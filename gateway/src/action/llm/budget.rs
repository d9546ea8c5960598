//! What is reserved for one call, and how more is got for its answer while it flows.
//!
//! Amounts are tokens of all choices together. Bytes bound a prompt from above and cost nothing to
//! count; exactly it is counted, once, when that bound stands in the way.

use weir_protocols::llm::prompt::Prompt as Asked;

use super::{count, spend};
use crate::policy::quota;
use crate::price::Price;
use crate::proxy::Request;
use crate::quota::{Amounts, OnExhausted, Refused, Unit};

/// What a call's prompt comes to.
pub(super) struct Prompt<'a> {
    asked: &'a dyn Asked,
    /// The provider's name for the model.
    pub(super) model: &'a str,
    /// The most tokens that it can be.
    pub(super) tokens: u64,
    counted: bool,
}

impl<'a> Prompt<'a> {
    pub(super) fn new(asked: &'a dyn Asked, model: &'a str) -> Self {
        Self {
            asked,
            model,
            tokens: count::bound(asked, model),
            counted: false,
        }
    }

    /// Counts it, unless that was done; whether that made it less.
    pub(super) async fn count(&mut self) -> bool {
        if self.counted {
            return false;
        }
        let bound = self.tokens;
        self.tokens = count::exact(self.asked, self.model).await;
        self.counted = true;
        self.tokens < bound
    }
}

/// What is reserved for a call whose answer is counted.
pub(super) struct Budget<'a> {
    pub(super) prompt: Prompt<'a>,
    price: Option<Price>,
    /// What becomes of an answer for which there is no room; `None`: nothing.
    pub(super) on_exhausted: Option<OnExhausted>,
    /// What is reserved for the answer.
    pub(super) output: u64,
    /// What the provider was told to keep to, or the caller told it; `None`: nothing.
    pub(super) allowed: Option<u64>,
    /// What is reserved in all.
    held: Amounts,
}

impl<'a> Budget<'a> {
    /// What was just reserved: the prompt and so much output.
    pub(super) fn new(
        request: &Request,
        prompt: Prompt<'a>,
        output: u64,
        on_exhausted: Option<OnExhausted>,
    ) -> Self {
        let price = request.price;
        Self {
            held: spend::bound(price.as_ref(), prompt.tokens, output),
            prompt,
            price,
            on_exhausted,
            output,
            allowed: None,
        }
    }

    /// What was reserved since it was so much.
    pub(super) fn grown(&self, from: &Amounts) -> Amounts {
        spend::beyond(&self.held, from)
    }

    /// Whether an answer ends where no more is to be had for it.
    pub(super) const fn ends(&self) -> bool {
        matches!(
            self.on_exhausted,
            Some(OnExhausted::Refuse | OnExhausted::Cut)
        )
    }

    /// Whether the answer may come to more than what is reserved for it.
    pub(super) fn may_grow(&self) -> bool {
        self.allowed.is_none_or(|allowed| allowed > self.output)
    }

    /// Reserves output up to `to`, or as near to that as there is room.
    ///
    /// # Errors
    /// If there is room for no more than what is reserved.
    pub(super) async fn grow(&mut self, request: &mut Request, to: u64) -> Result<(), Refused> {
        let mut next = to;
        while next > self.output {
            let all = spend::bound(self.price.as_ref(), self.prompt.tokens, next);
            let more = spend::beyond(&all, &self.held);
            let refused = match quota::top_up(request, &more).await {
                Ok(()) => {
                    // Of what the prompt turned out not to need, some may be left.
                    self.held = spend::sum(&self.held, &more);
                    self.output = next;
                    return Ok(());
                }
                Err(refused) => refused,
            };
            if depends_on_tokens(&refused) && self.prompt.count().await {
                continue;
            }
            match self.room(&refused) {
                Some(room) if room.min(next - 1) > self.output => next = room.min(next - 1),
                _ => return Err(refused),
            }
        }
        Ok(())
    }

    /// The most output for which the quota that refused has room.
    fn room(&self, refused: &Refused) -> Option<u64> {
        let Refused::Exhausted(refusal) = refused else {
            return None;
        };
        self.within(refusal.quota.unit, refusal.remaining)
    }

    /// The most output for which there was room when something was last reserved.
    pub(super) fn fits(&self, request: &Request) -> u64 {
        let each = quota::left(request).filter_map(|(unit, left)| self.within(unit, left));
        each.min().unwrap_or(u64::MAX).max(self.output)
    }

    fn within(&self, unit: Unit, left: u64) -> Option<u64> {
        let all = left.saturating_add(self.held.get(unit));
        spend::output_within(self.price.as_ref(), unit, all, self.prompt.tokens)
    }

    /// Whether so much output is next to nothing beside what is left: an eighth at most of any.
    pub(super) fn is_little(&self, request: &Request, to: u64) -> bool {
        let all = spend::bound(self.price.as_ref(), self.prompt.tokens, to);
        let more = spend::beyond(&all, &self.held);
        quota::left(request).all(|(unit, left)| left / 8 >= more.get(unit))
    }
}

/// Whether counting the prompt exactly could change the verdict.
pub(super) fn depends_on_tokens(refused: &Refused) -> bool {
    match refused {
        Refused::Exhausted(refusal) => refusal.quota.unit.depends_on_tokens(),
        Refused::Unavailable(_) => false,
    }
}
