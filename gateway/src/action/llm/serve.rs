//! One call, from the model that was asked for to an answer: target after target, each by one key
//! after another, and the last once more if that may help.

use std::time::{Instant, SystemTime};

use http::HeaderMap;
use weir_telemetry::Code;

use super::again;
use super::answer::{self, Call};
use super::ask::Asked;
use super::bound::{Grant, Refusal};
use super::cache::Keep;
use super::fault::{Failed, uncalled};
use super::model::{Model, Target};
use super::note::{self, Notes};
use super::spend;
use super::target::{Expected, Line, Turn};
use crate::error::GatewayError;
use crate::policy::quota::{self, Usage};
use crate::proxy::{Downstream, Request};

/// Has the targets of `model` answer, the next where one fails before it has said anything; `keep`
/// says where the answer is to be kept, if it is.
pub(super) async fn serve(
    request: &mut Request,
    down: &mut Downstream,
    asked: &Asked<'_>,
    model: &Model,
    notes: &Notes,
    keep: Option<&Keep<'_>>,
) -> Result<(), GatewayError> {
    let mut line = Line::new(model, Expected::of(asked, model));
    let mut serving = Serving {
        asked,
        model,
        notes,
        keep,
        now: SystemTime::now(),
        grant: Grant::of(request),
        cost: Some(Usage::nothing()),
        unknown: false,
    };
    // Who failed last, and why; or why the last was not even called.
    let mut failed: Option<(&Target, Instant)> = None;
    let mut error: Option<GatewayError> = None;
    loop {
        let (turn, again) = match (line.next(), failed, error.take()) {
            (Some(turn), _, before) => {
                error = before;
                (turn, false)
            }
            (None, Some((target, deadline)), Some(why)) => {
                let turn = again(request, down, &line, target, why.clone(), deadline).await;
                error = Some(why);
                (turn.map_err(|error| serving.fail(request, error))?, true)
            }
            (None, _, why) => return Err(why.unwrap_or_else(|| full(model, &line))),
        };
        let target = turn.target;
        if let Err(refused) = serving.enter(request, &down.head().headers, target).await {
            let told = error.take().unwrap_or(refused.error);
            if again || !refused.of_target {
                return Err(serving.fail(request, told));
            }
            error = Some(told);
            continue;
        }
        let deadline = match failed {
            Some((_, deadline)) if again => deadline,
            _ => target.deadline(),
        };
        let asking = serving.ask(request, down, turn, !line.is_over(), deadline);
        let outcome = asking.await;
        if down.left() {
            // Nobody is there to be answered, so that nobody else is asked.
            let why = left(&outcome);
            return Err(match outcome {
                Ok(()) => why,
                Err(_) => serving.fail(request, why),
            });
        }
        match outcome {
            Ok(()) => return Ok(()),
            Err(Failed::Next(why)) => (failed, error) = (Some((target, deadline)), Some(why)),
            Err(Failed::Final(why)) => return Err(serving.fail(request, why)),
        }
    }
}

/// What a call ends with whose caller has left, though its answer was read on.
fn left(outcome: &Result<(), Failed>) -> GatewayError {
    let error = GatewayError::new(Code::ClientDisconnected);
    match outcome {
        Ok(()) => error.source("the answer was read to its end without the caller"),
        Err(failed) => {
            let code = failed.error().code;
            error.source(format!("the answer then failed on its own: {code}"))
        }
    }
}

/// Another turn of the target that failed last, when its time has come.
///
/// # Errors
/// The failure itself, if the target is not asked again; or why the wait ended before its time.
async fn again<'m>(
    request: &mut Request,
    down: &mut Downstream,
    line: &Line<'m>,
    target: &'m Target,
    error: GatewayError,
    deadline: Instant,
) -> Result<Turn<'m>, GatewayError> {
    let Some(wait) = again::after(request, target, &error, deadline) else {
        return Err(error);
    };
    retried(request, again::reason(&error));
    again::wait(request, down, wait).await?;
    line.again(target).ok_or(error)
}

/// Writes down why the last attempt is followed by another.
fn retried(request: &mut Request, reason: &'static str) {
    if let Some(attempt) = request.record.attempts.last_mut() {
        attempt.retried = Some(reason);
    }
}

/// What a caller is told when nobody may be asked.
fn full(model: &Model, line: &Line<'_>) -> GatewayError {
    let public = format!(
        "Every target of the model \"{}\" is at the limit it was given here.",
        model.name
    );
    let error = GatewayError::public(Code::ModelLimitReached, public);
    match line.full() {
        Some(wait) => error.retry_after(wait),
        None => error,
    }
}

/// A call that is being served.
struct Serving<'s> {
    asked: &'s Asked<'s>,
    model: &'s Model,
    notes: &'s Notes,
    keep: Option<&'s Keep<'s>>,
    /// When prices are looked up.
    now: SystemTime,
    grant: Grant<'s>,
    /// What failed calls of the provider that is asked now have cost; `None` if nobody knows.
    cost: Option<Usage>,
    /// Whether an attempt may have cost what nobody said.
    unknown: bool,
}

impl<'s> Serving<'s> {
    /// Reserves what a call of `target` may use.
    async fn enter(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
        target: &'s Target,
    ) -> Result<(), Refusal> {
        self.notes.asked(request, self.asked, self.model, target);
        request.price = target.prices.price(self.now).copied();
        let moves = self.grant.is_of_another(target);
        let call = (self.asked, self.model);
        self.grant
            .enter(request, headers, call, target, self.cost)
            .await?;
        note::limited(request, self.grant.limit);
        if moves {
            self.cost = Some(Usage::nothing());
        }
        Ok(())
    }

    /// Has one target answer, by one of its keys after another. `more` says whether somebody else
    /// could be asked.
    async fn ask(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        mut turn: Turn<'_>,
        more: bool,
        deadline: Instant,
    ) -> Result<(), Failed> {
        loop {
            request.usage = None;
            let before = request.record.attempts.len();
            let Err(failed) = self.attempt(request, down, &turn, more, deadline).await else {
                turn.ended(request);
                return Ok(());
            };
            self.charge(request, before);
            if is_of_target(request, &failed) {
                turn.failed(request, failed.error());
            }
            let may = matches!(failed, Failed::Next(_)) && !down.left();
            if !may || !turn.next_key(failed.error()) {
                return Err(failed);
            }
            retried(request, "next_key");
        }
    }

    async fn attempt(
        &mut self,
        request: &mut Request,
        down: &mut Downstream,
        turn: &Turn<'_>,
        more: bool,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let (asked, target) = (self.asked, turn.target);
        // What this one cannot be told, another may.
        let outgoing = asked.aim(target, self.grant.limit).map_err(Failed::Next)?;
        let sent = target
            .provider
            .send(request, down, &outgoing, turn.key(), deadline)
            .await;
        let (answered, mut body) = sent.map_err(uncalled)?;
        let served = Call {
            asked,
            model: self.model,
            target,
            turn,
            dropped: &outgoing.dropped,
            speaks: outgoing.speaks,
            alike: outgoing.alike,
            limit: self.grant.limit,
            keep: self.keep,
            more,
        };
        let budget = self.grant.budget.as_mut();
        answer::pass(request, down, answered, &mut body, &served, budget).await
    }

    /// Adds what the attempts since `before` have cost.
    fn charge(&mut self, request: &Request, before: usize) {
        if is_unknown(request, before) {
            self.unknown = true;
            self.cost = None;
        }
        if let (Some(cost), Some(usage)) = (&mut self.cost, request.usage) {
            cost.amounts = spend::sum(&cost.amounts, &usage.amounts);
            if usage != Usage::nothing() {
                cost.provenance = usage.provenance;
            }
        }
    }

    /// A call that failed costs what the last try is known to have used; or what was reserved, if an
    /// earlier one may have used something. Each provider is charged its own.
    fn fail(&self, request: &mut Request, error: GatewayError) -> GatewayError {
        let nothing = Usage::nothing();
        quota::leave(request, self.cost);
        if !self.unknown {
            request.usage.get_or_insert(nothing);
        } else if request.usage == Some(nothing) {
            request.usage = None;
        }
        error
    }
}

/// Whether a failure says something of who was asked. What is final without breaking an exchange off
/// is about the request.
fn is_of_target(request: &Request, failed: &Failed) -> bool {
    let last = request.record.attempts.last();
    matches!(failed, Failed::Next(_)) || last.is_some_and(|attempt| attempt.code.is_some())
}

/// Whether an attempt since `before` may have cost what nobody said.
fn is_unknown(request: &Request, before: usize) -> bool {
    let attempts = &request.record.attempts[before..];
    request.usage.is_none() && attempts.iter().any(|attempt| attempt.bytes_sent > 0)
}
