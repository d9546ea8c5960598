//! An upstream's gauges, and whose they are: one that a reload replaced may live on with its last
//! requests, but what is shown is its successor's.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::Upstream;
use super::breaker::Change;

/// Which gauges an upstream may still write. Held while one is written, so that nothing is written
/// once the right to it is gone.
pub(super) struct Voice(Mutex<Rights>);

struct Rights {
    endpoints: bool,
    breaker: bool,
}

impl Default for Voice {
    fn default() -> Self {
        Voice(Mutex::new(Rights {
            endpoints: true,
            breaker: true,
        }))
    }
}

impl Upstream {
    /// Tells the metrics which endpoints take traffic, and for how long they leave idle connections open.
    pub(super) fn tell_health(&self) {
        let rights = self.voice.0.lock();
        if !rights.endpoints {
            return;
        }
        let now = Instant::now();
        for (i, endpoint) in self.endpoints.iter().enumerate() {
            let takes_traffic = endpoint.is_healthy() && !self.outliers.is_ejected(i, now);
            self.metrics.endpoint_healthy(&endpoint.name, takes_traffic);
            let timeout = endpoint.pool.idle_timeout().map(|timeout| timeout.after);
            self.metrics.idle_timeout(&endpoint.name, timeout);
        }
    }

    /// Tells the metrics that the breaker turned.
    pub(super) fn tell_breaker(&self, change: Change) {
        let rights = self.voice.0.lock();
        if rights.breaker {
            self.metrics.breaker_open(change == Change::Opened);
        }
    }

    /// Leaves the gauges to `successor`, and takes away those of endpoints it does not have. To be
    /// called before the successor is: its breaker, if it is a new one, is shown as closed.
    pub(crate) fn retire(&self, successor: Option<&Arc<Upstream>>) {
        let mut rights = self.voice.0.lock();
        rights.endpoints = false;
        for endpoint in &self.endpoints {
            let kept =
                successor.is_some_and(|s| s.endpoints.iter().any(|e| e.name == endpoint.name));
            if !kept {
                self.metrics.endpoint_removed(&endpoint.name);
            }
        }
        // A breaker that both share is told of by whoever turns it.
        if !successor.is_some_and(|s| Arc::ptr_eq(&s.breaker, &self.breaker)) {
            rights.breaker = false;
            self.metrics.breaker_open(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_telemetry::Metrics;

    use super::super::build;
    use super::*;

    fn upstream(
        endpoints: &str,
        more: &str,
        before: Option<&Arc<Upstream>>,
        metrics: &Metrics,
    ) -> Arc<Upstream> {
        let yaml = format!(
            "version: 1\nlisteners: [{{ name: public, address: 127.0.0.1:0 }}]\n\
             upstreams: [{{ name: up, endpoints: [{endpoints}], {more} }}]\n"
        );
        let loaded = crate::config::parse_str(&yaml).unwrap_or_else(|faults| panic!("{faults}"));
        build::build(&loaded.config.upstreams[0], before, metrics)
    }

    const A: &str = "{ address: 127.0.0.1:1 }";
    const BOTH: &str = "{ address: 127.0.0.1:1 }, { address: 127.0.0.1:2 }";

    #[test]
    fn who_was_replaced_is_silent() {
        let metrics = Metrics::default();
        let old = upstream(BOTH, "", None, &metrics);
        old.tell_health();
        assert!(metrics.encode().contains("127.0.0.1:2"));

        let new = upstream(A, "breaker: { error_percent: 50 }", Some(&old), &metrics);
        new.tell_health();
        old.retire(Some(&new));
        old.tell_health();
        old.tell_breaker(Change::Opened);
        let text = metrics.encode();
        assert!(text.contains("127.0.0.1:1") && !text.contains("127.0.0.1:2"));
        assert!(text.contains("weir_upstream_breaker_open{weir_upstream=\"up\"} 0\n"));

        new.retire(None);
        new.tell_health();
        assert!(!metrics.encode().contains("127.0.0.1:1"));
    }

    #[test]
    fn a_breaker_that_stays_is_told_of_by_both() {
        let metrics = Metrics::default();
        let old = upstream(BOTH, "", None, &metrics);
        let new = upstream(A, "", Some(&old), &metrics);
        old.retire(Some(&new));
        old.tell_breaker(Change::Opened);
        let open = "weir_upstream_breaker_open{weir_upstream=\"up\"} 1\n";
        assert!(metrics.encode().contains(open));
    }
}
