//! How much a call may use at most, and setting it aside before it goes upstream.
//!
//! The bound is the prompt and the answer. The caller's own limit on the answer is never made
//! smaller, unless a quota says `cut` or `finish`; where the caller set none, it is Weir's:
//!
//! | `on_exhausted` | Reserved at first, per choice | Told to the provider |
//! |---|---|---|
//! | `refuse`, with a limit | the limit | the limit |
//! | `refuse`, none | what is [`learned`], or less, but not under 16 | whole: what is reserved; stream: 4096, or what fits |
//! | `cut`, whole | the limit or 4096, or what fits, but not under 16 | what is reserved |
//! | `cut`, stream | 256, or less, but not under 16 | what fits, if less than the limit or 4096 |
//! | `finish`, whole | the limit or what is learned, or less, but not under 16 | nothing |
//! | `finish`, stream | as `cut` | nothing |
//!
//! Whole answers that nobody limited are reserved up to 4096 where that is little beside what is
//! left, so that only want of room ends one at a guess. Streams are reserved anew as they flow, by
//! [`Meter`](super::stream::Meter). A quota that is not enforced takes part as one that says `finish`.
//!
//! Each target is reserved for before it is called, at its own price. What quotas by provider hold
//! for one that failed is settled then, at what it cost; the others add what the next may cost more.

use std::ptr;
use std::sync::Arc;

use http::HeaderMap;

use super::ask::Asked;
use super::budget::{Budget, Prompt, depends_on_tokens};
use super::model::{Model, Target};
use super::{learned, spend};
use crate::error::GatewayError;
use crate::policy::quota::{self, Bound, Outlook, Quotas, Usage};
use crate::proxy::Request;
use crate::quota::{Amounts, By, OnExhausted, Refused, Unit};

/// The most that is set aside for an answer which nobody limits, in tokens per choice.
const DEFAULT_OUTPUT: u64 = learned::CEILING;
/// Less room than this for an answer is none, unless the caller wants less.
const LEAST_OUTPUT: u64 = 16;
/// What is set aside for a stream that may be reserved anew as it flows.
const FIRST_OUTPUT: u64 = 256;

/// More than any answer comes to, in tokens of all its choices, and so little that sums of it stay
/// numbers: callers may ask for a quintillion choices.
const LARGEST_OUTPUT: u64 = 1 << 32;

/// The output of all choices, each of which comes to `each`.
fn total(each: u64, choices: u64) -> u64 {
    each.saturating_mul(choices).min(LARGEST_OUTPUT)
}

/// What a call may do, at one target after another.
#[derive(Default)]
pub(super) struct Grant<'a> {
    /// The limit on output per choice that must go upstream with it, so that what is reserved
    /// cannot be exceeded.
    pub(super) limit: Option<u64>,
    /// What is reserved, if the answer is counted.
    pub(super) budget: Option<Budget<'a>>,
    /// What counts it; `None` if nothing waited for a target.
    quotas: Option<Arc<Quotas>>,
    /// Whom it was reserved for last.
    target: Option<&'a Target>,
    /// What is reserved for it, and what quotas that do not count by provider may hold beyond that,
    /// since a dearer target failed.
    entered: Amounts,
    kept: Amounts,
}

/// Why a call was not let in to one target.
pub(super) struct Refusal {
    /// What the caller is told if it is to none.
    pub(super) error: GatewayError,
    /// Whether it is about this target: another may be let in.
    pub(super) of_target: bool,
}

impl<'a> Grant<'a> {
    /// Of a call that nothing is reserved for yet.
    pub(super) fn of(request: &mut Request) -> Self {
        Self {
            quotas: request.deferred_quotas.take(),
            ..Self::default()
        }
    }

    /// Whether something is reserved, and of another provider than this target's.
    pub(super) fn is_of_another(&self, target: &Target) -> bool {
        self.target
            .is_some_and(|other| other.provider.name != target.provider.name)
    }

    /// Reserves what the call may use of `target`, at its price; nothing, if that is done. What was
    /// reserved for another provider is settled at `cost`, or in full if nobody knows.
    pub(super) async fn enter(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
        (asked, model): (&'a Asked<'a>, &Model),
        target: &'a Target,
        cost: Option<Usage>,
    ) -> Result<(), Refusal> {
        let Some(quotas) = self.quotas.clone() else {
            return Ok(());
        };
        if self.target.is_some_and(|other| ptr::eq(other, target)) {
            return Ok(());
        }
        let who = Bound {
            model: Some(&model.name),
            provider: Some(&target.provider.name),
            ..Bound::default()
        };
        let outlook = quotas.outlook(request, who);
        let mut plan = Plan::of(request, outlook, asked, model);
        if let Some(budget) = &self.budget {
            // As much as was to be had already.
            plan.first = plan.first.max(budget.output / asked.choices());
        }
        let mut call = Call {
            quotas: &quotas,
            headers,
            who,
            choices: asked.choices(),
            prompt: Prompt::new(asked.prompt(), &target.model),
            before: self.before(cost),
        };
        let output = call.begin(request, &plan).await;
        let output = output.map_err(|refused| Refusal {
            of_target: is_of_target(&refused),
            error: quotas.refused(&refused),
        })?;
        let all = total(output, asked.choices());
        self.entered = spend::bound(request.price.as_ref(), call.prompt.tokens, all);
        let kept = call.before.map(|before| before.kept);
        self.kept = spend::most(&kept.unwrap_or_default(), &self.entered);
        self.target = Some(target);
        if !outlook.counted {
            return Ok(());
        }
        let mut budget = Budget::new(request, call.prompt, all, outlook.on_exhausted);
        self.limit = plan.limit(request, &mut budget, asked.choices()).await;
        let told = self.limit.into_iter().chain(plan.wanted).min();
        budget.allowed = told.map(|told| total(told, asked.choices()));
        if budget.output > all || kept.is_some() {
            quotas.tell(request);
        }
        self.budget = Some(budget);
        Ok(())
    }

    /// What is held for the target that failed.
    fn before(&self, cost: Option<Usage>) -> Option<Before<'a>> {
        let other = self.target?;
        let budget = self.budget.as_ref();
        let grown = budget.map(|budget| budget.grown(&self.entered));
        Some(Before {
            provider: &other.provider.name,
            kept: spend::sum(&self.kept, &grown.unwrap_or_default()),
            cost,
        })
    }
}

/// Whether a refusal is about whom the call was for: quotas by provider, and prices.
fn is_of_target(refused: &Refused) -> bool {
    let quota = match refused {
        Refused::Exhausted(refusal) => &refusal.quota,
        Refused::Unavailable(unavailable) => &unavailable.quota,
    };
    quota.by.contains(&By::Provider) || quota.unit == Unit::Money
}

/// How a call begins, in tokens per choice.
struct Plan {
    on_exhausted: Option<OnExhausted>,
    stream: bool,
    /// The caller's own limit.
    wanted: Option<u64>,
    first: u64,
    least: u64,
}

impl Plan {
    fn of(request: &Request, outlook: Outlook, asked: &Asked<'_>, model: &Model) -> Self {
        let wanted = asked.limit();
        let on_exhausted = outlook.on_exhausted;
        let learned = || {
            let consumer = request.consumer.as_ref().map(|consumer| &consumer.name);
            request.gateway.learned.bound(consumer, &model.name)
        };
        let first = match (on_exhausted, asked.stream(), wanted) {
            _ if !outlook.counted => 0,
            (Some(OnExhausted::Refuse), _, wanted) => wanted.unwrap_or_else(learned),
            (_, true, wanted) => wanted.unwrap_or(u64::MAX).min(FIRST_OUTPUT),
            (Some(OnExhausted::Cut), false, wanted) => wanted.unwrap_or(DEFAULT_OUTPUT),
            (Some(OnExhausted::Finish) | None, false, wanted) => wanted.unwrap_or_else(learned),
        };
        let least = match (on_exhausted, wanted) {
            (Some(OnExhausted::Refuse), Some(wanted)) => wanted,
            _ => LEAST_OUTPUT.min(first),
        };
        Self {
            on_exhausted,
            stream: asked.stream(),
            wanted,
            first,
            least,
        }
    }

    /// The limit that goes upstream; what is reserved may be made more for it.
    async fn limit(
        &self,
        request: &mut Request,
        budget: &mut Budget<'_>,
        choices: u64,
    ) -> Option<u64> {
        let most = total(DEFAULT_OUTPUT, choices);
        if !self.stream && self.wanted.is_none() && budget.is_little(request, most) {
            // If others were quicker, it stays as it is.
            let _ = budget.grow(request, most).await;
        }
        let reserved = budget.output / choices;
        let ceiling = self.wanted.unwrap_or(DEFAULT_OUTPUT);
        match (self.on_exhausted?, self.stream, self.wanted) {
            (OnExhausted::Finish, _, _) => None,
            (OnExhausted::Refuse, true, None) => {
                Some(ceiling.min(fits(request, budget, choices, ceiling).await))
            }
            (OnExhausted::Cut, true, _) => {
                let fits = fits(request, budget, choices, ceiling).await;
                (fits < ceiling).then_some(fits)
            }
            (OnExhausted::Refuse | OnExhausted::Cut, _, _) => Some(reserved),
        }
    }
}

/// How much output per choice there is room for; exactly, if that is less than `ceiling`.
async fn fits(request: &Request, budget: &mut Budget<'_>, choices: u64, ceiling: u64) -> u64 {
    let fits = budget.fits(request) / choices;
    if fits < ceiling && budget.prompt.count().await {
        return budget.fits(request) / choices;
    }
    fits
}

/// A call that is to be let in.
struct Call<'a, 'q> {
    quotas: &'q Quotas,
    headers: &'q HeaderMap,
    who: Bound<'q>,
    choices: u64,
    prompt: Prompt<'a>,
    /// What is reserved already, if another target failed.
    before: Option<Before<'q>>,
}

/// What a call held when its last target failed.
struct Before<'q> {
    /// Whom quotas by provider hold something of.
    provider: &'q Arc<str>,
    /// What the others hold.
    kept: Amounts,
    /// What that target cost.
    cost: Option<Usage>,
}

impl Call<'_, '_> {
    /// Reserves as planned, or as little less as there is room for; returns how much output per
    /// choice. Each turn leaves less for the answer, so that even a quota others draw from ends
    /// this; and a refusal is about the least that would do.
    async fn begin(&mut self, request: &mut Request, plan: &Plan) -> Result<u64, Refused> {
        let mut output = plan.first;
        loop {
            let refused = match self.reserve(request, output).await {
                Ok(()) => return Ok(output),
                Err(refused) => refused,
            };
            if depends_on_tokens(&refused) && self.prompt.count().await {
                continue;
            }
            match self.room(request, &refused) {
                Some(room) if output > plan.least => output = room.clamp(plan.least, output - 1),
                _ => return Err(refused),
            }
        }
    }

    async fn reserve(&self, request: &mut Request, output: u64) -> Result<(), Refused> {
        let (price, prompt) = (request.price.as_ref(), self.prompt.tokens);
        let bound = Bound {
            amounts: spend::bound(price, prompt, total(output, self.choices)),
            ..self.who
        };
        let (quotas, headers) = (self.quotas, self.headers);
        let Some(before) = &self.before else {
            return quotas.reserve(request, headers, bound).await;
        };
        let more = spend::beyond(&bound.amounts, &before.kept);
        match Some(&**before.provider) == self.who.provider {
            true => quota::add(request, &more).await,
            false => {
                let cost = before.cost;
                quotas.shift(request, headers, bound, &more, cost).await
            }
        }
    }

    /// The output per choice that what is left of the quota that refused has room for.
    fn room(&self, request: &Request, refused: &Refused) -> Option<u64> {
        let Refused::Exhausted(refusal) = refused else {
            return None;
        };
        let (price, unit) = (request.price.as_ref(), refusal.quota.unit);
        let moved = |before: &&Before<'_>| {
            Some(&**before.provider) != self.who.provider
                && refusal.quota.by.contains(&By::Provider)
        };
        let kept = self.before.as_ref().filter(|before| !moved(before));
        let held = kept.map_or(0, |before| before.kept.get(unit));
        let left = refusal.remaining.saturating_add(held);
        let output = spend::output_within(price, unit, left, self.prompt.tokens)?;
        Some(output / self.choices)
    }
}
