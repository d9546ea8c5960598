//! A metric with labels, built from its row of the catalogue, that never has
//! more label sets than its budget. It knows no metric in particular.

use crate::catalogue::{self, Kind, Metric};
use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use std::collections::HashSet;

/// The value of every label of the one series that holds what is beyond the
/// budget.
pub(super) const OVERFLOW: &str = "overflow";

/// Counts, per metric, the label sets its budget had no room for.
pub(super) struct Overflow(IntCounterVec);

impl Overflow {
    pub(super) fn register(registry: &Registry) -> Self {
        Self(registered(registry, &catalogue::SERIES_OVERFLOW))
    }
}

/// A collector of one kind, over all its label sets.
pub(super) trait Vector: Collector + Clone + Sized + 'static {
    const KIND: Kind;
    type Series;
    fn build(metric: &Metric) -> prometheus::Result<Self>;
    fn series(&self, values: &[&str]) -> Self::Series;
    fn forget(&self, values: &[&str]) -> prometheus::Result<()>;
}

macro_rules! vector {
    ($kind:ident, $vector:ty, $series:ty, |$metric:ident| $opts:expr) => {
        impl Vector for $vector {
            const KIND: Kind = Kind::$kind;
            type Series = $series;
            fn build($metric: &Metric) -> prometheus::Result<Self> {
                Self::new($opts, $metric.labels)
            }
            fn series(&self, values: &[&str]) -> $series {
                self.with_label_values(values)
            }
            fn forget(&self, values: &[&str]) -> prometheus::Result<()> {
                self.remove_label_values(values)
            }
        }
    };
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place the ban on raw constructors sends everybody to"
)]
fn opts(metric: &Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

vector!(Counter, IntCounterVec, IntCounter, |metric| opts(metric));
vector!(Counter, CounterVec, Counter, |metric| opts(metric));
vector!(Gauge, IntGaugeVec, IntGauge, |metric| opts(metric));
vector!(Gauge, GaugeVec, Gauge, |metric| opts(metric));
vector!(Histogram, HistogramVec, Histogram, |metric| {
    HistogramOpts::from(opts(metric)).buckets(metric.buckets.to_vec())
});

fn registered<V: Vector>(registry: &Registry, metric: &Metric) -> V {
    debug_assert_eq!(metric.kind, V::KIND, "{}", metric.name);
    let built = V::build(metric);
    match built.and_then(|vec| registry.register(Box::new(vec.clone())).map(|()| vec)) {
        Ok(vec) => vec,
        // Only a malformed or doubled row of the catalogue leads here; a test
        // builds every row.
        Err(error) => unreachable!("{} cannot be registered: {error}", metric.name),
    }
}

/// One metric of the catalogue, within its budget.
pub(super) struct Family<V> {
    vec: V,
    labels: usize,
    budget: usize,
    known: Mutex<HashSet<Box<[Box<str>]>>>,
    overflowed: IntCounter,
}

pub(super) type Counters = Family<IntCounterVec>;
/// Of what may be a fraction, and only grows.
pub(super) type Amounts = Family<CounterVec>;
pub(super) type Gauges = Family<IntGaugeVec>;
/// Of what may be a fraction, or more than `i64` holds.
pub(super) type Figures = Family<GaugeVec>;
pub(super) type Histograms = Family<HistogramVec>;

impl<V: Vector> Family<V> {
    pub(super) fn register(
        registry: &Registry,
        metric: &Metric,
        budget: usize,
        overflow: &Overflow,
    ) -> Self {
        Self {
            vec: registered(registry, metric),
            labels: metric.labels.len(),
            budget,
            known: Mutex::default(),
            overflowed: overflow.0.with_label_values(&[metric.name]),
        }
    }

    /// The series of these label values, in the catalogue's order, or the
    /// overflow series. Takes a lock and hashes: for building handles, not for
    /// requests.
    pub(super) fn with(&self, values: &[&str]) -> V::Series {
        debug_assert_eq!(values.len(), self.labels);
        if self.admits(values) {
            self.vec.series(values)
        } else {
            self.overflowed.inc();
            self.vec.series(&vec![OVERFLOW; self.labels])
        }
    }

    /// Forget a series whose subject is gone.
    pub(super) fn remove(&self, values: &[&str]) {
        self.known.lock().remove(&boxed(values));
        // It fails only if there is no such series, which is as wanted.
        drop(self.vec.forget(values));
    }

    fn admits(&self, values: &[&str]) -> bool {
        let mut known = self.known.lock();
        let values = boxed(values);
        known.contains(&values) || (known.len() < self.budget && known.insert(values))
    }
}

fn boxed(values: &[&str]) -> Box<[Box<str>]> {
    values.iter().map(|value| Box::from(*value)).collect()
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn beyond_the_budget_everything_is_one_series_and_counted() {
        let metrics = Metrics::with_series_budget(2);
        for name in ["a", "b", "c", "d", "a"] {
            metrics.upstream(name).ejected();
        }
        let text = metrics.encode();
        for (name, count) in [("a", 2), ("b", 1), ("overflow", 2)] {
            let line =
                format!("weir_upstream_ejections_total{{weir_upstream=\"{name}\"}} {count}\n");
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("weir_upstream=\"c\""));
        assert!(
            text.contains(
                "weir_series_overflow_total{metric=\"weir_upstream_ejections_total\"} 2\n"
            )
        );
    }

    #[test]
    fn a_removed_series_makes_room() {
        let metrics = Metrics::with_series_budget(1);
        let upstream = metrics.upstream("a");
        upstream.endpoint_healthy("10.0.0.1:80", true);
        upstream.endpoint_removed("10.0.0.1:80");
        upstream.endpoint_healthy("10.0.0.2:80", false);
        let text = metrics.encode();
        assert!(!text.contains("10.0.0.1:80"));
        assert!(text.contains("endpoint=\"10.0.0.2:80\",weir_upstream=\"a\"} 0\n"));
    }
}
