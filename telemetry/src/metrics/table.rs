//! What compacted topics that are served as tables add to, and how their views stand. It knows no key.

use super::families::Families;
use super::family::{Counters, Figures as Amounts, Gauges};
use crate::catalogue::{self as c, Metric};
use prometheus::{Gauge, IntCounter, IntGauge};
use std::sync::Arc;
use std::time::Duration;

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the topic.
    Written,
    /// The value was not what it was to be.
    Conflict,
    /// There was no value to change.
    Absent,
    /// It is not in the topic.
    Failed,
    /// It may be in the topic.
    Unknown,
}

impl Outcome {
    /// Each one.
    pub const ALL: [Self; 5] = [
        Self::Written,
        Self::Conflict,
        Self::Absent,
        Self::Failed,
        Self::Unknown,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Conflict => "conflict",
            Self::Absent => "absent",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// The families of tables.
pub(super) struct Series {
    keys: Gauges,
    bytes: Gauges,
    ready: Gauges,
    lag: Gauges,
    age: Amounts,
    writes: Counters,
}

impl Series {
    /// Those made by what makes families of definitions.
    pub(super) fn of(
        counters: impl Fn(&'static Metric) -> Counters,
        gauges: impl Fn(&'static Metric) -> Gauges,
        amounts: impl Fn(&'static Metric) -> Amounts,
    ) -> Self {
        Self {
            keys: gauges(&c::TABLE_KEYS),
            bytes: gauges(&c::TABLE_BYTES),
            ready: gauges(&c::TABLE_READY),
            lag: gauges(&c::TABLE_LAG),
            age: amounts(&c::TABLE_AGE),
            writes: counters(&c::TABLE_WRITES),
        }
    }
}

/// What writes to one table add to.
pub struct Table([IntCounter; Outcome::ALL.len()]);

impl Table {
    pub(super) fn resolve(families: &Families, cluster: &str, topic: &str) -> Self {
        let writes = &families.tables.writes;
        Self(Outcome::ALL.map(|outcome| writes.with(&[cluster, topic, outcome.as_str()])))
    }

    /// That came of a write.
    pub fn came(&self, outcome: Outcome) {
        self.0[outcome as usize].inc();
    }
}

/// How a view stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Keys it holds.
    pub keys: usize,
    /// Memory it takes up, in bytes.
    pub bytes: usize,
    /// Whether it is served.
    pub is_ready: bool,
    /// Records it is behind, at most.
    pub lag: u64,
    /// For how long no broker could be reached.
    pub age: Duration,
}

/// The series of one view; they are gone when this is dropped.
pub struct Standing {
    families: Arc<Families>,
    names: [Box<str>; 2],
    keys: IntGauge,
    bytes: IntGauge,
    ready: IntGauge,
    lag: IntGauge,
    age: Gauge,
}

impl Standing {
    pub(super) fn resolve(families: &Arc<Families>, cluster: &str, topic: &str) -> Self {
        let (series, labels) = (&families.tables, [cluster, topic]);
        Self {
            keys: series.keys.with(&labels),
            bytes: series.bytes.with(&labels),
            ready: series.ready.with(&labels),
            lag: series.lag.with(&labels),
            age: series.age.with(&labels),
            names: [cluster.into(), topic.into()],
            families: Arc::clone(families),
        }
    }

    /// It stands so now.
    pub fn is(&self, figures: &Figures) {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.keys.set(count(figures.keys));
        self.bytes.set(count(figures.bytes));
        self.ready.set(i64::from(figures.is_ready));
        self.lag.set(i64::try_from(figures.lag).unwrap_or(i64::MAX));
        self.age.set(figures.age.as_secs_f64());
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let names = [&*self.names[0], &*self.names[1]];
        let series = &self.families.tables;
        for gauges in [&series.keys, &series.bytes, &series.ready, &series.lag] {
            gauges.remove(&names);
        }
        series.age.remove(&names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn how_a_view_stands_is_shown_until_it_is_gone_and_what_was_written_stays() {
        let metrics = Metrics::new();
        let standing = metrics.table_standing("events", "users");
        standing.is(&Figures {
            keys: 3,
            bytes: 512,
            is_ready: true,
            lag: 7,
            age: Duration::from_millis(1500),
        });
        let table = metrics.table("events", "users");
        table.came(Outcome::Written);
        table.came(Outcome::Conflict);
        let of = "messaging_destination_name=\"users\"";
        let text = metrics.encode();
        for (name, value) in [
            ("keys", "3"),
            ("bytes", "512"),
            ("ready", "1"),
            ("lag_records", "7"),
            ("age_seconds", "1.5"),
        ] {
            let line = format!("weir_table_{name}{{{of},weir_kafka_cluster=\"events\"}} {value}\n");
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        drop(standing);
        let text = metrics.encode();
        assert!(!text.contains("weir_table_keys{"), "{text}");
        assert!(!text.contains("weir_table_age_seconds{"), "{text}");
        for (outcome, count) in [("written", 1), ("conflict", 1), ("unknown", 0)] {
            let labels = format!("{of},outcome=\"{outcome}\",weir_kafka_cluster=\"events\"");
            let line = format!("weir_table_writes_total{{{labels}}} {count}\n");
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }
}
