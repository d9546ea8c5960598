//! The server's clock, as far as it is known here.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;

use crate::quota::window::{Micros, since_epoch};

/// The server's clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// What it is ahead of this machine's, in microseconds.
    ahead: AtomicI64,
    /// When it was last heard, by itself.
    heard: AtomicU64,
}

/// Answers that took a while say little; less than this is no difference, in microseconds.
const SLACK: i64 = 1_000;

impl Clock {
    /// This machine's.
    pub(super) fn local(&self) -> Micros {
        since_epoch(SystemTime::now())
    }

    /// The server's.
    pub(super) fn now(&self) -> Micros {
        self.local()
            .saturating_add_signed(self.ahead.load(Ordering::Relaxed))
    }

    /// The server said `theirs` in answer to what was sent at `sent`: it was so at some moment
    /// between then and now. The clock is moved only if that cannot be.
    pub(super) fn hear(&self, sent: Micros, theirs: Micros) {
        self.correct(sent, self.local(), theirs);
        self.heard.fetch_max(theirs, Ordering::Relaxed);
    }

    /// When the server was last heard, by its clock.
    pub(super) fn heard(&self) -> Micros {
        self.heard.load(Ordering::Relaxed)
    }

    fn correct(&self, sent: Micros, received: Micros, theirs: Micros) {
        let [sent, received, theirs] = [sent, received, theirs].map(Micros::cast_signed);
        let (least, most) = (theirs - received.max(sent) - SLACK, theirs - sent + SLACK);
        let known = self.ahead.load(Ordering::Relaxed);
        if !(least..=most).contains(&known) {
            let middle = theirs - (sent + (received - sent) / 2);
            self.ahead.store(middle, Ordering::Relaxed);
        }
    }

    /// Makes it the server's at this moment, as it is about to be relied upon.
    pub(super) fn set(&self, theirs: Micros) {
        let offset = theirs.cast_signed() - self.local().cast_signed();
        self.ahead.store(offset, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_agrees_changes_nothing_and_one_that_cannot_does() {
        let clock = Clock::default();
        clock.correct(1_000_000, 1_100_000, 1_050_000);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), 0);
        clock.correct(1_000_000, 1_100_000, 5_050_000);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), 4_000_000);
        // A slow answer that could still be so.
        clock.correct(2_000_000, 3_000_000, 6_100_000);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), 4_000_000);
        clock.correct(3_000_000, 3_000_100, 3_000_050);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), 0);
    }
}
