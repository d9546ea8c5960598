//! One target's turn in a call: by one of its keys, then by the next if that one is refused or
//! limited. What it finds out is written down where the next call looks.

use std::time::Duration;

use weir_telemetry::Code;
use weir_telemetry::code::Fault;

use super::aside::Entry;
use super::clock;
use super::limits::Taken;
use super::standing::ByKey;
use crate::action::llm::model::Target;
use crate::error::GatewayError;
use crate::proxy::Request;

/// How long a key that is refused is set aside: somebody has to do something about it.
const REFUSED: Duration = Duration::from_secs(300);
/// How long a key is that is limited, where the provider does not say.
const LIMITED: Duration = Duration::from_secs(5);
/// No provider keeps us away for longer than this.
const LONGEST: Duration = Duration::from_secs(600);

/// A target's turn. What it claimed and said nothing of is given back when it is dropped.
pub(in crate::action::llm) struct Turn<'m> {
    /// Whose it is.
    pub(in crate::action::llm) target: &'m Target,
    entry: Entry,
    key: ByKey,
    /// The keys this call has used, one bit each.
    tried: u64,
    taken: Option<Taken>,
}

/// Why a target has no turn.
pub(super) enum Passed {
    /// It is set aside.
    Aside,
    /// It is at its limit, perhaps for so long.
    Full(Duration),
}

impl<'m> Turn<'m> {
    /// The target's turn, if it is not set aside or this call is to probe it.
    pub(super) fn begin(target: &'m Target, tokens: u32, now: u64) -> Result<Self, Passed> {
        let standing = &target.standing;
        let entry = standing.health.aside.enter(now).ok_or(Passed::Aside)?;
        let Some(key) = standing.pick_key(0, now) else {
            standing.health.aside.release(entry, || now);
            return Err(Passed::Aside);
        };
        Self::new(target, entry, key).taking(tokens, now)
    }

    /// The target's turn, even if it is set aside: nobody else is left.
    pub(super) fn begin_anyway(target: &'m Target, tokens: u32, now: u64) -> Result<Self, Passed> {
        let standing = &target.standing;
        let key = standing
            .pick_key(0, now)
            .unwrap_or_else(|| standing.pick_any_key());
        let entry = standing.health.aside.enter(now);
        let entry = entry.unwrap_or_else(|| standing.health.aside.enter_anyway());
        Self::new(target, entry, key).taking(tokens, now)
    }

    fn new(target: &'m Target, entry: Entry, key: ByKey) -> Self {
        Self {
            target,
            entry,
            key,
            tried: 1 << key.index,
            taken: None,
        }
    }

    fn taking(mut self, tokens: u32, now: u64) -> Result<Self, Passed> {
        if let Some(counts) = self.target.standing.counts.as_ref() {
            let taken = counts.take(&self.target.limits, tokens, now);
            self.taken = Some(taken.map_err(Passed::Full)?);
        }
        Ok(self)
    }

    /// Which of the provider's keys it is called by.
    pub(in crate::action::llm) const fn key(&self) -> usize {
        self.key.index
    }

    /// The model has said something: whatever was set aside is in use again.
    pub(in crate::action::llm) fn spoke(&self, request: &Request, stream: bool) {
        let standing = &self.target.standing;
        standing.health.aside.well(self.entry);
        standing.key(self.key.index).well(self.key.entry);
        // Of a whole answer it is known before the caller has it, and may ask again.
        self.used(request);
        let Some(attempt) = request.record.attempts.last() else {
            return;
        };
        let took = request.began.elapsed().saturating_sub(attempt.started);
        standing.pace.measured(stream, took, clock::now());
    }

    /// The answer ended as it should.
    pub(in crate::action::llm) fn ended(&self, request: &Request) {
        self.target.standing.health.ended();
        self.used(request);
    }

    /// There was no answer, or none that ended as it should. What is not the target's fault says
    /// nothing of it.
    pub(in crate::action::llm) fn failed(&self, request: &Request, error: &GatewayError) {
        self.used(request);
        let (standing, now) = (&self.target.standing, clock::now());
        let set_aside = |time: Duration| {
            let until = now.saturating_add(clock::millis(time.min(LONGEST)));
            standing
                .key(self.key.index)
                .set(self.key.entry, until.max(1));
        };
        match error.code {
            Code::ProviderRateLimited => set_aside(error.retry_after.unwrap_or(LIMITED)),
            Code::ProviderCredentialRejected => set_aside(REFUSED),
            code if code.fault() == Fault::Upstream => {
                standing.health.failed(self.entry, self.target.health, now);
            }
            _ => {}
        }
    }

    /// Turns to the next key, where what failed is a matter of the key; whether there is one that is
    /// not set aside.
    pub(in crate::action::llm) fn next_key(&mut self, error: &GatewayError) -> bool {
        let of_the_key = matches!(
            error.code,
            Code::ProviderRateLimited | Code::ProviderCredentialRejected
        );
        if !of_the_key {
            return false;
        }
        let next = self.target.standing.pick_key(self.tried, clock::now());
        if let Some(key) = next {
            self.key = key;
            self.tried |= 1 << key.index;
        }
        next.is_some()
    }

    /// Puts right how many tokens it took of its minute, where anybody knows.
    fn used(&self, request: &Request) {
        let Some(taken) = &self.taken else { return };
        let llm = request.record.llm.as_ref();
        let tokens = llm.and_then(|llm| Some(llm.tokens.input? + llm.tokens.output?));
        let nothing = request
            .usage
            .map(|usage| usage == crate::policy::quota::Usage::nothing());
        if let Some(tokens) = tokens.or((nothing == Some(true)).then_some(0)) {
            taken.used(tokens, clock::now());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let standing = &self.target.standing;
        standing.health.aside.release(self.entry, clock::now);
        standing
            .key(self.key.index)
            .release(self.key.entry, clock::now);
    }
}
