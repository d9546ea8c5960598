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

use http::HeaderMap;
use weir_protocols::openai::chat;

use super::budget::{Budget, Prompt, depends_on_tokens};
use super::{Model, learned, spend};
use crate::error::GatewayError;
use crate::policy::quota::{Bound, Outlook, Quotas};
use crate::proxy::Request;
use crate::quota::{OnExhausted, Refused};

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

/// What a call may do.
#[derive(Default)]
pub(super) struct Grant<'a> {
    /// The limit on output per choice that must go upstream with it, so that what is reserved
    /// cannot be exceeded.
    pub(super) limit: Option<u64>,
    /// What is reserved, if the answer is counted.
    pub(super) budget: Option<Budget<'a>>,
}

/// Reserves what the call may use.
pub(super) async fn reserve<'a>(
    request: &mut Request,
    headers: &HeaderMap,
    chat: &'a chat::Request<'a>,
    model: &'a Model,
) -> Result<Grant<'a>, GatewayError> {
    let Some(quotas) = request.deferred_quotas.take() else {
        return Ok(Grant::default());
    };
    let who = Bound {
        model: Some(&model.name),
        provider: Some(&model.provider.name),
        ..Bound::default()
    };
    let outlook = quotas.outlook(request, who);
    let plan = Plan::of(request, outlook, chat, model);
    let mut call = Call {
        quotas: &quotas,
        headers,
        who,
        choices: chat.n,
        prompt: Prompt::new(chat, &model.provider_model),
    };
    let output = call.begin(request, &plan).await?;
    if !outlook.counted {
        return Ok(Grant::default());
    }
    let all = total(output, chat.n);
    let mut budget = Budget::new(request, call.prompt, all, outlook.on_exhausted);
    let limit = plan.limit(request, &mut budget, chat.n).await;
    let told = limit.into_iter().chain(plan.wanted).min();
    budget.allowed = told.map(|told| total(told, chat.n));
    if budget.output > all {
        quotas.tell(request);
    }
    Ok(Grant {
        limit,
        budget: Some(budget),
    })
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
    fn of(request: &Request, outlook: Outlook, chat: &chat::Request<'_>, model: &Model) -> Self {
        let wanted = chat.output_limit.as_ref().map(|limit| limit.tokens);
        let on_exhausted = outlook.on_exhausted;
        let learned = || {
            let consumer = request.consumer.as_ref().map(|consumer| &consumer.name);
            request.gateway.learned.bound(consumer, &model.name)
        };
        let first = match (on_exhausted, chat.stream, wanted) {
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
            stream: chat.stream,
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
}

impl Call<'_, '_> {
    /// Reserves as planned, or as little less as there is room for; returns how much output per
    /// choice. Each turn leaves less for the answer, so that even a quota others draw from ends
    /// this; and a refusal is about the least that would do.
    async fn begin(&mut self, request: &mut Request, plan: &Plan) -> Result<u64, GatewayError> {
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
                _ => return Err(self.quotas.refused(&refused)),
            }
        }
    }

    async fn reserve(&self, request: &mut Request, output: u64) -> Result<(), Refused> {
        let (price, prompt) = (request.price.as_ref(), self.prompt.tokens);
        let bound = Bound {
            amounts: spend::bound(price, prompt, total(output, self.choices)),
            ..self.who
        };
        self.quotas.reserve(request, self.headers, bound).await
    }

    /// The output per choice that what is left of the quota that refused has room for.
    fn room(&self, request: &Request, refused: &Refused) -> Option<u64> {
        let Refused::Exhausted(refusal) = refused else {
            return None;
        };
        let (price, unit) = (request.price.as_ref(), refusal.quota.unit);
        let output = spend::output_within(price, unit, refusal.remaining, self.prompt.tokens)?;
        Some(output / self.choices)
    }
}
