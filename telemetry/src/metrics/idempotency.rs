//! What becomes of requests with an `Idempotency-Key`.

use super::Families;
use prometheus::IntCounter;

/// What a request with a key met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Nobody came with it before.
    First,
    /// Somebody did, and what came of it had to be looked up.
    Resumed,
    /// Its answer was known.
    Replayed,
    /// It was used for another request.
    Reused,
    /// It is not known yet what came of the first.
    InProgress,
    /// Keys could not be remembered.
    Unavailable,
}

impl Met {
    const ALL: [Self; 6] = [
        Self::First,
        Self::Resumed,
        Self::Replayed,
        Self::Reused,
        Self::InProgress,
        Self::Unavailable,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Resumed => "resumed",
            Self::Replayed => "replayed",
            Self::Reused => "reused",
            Self::InProgress => "in_progress",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The series of one route.
#[derive(Debug)]
pub struct Idempotency {
    met: [IntCounter; Met::ALL.len()],
}

impl Idempotency {
    pub(super) fn resolve(families: &Families, route: &str) -> Self {
        let met = |met: Met| families.idempotency.with(&[route, met.as_str()]);
        Self {
            met: Met::ALL.map(met),
        }
    }

    /// A request came with a key.
    pub fn met(&self, met: Met) {
        self.met[met as usize].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn each_result_has_a_series_of_its_own_from_the_start() {
        let metrics = Metrics::new();
        metrics.idempotency("ingest").met(Met::Replayed);
        let text = metrics.encode();
        for line in [
            "weir_idempotency_requests_total{result=\"replayed\",weir_route=\"ingest\"} 1\n",
            "weir_idempotency_requests_total{result=\"unavailable\",weir_route=\"ingest\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is missing from {text}");
        }
    }
}
