//! Failures of one target in a row, and whether they are so many that it is set aside.

use std::sync::atomic::{AtomicU32, Ordering};

use super::aside::{Aside, Entry};
use super::clock;
use crate::config::models as config;

/// How one target does.
#[derive(Debug, Default)]
pub(super) struct Health {
    failures: AtomicU32,
    pub(super) aside: Aside,
}

impl Health {
    /// A call of it ended as it should.
    pub(super) fn ended(&self) {
        // Read first: it is 0 nearly always, and a write would be every thread's business.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A call of it failed by its fault.
    pub(super) fn failed(&self, entry: Entry, settings: config::Health, now: u64) {
        let more = |failures: u32| Some(failures.saturating_add(1));
        let before = self
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        let failures = before.unwrap_or(u32::MAX).saturating_add(1);
        if failures >= settings.failures || entry.was_aside() {
            let until = now.saturating_add(clock::millis(settings.set_aside));
            self.aside.set(entry, until);
        }
    }

    /// Failures since a call last ended as it should.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SETTINGS: config::Health = config::Health {
        failures: 3,
        set_aside: Duration::from_millis(100),
    };

    #[test]
    fn failures_in_a_row_set_it_aside_and_others_do_not() {
        let health = Health::default();
        for _ in 0..4 {
            for _ in 0..2 {
                let entry = health.aside.enter(1).expect("in use");
                health.failed(entry, SETTINGS, 1);
            }
            health.ended();
        }
        for now in [1, 2] {
            let entry = health.aside.enter(now).expect("in use");
            health.failed(entry, SETTINGS, now);
        }
        let entry = health.aside.enter(3).expect("in use");
        health.failed(entry, SETTINGS, 3);
        assert_eq!(health.aside.left(3), Some(100));
    }

    #[test]
    fn one_failure_of_a_probe_is_enough() {
        let health = Health::default();
        for _ in 0..3 {
            health.failed(health.aside.enter_anyway(), SETTINGS, 1);
        }
        let probe = health.aside.enter(101).expect("the probe");
        health.failed(probe, SETTINGS, 110);
        assert_eq!(health.aside.left(110), Some(100));
    }
}
