//! Models as callers know them, and who answers for them: targets, each a model of a provider.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use http::HeaderValue;
use weir_telemetry::Code;

use super::count;
use super::provider::Provider;
use super::target::Standing;
use crate::config::models as config;
use crate::error::GatewayError;
use crate::price;
use crate::runtime::Consumer;

/// A model callers may ask for.
pub(crate) struct Model {
    /// What callers write.
    pub(crate) name: Arc<str>,
    /// The same, as answers say it.
    pub(crate) field: HeaderValue,
    /// Who may answer, in the order written; at least one.
    pub(crate) targets: Vec<Target>,
    /// Who is asked first.
    pub(crate) strategy: Strategy,
    /// Who may ask for it; everybody, if `None`.
    pub(crate) allow: Option<config::Allow>,
}

/// Who is asked first; the others are asked should it fail.
pub(crate) enum Strategy {
    /// The first, always.
    Fallback,
    /// By weight.
    Weighted {
        /// Of each target; at least one is not 0.
        weights: Vec<u32>,
        /// Counts calls.
        turn: AtomicUsize,
    },
    /// Whose first token came soonest of late.
    LeastLatency,
    /// Who takes the least for it.
    LeastCost,
}

/// A model of a provider.
pub(crate) struct Target {
    /// What the provider calls it.
    pub(crate) model: Arc<str>,
    /// Who answers.
    pub(crate) provider: Arc<Provider>,
    /// What it costs, over time.
    pub(crate) prices: price::Schedule,
    /// What is known of it.
    pub(crate) standing: Arc<Standing>,
    /// When it is set aside.
    pub(crate) health: config::Health,
    /// What is asked of it at most.
    pub(crate) limits: config::Limits,
}

impl Target {
    /// The latest moment at which a call of it that begins now must be over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.provider.upstream.timeouts.total
    }
}

/// A name as a header field says it; names that none can hold are cut short.
pub(super) fn field(name: &str) -> HeaderValue {
    let visible = |c: &char| c.is_ascii_graphic() || *c == ' ';
    let shown: String = name.chars().take_while(visible).collect();
    HeaderValue::try_from(shown).expect("visible ASCII")
}

impl Model {
    /// Makes ready what takes long the first time tokens are counted.
    pub(super) fn prepare_to_count(&self) {
        for target in &self.targets {
            count::prepare(&target.model);
        }
    }

    /// Whether this consumer, or a caller who proved to be none, may ask for it.
    pub(super) fn admits(&self, consumer: Option<&Consumer>) -> bool {
        let Some(allow) = &self.allow else {
            return true;
        };
        consumer.is_some_and(|consumer| {
            let team = consumer.team.as_ref();
            team.is_some_and(|team| allow.teams.contains(team))
                || consumer
                    .groups
                    .iter()
                    .any(|group| allow.groups.contains(group))
        })
    }

    /// What a caller is told who may not.
    pub(super) fn denied(&self) -> GatewayError {
        let public = format!("This consumer may not use the model \"{}\".", self.name);
        GatewayError::public(Code::ModelNotAllowed, public)
    }
}
