//! What records add to that are handed over to be worked on, and how those stand that work: webhooks, which
//! send them to receivers, and LLM workers, which have models answer them.

use super::families::Families;
use super::family::{Counters, Gauges, Histograms};
use crate::catalogue::{self as c, Metric};
use prometheus::{Histogram, IntCounter, IntGauge};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What works on records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It sends them to a receiver.
    Webhook,
    /// It has a model answer them.
    LlmWorker,
}

impl Kind {
    /// As the log says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::LlmWorker => "llm_worker",
        }
    }

    /// Why nothing may be done of its partitions.
    const fn pauses(self) -> &'static [Pause] {
        use Pause as P;
        match self {
            Self::Webhook => &Pause::ALL,
            Self::LlmWorker => &[
                P::ByHand,
                P::Quota,
                P::Destination,
                P::Receiver,
                P::DeadLetter,
                P::Undeliverable,
                P::Reload,
            ],
        }
    }

    /// What may come of its records.
    const fn outcomes(self) -> &'static [Outcome] {
        use Outcome as O;
        match self {
            Self::Webhook => &[O::Delivered, O::Failed, O::Held, O::DeadLetter],
            Self::LlmWorker => &[O::Delivered, O::Refused, O::Failed, O::Held, O::DeadLetter],
        }
    }
}

/// What came of a record that was handed over once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it, or the topic of completions has the model's answer.
    Delivered,
    /// The topic of completions has an error instead of an answer.
    Refused,
    /// It did not come to that; it is tried again.
    Failed,
    /// Nothing was to be done now; this was no try.
    Held,
    /// It was given up, and is in the dead-letter topic.
    DeadLetter,
}

impl Outcome {
    /// As metrics, spans and the log say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::DeadLetter => "dead_letter",
        }
    }
}

/// Why nothing is done of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Somebody said so.
    ByHand,
    /// A quota is exhausted.
    Quota,
    /// The breaker is open, no endpoint is healthy, or the model is at its limit.
    Destination,
    /// The receiver asked for it by `Retry-After`.
    Receiver,
    /// The registry that has the schema of a record does not answer.
    Schema,
    /// A record is given up, and the dead-letter topic does not take it.
    DeadLetter,
    /// A record is given up, and there is no dead-letter topic.
    Undeliverable,
    /// The configuration it was read under is no longer in force.
    Reload,
}

impl Pause {
    /// Each one.
    pub const ALL: [Self; 8] = [
        Self::ByHand,
        Self::Quota,
        Self::Destination,
        Self::Receiver,
        Self::Schema,
        Self::DeadLetter,
        Self::Undeliverable,
        Self::Reload,
    ];

    /// As metrics and the admin address say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Quota => "quota",
            Self::Destination => "destination",
            Self::Receiver => "receiver",
            Self::Schema => "schema",
            Self::DeadLetter => "dead_letter",
            Self::Undeliverable => "undeliverable",
            Self::Reload => "reload",
        }
    }
}

/// The families of one kind.
pub(super) struct Series {
    took: Histograms,
    records: Counters,
    in_flight: Gauges,
    partitions: Gauges,
    lag: Gauges,
    paused: Gauges,
}

impl Series {
    /// Those of a kind, made by what makes families of definitions.
    pub(super) fn of(
        kind: Kind,
        histograms: impl Fn(&'static Metric) -> Histograms,
        counters: impl Fn(&'static Metric) -> Counters,
        gauges: impl Fn(&'static Metric) -> Gauges,
    ) -> Self {
        match kind {
            Kind::Webhook => Self {
                took: histograms(&c::MESSAGING_PROCESS_DURATION),
                records: counters(&c::WEBHOOK_RECORDS),
                in_flight: gauges(&c::WEBHOOK_IN_FLIGHT),
                partitions: gauges(&c::WEBHOOK_PARTITIONS),
                lag: gauges(&c::WEBHOOK_LAG),
                paused: gauges(&c::WEBHOOK_PAUSED),
            },
            Kind::LlmWorker => Self {
                took: histograms(&c::LLM_WORKER_DURATION),
                records: counters(&c::LLM_WORKER_RECORDS),
                in_flight: gauges(&c::LLM_WORKER_IN_FLIGHT),
                partitions: gauges(&c::LLM_WORKER_PARTITIONS),
                lag: gauges(&c::LLM_WORKER_LAG),
                paused: gauges(&c::LLM_WORKER_PAUSED),
            },
        }
    }
}

/// The series of one webhook or worker.
pub struct Worker {
    took: HashMap<Arc<str>, Histogram>,
    outcomes: Vec<(Outcome, IntCounter)>,
}

impl Worker {
    pub(super) fn resolve(families: &Series, kind: Kind, name: &str, topics: &[Arc<str>]) -> Self {
        let took = |topic: &Arc<str>| {
            let series = families.took.with(&[name, topic]);
            (topic.clone(), series)
        };
        let outcomes = kind.outcomes().iter();
        let outcome = |it: &Outcome| (*it, families.records.with(&[name, it.as_str()]));
        Self {
            took: topics.iter().map(took).collect(),
            outcomes: outcomes.map(outcome).collect(),
        }
    }

    /// A record was handed over, and this came of it after so long.
    pub fn processed(&self, topic: &str, outcome: Outcome, took: Duration) {
        if let Some(series) = self.took.get(topic) {
            series.observe(took.as_secs_f64());
        }
        let mut outcomes = self.outcomes.iter();
        if let Some((_, counter)) = outcomes.find(|(of, _)| *of == outcome) {
            counter.inc();
        }
    }
}

/// How one stands.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Records under way.
    pub in_flight: usize,
    /// Partitions it has.
    pub partitions: usize,
    /// Records it is behind the ends of those, by topic.
    pub lag: Vec<(Arc<str>, i64)>,
    /// Partitions that are held, by why.
    pub paused: Vec<(&'static str, usize)>,
}

/// The series of how one stands; they are gone when this is dropped.
pub struct Standing {
    families: Arc<Families>,
    kind: Kind,
    name: Box<str>,
    in_flight: IntGauge,
    partitions: IntGauge,
    /// The topics that there are series of.
    topics: Vec<Arc<str>>,
}

impl Standing {
    pub(super) fn resolve(families: &Arc<Families>, kind: Kind, name: &str) -> Self {
        let series = families.workers(kind);
        Self {
            in_flight: series.in_flight.with(&[name]),
            partitions: series.partitions.with(&[name]),
            topics: Vec::new(),
            kind,
            families: Arc::clone(families),
            name: name.into(),
        }
    }

    /// It stands so now.
    pub fn is(&mut self, figures: &Figures) {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_flight.set(count(figures.in_flight));
        self.partitions.set(count(figures.partitions));
        self.forget_lag();
        for (topic, lag) in &figures.lag {
            let series = self.families.workers(self.kind);
            series.lag.with(&[&*self.name, topic]).set(*lag);
            self.topics.push(topic.clone());
        }
        for pause in self.kind.pauses() {
            let paused = figures
                .paused
                .iter()
                .find(|(why, _)| *why == pause.as_str());
            let paused = paused.map_or(0, |(_, partitions)| count(*partitions));
            let labels = [&*self.name, pause.as_str()];
            self.families
                .workers(self.kind)
                .paused
                .with(&labels)
                .set(paused);
        }
    }

    /// A partition that went to another gateway is not behind here.
    fn forget_lag(&mut self) {
        for topic in self.topics.drain(..) {
            let series = self.families.workers(self.kind);
            series.lag.remove(&[&*self.name, &topic]);
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.forget_lag();
        let series = self.families.workers(self.kind);
        series.in_flight.remove(&[&self.name]);
        series.partitions.remove(&[&self.name]);
        for pause in self.kind.pauses() {
            let labels = [&*self.name, pause.as_str()];
            series.paused.remove(&labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn how_one_stands_is_shown_until_it_is_gone() {
        let metrics = Metrics::new();
        let mut standing = metrics.worker_standing(Kind::Webhook, "w");
        let mut figures = Figures {
            in_flight: 2,
            partitions: 3,
            lag: vec![("t".into(), 7)],
            paused: vec![("quota", 1)],
        };
        standing.is(&figures);
        let text = metrics.encode();
        for line in [
            "weir_webhook_in_flight{weir_webhook=\"w\"} 2\n",
            "weir_webhook_partitions{weir_webhook=\"w\"} 3\n",
            "weir_webhook_lag_records{messaging_destination_name=\"t\",weir_webhook=\"w\"} 7\n",
            "weir_webhook_paused{reason=\"quota\",weir_webhook=\"w\"} 1\n",
            "weir_webhook_paused{reason=\"by_hand\",weir_webhook=\"w\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(text.contains("weir_webhook_paused{reason=\"schema\",weir_webhook=\"w\"} 0\n"));
        let mut worker = metrics.worker_standing(Kind::LlmWorker, "w");
        worker.is(&figures);
        let text = metrics.encode();
        let of_worker = |reason| format!("weir_llm_worker_paused{{reason=\"{reason}\",");
        assert!(text.contains(&of_worker("quota")));
        assert!(!text.contains(&of_worker("schema")), "prompts have none");
        figures.lag.clear();
        standing.is(&figures);
        assert!(!metrics.encode().contains("weir_webhook_lag_records{"));
        drop(standing);
        assert!(!metrics.encode().contains("weir_webhook=\"w\""));
    }

    #[test]
    fn each_outcome_is_counted_apart() {
        let metrics = Metrics::new();
        let webhook = metrics.worker(Kind::Webhook, "w", &["t".into()]);
        webhook.processed("t", Outcome::DeadLetter, Duration::from_millis(3));
        let text = metrics.encode();
        for line in [
            "weir_webhook_records_total{outcome=\"dead_letter\",weir_webhook=\"w\"} 1\n",
            "weir_webhook_records_total{outcome=\"delivered\",weir_webhook=\"w\"} 0\n",
            "messaging_process_duration_seconds_count{messaging_destination_name=\"t\",weir_webhook=\"w\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(
            !text.contains("outcome=\"refused\""),
            "no receiver refuses so"
        );
    }
}
