//! How soon a target's first token came of late: a moving mean, of streams and of whole answers
//! apart, since a whole answer comes with its last token.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What was not measured for so long, in milliseconds, is measured again by one call.
const LATELY: u64 = 30_000;
/// A new measure counts one part of so many.
const WEIGHT: u64 = 5;

/// How soon one target answers.
#[derive(Debug, Default)]
pub(super) struct Pace {
    streamed: Mean,
    whole: Mean,
}

#[derive(Debug, Default)]
struct Mean {
    /// In microseconds; 0 if it was never measured.
    micros: AtomicU64,
    /// When it was measured last, or a call was sent to do so.
    looked: AtomicU64,
}

impl Pace {
    /// It took so long until the model said something.
    pub(super) fn measured(&self, stream: bool, took: Duration, now: u64) {
        let mean = self.of(stream);
        let took = u64::try_from(took.as_micros())
            .unwrap_or(u64::MAX >> 8)
            .max(1);
        let next = |before: u64| match before {
            0 => Some(took),
            _ => Some(((before * (WEIGHT - 1)).saturating_add(took) / WEIGHT).max(1)),
        };
        let _ = mean
            .micros
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        mean.looked.store(now, Ordering::Relaxed);
    }

    /// How long it takes, in microseconds; more than any time if nobody knows.
    pub(super) fn expected(&self, stream: bool) -> u64 {
        match self.of(stream).micros.load(Ordering::Relaxed) {
            0 => u64::MAX,
            micros => micros,
        }
    }

    /// Whether this call is the one to measure what was not measured lately.
    pub(super) fn is_due(&self, stream: bool, now: u64) -> bool {
        let looked = &self.of(stream).looked;
        let last = looked.load(Ordering::Relaxed);
        let due = last == 0 || now.saturating_sub(last) >= LATELY;
        due && looked
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    const fn of(&self, stream: bool) -> &Mean {
        match stream {
            true => &self.streamed,
            false => &self.whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_follows_what_is_measured() {
        let pace = Pace::default();
        assert_eq!(pace.expected(true), u64::MAX);
        pace.measured(true, Duration::from_millis(100), 1);
        assert_eq!(pace.expected(true), 100_000);
        pace.measured(true, Duration::from_millis(600), 2);
        assert_eq!(pace.expected(true), 200_000);
        for _ in 0..40 {
            pace.measured(true, Duration::from_millis(600), 3);
        }
        assert!((590_000..=600_000).contains(&pace.expected(true)));
        assert_eq!(pace.expected(false), u64::MAX, "whole answers are apart");
    }

    #[test]
    fn what_was_not_measured_lately_is_measured_by_one_call() {
        let pace = Pace::default();
        assert!(pace.is_due(true, 1));
        assert!(!pace.is_due(true, 2), "somebody is at it");
        pace.measured(true, Duration::from_millis(1), 5);
        assert!(!pace.is_due(true, 4 + LATELY));
        assert!(pace.is_due(true, 5 + LATELY));
        assert!(!pace.is_due(true, 6 + LATELY));
    }
}
