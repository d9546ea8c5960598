//! A retry budget: retries are paid for by first attempts, so that an outage is not multiplied.
//!
//! It decides how many retries there may be, not which request is safe to repeat.

use std::sync::atomic::{AtomicU32, Ordering};

/// The price of a retry, in the unit in which credit is kept: hundredths of one.
const RETRY: u32 = 100;

/// Retries in the bank at the start, so that the first requests after a start may be retried too.
const START: u32 = 3;

/// The most retries that can be saved up. What a long healthy time has earned must not become a
/// storm of retries in the first second of an outage.
const CAP: u32 = 100;

/// The retry credit of one upstream, shared by all its callers.
pub(crate) struct Budget {
    percent: u32,
    credit: AtomicU32,
}

impl Budget {
    /// Allows retries up to `percent` of first attempts, plus a handful at the start. 0 allows
    /// none at all.
    pub(crate) fn new(percent: u8) -> Budget {
        let start = if percent == 0 { 0 } else { START * RETRY };
        Budget {
            percent: u32::from(percent),
            credit: AtomicU32::new(start),
        }
    }

    /// Earns credit for one first attempt.
    pub(crate) fn request(&self) {
        const FULL: u32 = CAP * RETRY;
        let earn = |credit: u32| (credit < FULL).then(|| (credit + self.percent).min(FULL));
        // Declined when the bank is full, which is the usual case and costs one load.
        let _ = self
            .credit
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, earn);
    }

    /// Pays for one retry, if there is credit for it.
    pub(crate) fn try_retry(&self) -> bool {
        let pay = |credit: u32| credit.checked_sub(RETRY);
        self.credit
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend_all(budget: &Budget) -> u32 {
        (0..).take_while(|_| budget.try_retry()).count() as u32
    }

    #[test]
    fn a_fresh_budget_allows_the_handful_it_starts_with() {
        assert_eq!(spend_all(&Budget::new(20)), START);
    }

    #[test]
    fn zero_percent_allows_no_retry_ever() {
        let budget = Budget::new(0);
        for _ in 0..10_000 {
            budget.request();
            assert!(!budget.try_retry());
        }
    }

    #[test]
    fn five_requests_at_twenty_percent_earn_one_retry() {
        let budget = Budget::new(20);
        spend_all(&budget);
        for _ in 0..4 {
            budget.request();
            assert!(!budget.try_retry());
        }
        budget.request();
        assert!(budget.try_retry());
        assert!(!budget.try_retry());
    }

    #[test]
    fn savings_are_capped() {
        for percent in [1, 100, 200] {
            let budget = Budget::new(percent);
            for _ in 0..200 * CAP {
                budget.request();
            }
            assert_eq!(spend_all(&budget), CAP);
        }
    }

    #[test]
    fn retries_never_exceed_the_share_whatever_is_asked() {
        for percent in 0..=200 {
            let budget = Budget::new(percent);
            let mut retries = 0;
            for requests in 1..=300_u32 {
                budget.request();
                // a pattern of greed that differs from request to request
                for _ in 0..(requests * 7 + u32::from(percent)) % 4 {
                    retries += u32::from(budget.try_retry());
                }
                assert!(retries <= START + requests * u32::from(percent) / 100);
            }
        }
    }

    #[test]
    fn threads_together_get_exactly_what_was_earned() {
        let budget = Budget::new(20);
        let retries = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        budget.request();
                        for _ in 0..2 {
                            retries.fetch_add(budget.try_retry().into(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let retries = retries.into_inner() + spend_all(&budget);
        assert_eq!(retries, START + 4_000 * 20 / 100);
    }
}
