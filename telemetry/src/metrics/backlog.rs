//! What producers hold for a Kafka cluster until its brokers answer. It knows no record.

use super::families::Families;
use super::family::{Figures as Amounts, Gauges};
use crate::catalogue::{self as c, Metric};
use prometheus::{Gauge, IntGauge};
use std::sync::Arc;

const STATES: [&str; 2] = ["queued", "in_flight"];

/// How much producers hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Records that are to be sent, or to be sent again.
    pub queued: u64,
    /// Records that are sent and not answered.
    pub in_flight: u64,
    /// The share of its queue that is taken in the fullest producer, by records or by bytes.
    pub fullest: f64,
}

impl Figures {
    /// What these and another's come to.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            queued: self.queued + other.queued,
            in_flight: self.in_flight + other.in_flight,
            fullest: self.fullest.max(other.fullest),
        }
    }
}

/// The families of producers.
pub(super) struct Series {
    records: Gauges,
    ratio: Amounts,
}

impl Series {
    /// Those made by what makes families of definitions.
    pub(super) fn of(
        gauges: impl Fn(&'static Metric) -> Gauges,
        amounts: impl Fn(&'static Metric) -> Amounts,
    ) -> Self {
        Self {
            records: gauges(&c::KAFKA_PRODUCER_RECORDS),
            ratio: amounts(&c::KAFKA_PRODUCER_QUEUE_RATIO),
        }
    }
}

/// The series of one cluster; they are gone when this is dropped.
pub struct Backlog {
    families: Arc<Families>,
    cluster: Box<str>,
    records: [IntGauge; STATES.len()],
    ratio: Gauge,
}

impl Backlog {
    pub(super) fn resolve(families: &Arc<Families>, cluster: &str) -> Self {
        let series = &families.backlog;
        Self {
            records: STATES.map(|state| series.records.with(&[cluster, state])),
            ratio: series.ratio.with(&[cluster]),
            cluster: cluster.into(),
            families: Arc::clone(families),
        }
    }

    /// It is so much now.
    pub fn is(&self, figures: &Figures) {
        let counts = [figures.queued, figures.in_flight];
        for (gauge, count) in self.records.iter().zip(counts) {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.ratio.set(figures.fullest);
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        let series = &self.families.backlog;
        for state in STATES {
            series.records.remove(&[&self.cluster, state]);
        }
        series.ratio.remove(&[&self.cluster]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn what_is_held_is_shown_until_the_cluster_is_gone() {
        let metrics = Metrics::new();
        let backlog = metrics.backlog("events");
        let one = Figures {
            queued: 3,
            in_flight: 2,
            fullest: 0.5,
        };
        let another = Figures {
            queued: 1,
            in_flight: 0,
            fullest: 0.25,
        };
        backlog.is(&one.and(another));
        let text = metrics.encode();
        let of = "weir_kafka_cluster=\"events\"";
        for line in [
            format!("weir_kafka_producer_records{{state=\"queued\",{of}}} 4\n"),
            format!("weir_kafka_producer_records{{state=\"in_flight\",{of}}} 2\n"),
            format!("weir_kafka_producer_queue_ratio{{{of}}} 0.5\n"),
        ] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        drop(backlog);
        let text = metrics.encode();
        assert!(!text.contains("weir_kafka_producer_records{"), "{text}");
        assert!(!text.contains("weir_kafka_producer_queue_ratio{"), "{text}");
    }
}
