//! How full a token bucket is: what was put in, in the order it came, less what has drained since.

use super::{Book, Terms};
use crate::quota::window::{Micros, Window, micros};

/// A bucket at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    /// What is in it.
    pub(super) level: u64,
    /// Nothing put in before this step is in it any more.
    pub(super) since: u64,
}

impl Book {
    /// The bucket now. What was taken in a step drains from the end of that step on, so that it is
    /// never back too soon.
    pub(super) fn bucket(&self, terms: Terms, now: Micros) -> Bucket {
        let granule = terms.window.granule();
        let (mut put_in, mut from, mut since) = (0_u64, 0, 0);
        let (mut ahead, mut ahead_credit) = (0_u64, 0_u64);
        for (step, amount) in self.by_step() {
            let credit = self.credit_in(step);
            let ends = step.saturating_add(1).saturating_mul(granule);
            if ends > now {
                ahead = ahead.saturating_add(amount);
                ahead_credit = ahead_credit.saturating_add(credit);
                continue;
            }
            if drained(terms, from, ends) >= put_in {
                (put_in, from, since) = (0, ends, step);
            }
            put_in = put_in.saturating_add(amount).saturating_sub(credit);
        }
        let left = put_in.saturating_sub(drained(terms, from, now));
        if left == 0 && ahead == 0 {
            since = self.step;
        }
        let level = left.saturating_add(ahead);
        Bucket {
            level: level.saturating_sub(ahead_credit),
            since,
        }
    }

    /// The first step from which anything may still be in the bucket.
    pub(super) fn drained(&self, terms: Terms, now: Micros) -> u64 {
        self.bucket(terms, now).since
    }
}

/// What drains between two moments, rounded down.
fn drained(terms: Terms, from: Micros, to: Micros) -> u64 {
    let Window::TokenBucket { every, .. } = terms.window else {
        return 0;
    };
    let time = u128::from(to.saturating_sub(from));
    let drained = u128::from(terms.limit) * time / u128::from(micros(every).max(1));
    u64::try_from(drained).unwrap_or(u64::MAX)
}

/// How long it takes for so much to drain, rounded up. `None` if it never does.
pub(super) fn time_to_drain(terms: Terms, amount: u64) -> Option<Micros> {
    let Window::TokenBucket { every, .. } = terms.window else {
        return None;
    };
    if terms.limit == 0 {
        return None;
    }
    let time = (u128::from(amount) * u128::from(micros(every).max(1))).div_ceil(terms.limit.into());
    u64::try_from(time).ok()
}
