//! What a consumer's calls to language models use and cost. There may be as many consumers as an
//! identity provider has users: beyond the series budget they are counted together.

use super::model::{PROVENANCES, TYPES, dollars, provenance};
use super::{Families, Money};
use crate::record::Llm;
use prometheus::IntCounter;
use std::sync::OnceLock;

/// The series of one consumer and model, each made when it is first written to.
#[derive(Default)]
pub(super) struct Consumer {
    tokens: [[OnceLock<IntCounter>; PROVENANCES.len()]; TYPES.len()],
    cost: [OnceLock<Money>; PROVENANCES.len()],
}

impl Consumer {
    /// Everything a finished call adds; `labels` are the consumer, its team and the model, always
    /// the same ones.
    pub(super) fn finished(&self, families: &Families, labels: [&str; 3], llm: &Llm) {
        let Some(source) = provenance(llm.provenance) else {
            return;
        };
        let ([consumer, team, model], word) = (labels, PROVENANCES[source]);
        let sides = [llm.tokens.input, llm.tokens.output];
        for ((slots, side), tokens) in self.tokens.iter().zip(TYPES).zip(sides) {
            let Some(tokens) = tokens else { continue };
            let family = &families.consumer_tokens;
            let labels = [consumer, team, model, side, word];
            slots[source]
                .get_or_init(|| family.with(&labels))
                .inc_by(tokens);
        }
        if let Some(nanos) = llm.cost {
            let family = &families.consumer_cost;
            let labels = [consumer, team, model, word];
            let series = self.cost[source].get_or_init(|| family.with(&labels));
            series.inc_by(dollars(nanos));
        }
    }
}
