//! What calls to a language model add to.

use super::slots::{PerCode, PerStatus};
use super::{Families, Money};
use crate::record::{Attempt, Llm, Record};
use parking_lot::Mutex;
use prometheus::local::LocalHistogram;
use prometheus::{Histogram, IntCounter};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Where a count comes from, as records say it.
pub(super) const PROVENANCES: [&str; 3] = ["provider", "counted", "estimated"];

/// The two sides that tokens are counted on, in OpenTelemetry's words.
pub(super) const TYPES: [&str; 2] = ["input", "output"];

/// Tokens that are among those of a side.
const PARTS: [&str; 3] = ["cache_read", "cache_write", "reasoning"];

/// The labels that all series of a model share, in the catalogue's order.
const LABELS: usize = 7;

/// Whose calls: what all series of a model are told apart by.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// OpenTelemetry's `gen_ai.operation.name`.
    pub operation: &'a str,
    /// OpenTelemetry's `gen_ai.provider.name`.
    pub provider_name: &'a str,
    /// The model, as the provider is asked for it.
    pub target: &'a str,
    /// The provider's name in the configuration.
    pub provider: &'a str,
    /// The model's name as callers write it.
    pub model: &'a str,
    /// The route.
    pub route: &'a str,
    /// The team; empty if there is none.
    pub team: &'a str,
}

impl<'a> Call<'a> {
    pub(super) const fn labels(&self) -> [&'a str; LABELS] {
        [
            self.operation,
            self.provider_name,
            self.target,
            self.provider,
            self.model,
            self.route,
            self.team,
        ]
    }
}

/// What a call used that was made beside a request's own.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Tokens of its prompt.
    pub tokens: u64,
    /// Where the count comes from: `provider`, `counted` or `estimated`.
    pub provenance: &'static str,
    /// What that costs, in nano-dollars, where the price is known.
    pub cost: Option<u64>,
}

/// A series that comes into being when it is first written to.
type Slot<T> = OnceLock<T>;

/// The series of one model at one provider, for one route and team.
pub struct Model {
    families: Arc<Families>,
    labels: [Box<str>; LABELS],
    succeeded: Slot<Histogram>,
    failed: PerCode<Histogram>,
    refused: PerStatus<Histogram>,
    first_chunk: Slot<Histogram>,
    between_chunks: Slot<Histogram>,
    usage: [Slot<Histogram>; TYPES.len()],
    tokens: [[Slot<IntCounter>; PROVENANCES.len()]; TYPES.len()],
    parts: [Slot<IntCounter>; PARTS.len()],
    cost: [Slot<Money>; PROVENANCES.len()],
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl Model {
    pub(super) fn resolve(families: &Arc<Families>, call: &Call<'_>) -> Self {
        Self {
            families: Arc::clone(families),
            labels: call.labels().map(Box::from),
            succeeded: Slot::new(),
            failed: PerCode::default(),
            refused: PerStatus::default(),
            first_chunk: Slot::new(),
            between_chunks: Slot::new(),
            usage: Default::default(),
            tokens: Default::default(),
            parts: Default::default(),
            cost: Default::default(),
        }
    }

    /// The shared labels, and more.
    fn with<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let shared = self.labels.iter().map(|label| &**label);
        shared.chain(more.iter().copied()).collect()
    }

    /// One try to have the provider answer, by how it ended. Once per attempt:
    /// [`Telemetry::finish`](crate::Telemetry::finish) calls it.
    pub(crate) fn attempt(&self, attempt: &Attempt) {
        let series = |error: &str| self.families.llm_duration.with(&self.with(&[error]));
        let duration = match (attempt.code, attempt.status) {
            (Some(code), _) => self.failed.get(code, || series(code.slug())),
            (None, Some(status)) if status >= 400 => self.refused.get(status, series),
            // Without a status the caller left first: nobody is to blame.
            _ => self.succeeded.get_or_init(|| series("")),
        };
        duration.observe(attempt.total.as_secs_f64());
    }

    /// What the model that was asked last has used, and how soon it began. Once per request:
    /// [`Telemetry::finish`](crate::Telemetry::finish) calls it.
    pub(crate) fn finished(&self, record: &Record, llm: &Llm) {
        if let (Some(first), Some(attempt)) = (llm.first_chunk, record.attempts.last()) {
            let since = first.saturating_sub(attempt.started);
            let family = &self.families.llm_first_chunk;
            let series = self
                .first_chunk
                .get_or_init(|| family.with(&self.with(&[])));
            series.observe(since.as_secs_f64());
        }
        let Some(source) = provenance(llm.provenance) else {
            return;
        };
        for (side, tokens) in [llm.tokens.input, llm.tokens.output]
            .into_iter()
            .enumerate()
        {
            if let Some(tokens) = tokens {
                self.used(side, source, tokens);
            }
        }
        let tokens = &llm.tokens;
        let parts = [tokens.cache_read, tokens.cache_written, tokens.reasoning];
        for ((slot, part), tokens) in self.parts.iter().zip(PARTS).zip(parts) {
            if let Some(tokens) = tokens.filter(|tokens| *tokens > 0) {
                let family = &self.families.llm_parts;
                let series = slot.get_or_init(|| family.with(&self.with(&[part])));
                series.inc_by(tokens);
            }
        }
        if let Some(nanos) = llm.cost {
            self.cost(source, nanos);
        }
    }

    /// A call of it that was made beside a request's own, as for a vector: how each try ended, and what
    /// was used of the prompt, if that is known.
    pub fn beside(&self, attempts: &[Attempt], used: Option<Used>) {
        attempts.iter().for_each(|attempt| self.attempt(attempt));
        let Some(used) = used else { return };
        let Some(source) = provenance(used.provenance) else {
            return;
        };
        self.used(0, source, used.tokens);
        if let Some(nanos) = used.cost {
            self.cost(source, nanos);
        }
    }

    fn cost(&self, source: usize, nanos: u64) {
        let labels = [PROVENANCES[source]];
        let family = &self.families.llm_cost;
        let series = self.cost[source].get_or_init(|| family.with(&self.with(&labels)));
        series.inc_by(dollars(nanos));
    }

    fn used(&self, side: usize, source: usize, tokens: u64) {
        let kind = TYPES[side];
        let family = &self.families.llm_tokens;
        let labels = [kind, PROVENANCES[source]];
        let series = self.tokens[side][source].get_or_init(|| family.with(&self.with(&labels)));
        series.inc_by(tokens);
        // The conventions want usage that was counted, not bounded.
        if PROVENANCES[source] != "estimated" {
            let family = &self.families.llm_usage;
            let series = self.usage[side].get_or_init(|| family.with(&self.with(&[kind])));
            series.observe(tokens as f64);
        }
    }

    /// Measures a stream that begins now.
    pub fn pace(&self) -> Pace {
        let family = &self.families.llm_between_chunks;
        let series = self
            .between_chunks
            .get_or_init(|| family.with(&self.with(&[])));
        Pace {
            between: Mutex::new(series.local()),
            last: Instant::now(),
        }
    }
}

/// The number of a word for where counts come from.
pub(super) fn provenance(word: &str) -> Option<usize> {
    PROVENANCES.iter().position(|known| *known == word)
}

/// Nano-dollars as what is shown.
pub(super) fn dollars(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// The time between the chunks of one stream. Written down where all see it when this is dropped,
/// so that streams do not get in each other's way chunk by chunk.
pub struct Pace {
    /// Never locked: who has a chunk has all of this. It makes what it holds fit to be shared.
    between: Mutex<LocalHistogram>,
    last: Instant,
}

impl Pace {
    /// The next chunk came.
    pub fn chunk(&mut self) {
        let now = Instant::now();
        let since = now - std::mem::replace(&mut self.last, now);
        self.between.get_mut().observe(since.as_secs_f64());
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").finish_non_exhaustive()
    }
}
