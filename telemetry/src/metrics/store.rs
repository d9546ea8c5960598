//! How the stores that quotas are counted in fare.

use super::Families;
use prometheus::{Gauge, Histogram, IntCounter};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The series of one store.
pub struct Store {
    families: Arc<Families>,
    name: Box<str>,
    duration: Histogram,
    failures: IntCounter,
    at_once: IntCounter,
    waited: IntCounter,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("name", &self.name).finish()
    }
}

impl Store {
    pub(super) fn resolve(families: &Arc<Families>, name: &str) -> Self {
        let decisions = |waited| families.store_decisions.with(&[name, waited]);
        Self {
            duration: families.store_duration.with(&[name]),
            failures: families.store_failures.with(&[name]),
            at_once: decisions("false"),
            waited: decisions("true"),
            families: Arc::clone(families),
            name: name.into(),
        }
    }

    /// A decision was made at once, or only after the store was asked.
    pub fn decided(&self, waited: bool) {
        match waited {
            false => self.at_once.inc(),
            true => self.waited.inc(),
        }
    }

    /// The store answered an entry after so long, or failed to.
    pub fn entered(&self, took: Duration, failed: bool) {
        self.duration.observe(took.as_secs_f64());
        if failed {
            self.failures.inc();
        }
    }

    /// These are the faults of the store's servers, and no others. Never said of other stores.
    pub fn unfit(&self, faults: &[Fault]) {
        for fault in Fault::ALL {
            let labels = [&*self.name, fault.as_str()];
            let gauge: Gauge = self.families.store_faults.with(&labels);
            gauge.set(f64::from(u8::from(faults.contains(&fault))));
        }
    }

    /// Whether this process keeps the store's file. Never said of other stores.
    pub fn keeps(&self, keeps: bool) {
        let gauge: Gauge = self.families.store_keeper.with(&[&self.name]);
        gauge.set(f64::from(u8::from(keeps)));
    }
}

/// What makes a store's servers unfit to keep counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// They forget keys when memory runs short.
    Eviction,
    /// They forget all when they restart.
    Persistence,
}

impl Fault {
    /// Each one.
    const ALL: [Self; 2] = [Self::Eviction, Self::Persistence];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Eviction => "eviction",
            Self::Persistence => "persistence",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn each_store_is_counted_apart() {
        let metrics = Metrics::new();
        let (one, _other) = (metrics.store("one"), metrics.store("other"));
        one.decided(false);
        one.decided(false);
        one.decided(true);
        one.entered(Duration::from_millis(3), true);
        let text = metrics.encode();
        for line in [
            "weir_quota_store_decisions_total{store=\"one\",waited=\"false\"} 2\n",
            "weir_quota_store_decisions_total{store=\"one\",waited=\"true\"} 1\n",
            "weir_quota_store_decisions_total{store=\"other\",waited=\"false\"} 0\n",
            "weir_quota_store_duration_seconds_count{store=\"one\"} 1\n",
            "weir_quota_store_failures_total{store=\"one\"} 1\n",
            "weir_quota_store_failures_total{store=\"other\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("weir_quota_store_keeper{"));
        one.keeps(true);
        let text = metrics.encode();
        assert!(text.contains("weir_quota_store_keeper{store=\"one\"} 1\n"));
        assert!(!text.contains("weir_quota_store_faults{"));
        one.unfit(&[Fault::Persistence]);
        let text = metrics.encode();
        let of = |fault| format!("weir_quota_store_faults{{fault=\"{fault}\",store=\"one\"}}");
        assert!(
            text.contains(&format!("{} 1\n", of("persistence"))),
            "{text}"
        );
        assert!(text.contains(&format!("{} 0\n", of("eviction"))), "{text}");
        one.unfit(&[]);
        assert!(
            metrics
                .encode()
                .contains(&format!("{} 0\n", of("persistence")))
        );
    }
}
