//! What calls to a language model add to.

use super::Families;
use crate::record::Record;
use prometheus::{Histogram, IntCounter};
use std::sync::Arc;

const PROVENANCES: [&str; 3] = ["provider", "counted", "estimated"];

/// The series of one model at one provider for one team.
pub struct Model {
    families: Arc<Families>,
    model: Box<str>,
    provider: Box<str>,
    team: Box<str>,
    input: [IntCounter; PROVENANCES.len()],
    output: [IntCounter; PROVENANCES.len()],
    duration: Histogram,
    first_chunk: Histogram,
}

impl Model {
    pub(super) fn resolve(
        families: &Arc<Families>,
        model: &str,
        provider: &str,
        team: &str,
    ) -> Self {
        let tokens = |kind| {
            PROVENANCES.map(|provenance| {
                families
                    .llm_tokens
                    .with(&[model, provider, team, kind, provenance])
            })
        };
        Self {
            input: tokens("input"),
            output: tokens("output"),
            duration: families.llm_duration.with(&[model, provider]),
            first_chunk: families.llm_first_chunk.with(&[model, provider]),
            families: Arc::clone(families),
            model: model.into(),
            provider: provider.into(),
            team: team.into(),
        }
    }

    /// Everything a finished call adds; nothing if the record has no LLM part.
    /// Once per request: [`Telemetry::finish`](crate::Telemetry::finish) calls
    /// it.
    pub fn finished(&self, record: &Record) {
        let Some(llm) = &record.llm else { return };
        self.duration.observe(record.duration.as_secs_f64());
        if let Some(first_chunk) = llm.first_chunk {
            self.first_chunk.observe(first_chunk.as_secs_f64());
        }
        if let Some(tokens) = llm.prompt_tokens {
            self.tokens("input", llm.provenance, tokens);
        }
        if let Some(tokens) = llm.completion_tokens {
            self.tokens("output", llm.provenance, tokens);
        }
    }

    fn tokens(&self, kind: &'static str, provenance: &'static str, tokens: u64) {
        let known = if kind == "input" {
            &self.input
        } else {
            &self.output
        };
        match PROVENANCES.iter().position(|known| *known == provenance) {
            Some(index) => known[index].inc_by(tokens),
            None => self
                .families
                .llm_tokens
                .with(&[&self.model, &self.provider, &self.team, kind, provenance])
                .inc_by(tokens),
        }
    }
}
