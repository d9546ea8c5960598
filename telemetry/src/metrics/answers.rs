//! What becomes of calls whose answers may have been kept.

use super::Families;
use prometheus::IntCounter;

/// What came of looking a call up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The same call was answered before.
    Hit,
    /// One that means the same was.
    SemanticHit,
    /// Nothing was kept that answers it.
    Miss,
    /// It was not looked up: it or its caller does not allow that.
    Bypass,
}

impl Lookup {
    const ALL: [Self; 4] = [Self::Hit, Self::SemanticHit, Self::Miss, Self::Bypass];

    /// The word for it, in records and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::SemanticHit => "semantic_hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// What a lookup or an answer failed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Where answers are kept was not reached, or held what is none.
    Store,
    /// The provider of embeddings, which made no vector in time.
    Embeddings,
    /// A quota of the caller's, which had no room for the vector.
    Quota,
}

impl Cause {
    const ALL: [Self; 3] = [Self::Store, Self::Embeddings, Self::Quota];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Embeddings => "embeddings",
            Self::Quota => "quota",
        }
    }
}

/// The series of one route's answers.
#[derive(Debug)]
pub struct Answers {
    lookups: [IntCounter; Lookup::ALL.len()],
    failures: [IntCounter; Cause::ALL.len()],
    kept: IntCounter,
    evicted: IntCounter,
}

impl Answers {
    pub(super) fn resolve(families: &Families, route: &str) -> Self {
        let lookup = |of: Lookup| families.cache_lookups.with(&[route, of.as_str()]);
        let failure = |of: Cause| families.cache_failures.with(&[route, of.as_str()]);
        Self {
            lookups: Lookup::ALL.map(lookup),
            failures: Cause::ALL.map(failure),
            kept: families.cache_kept.with(&[route]),
            evicted: families.cache_evicted.with(&[route]),
        }
    }

    /// A call was looked up, or was not.
    pub fn looked_up(&self, result: Lookup) {
        self.lookups[result as usize].inc();
    }

    /// Something did not work; the call went on without it.
    pub fn failed(&self, cause: Cause) {
        self.failures[cause as usize].inc();
    }

    /// An answer was kept.
    pub fn kept(&self) {
        self.kept.inc();
    }

    /// So many answers made room before their time.
    pub fn evicted(&self, n: u64) {
        self.evicted.inc_by(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn each_result_has_a_series_of_its_own_from_the_start() {
        let metrics = Metrics::new();
        let answers = metrics.answers("chat");
        answers.looked_up(Lookup::Hit);
        answers.failed(Cause::Store);
        answers.kept();
        answers.evicted(2);
        let text = metrics.encode();
        for line in [
            "weir_llm_cache_lookups_total{result=\"hit\",weir_route=\"chat\"} 1\n",
            "weir_llm_cache_lookups_total{result=\"semantic_hit\",weir_route=\"chat\"} 0\n",
            "weir_llm_cache_lookups_total{result=\"miss\",weir_route=\"chat\"} 0\n",
            "weir_llm_cache_lookups_total{result=\"bypass\",weir_route=\"chat\"} 0\n",
            "weir_llm_cache_failures_total{cause=\"store\",weir_route=\"chat\"} 1\n",
            "weir_llm_cache_kept_total{weir_route=\"chat\"} 1\n",
            "weir_llm_cache_evictions_total{weir_route=\"chat\"} 2\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
