//! Something that is set aside for a while and then probed: one call uses it again, the others still
//! avoid it until that was well. Does not know what it is.
//!
//! One number says it all: 0 while it is in use, else when the next probe is due. Who probes moves
//! that moment on, and so keeps the others away meanwhile. A call remembers the number it began
//! with; what it finds out of something that was set aside after it began puts nothing into use.

use std::sync::atomic::{AtomicU64, Ordering};

/// A probe without a verdict after so long, in milliseconds, is given up: another call may try.
const PATIENCE: u64 = 60_000;

/// Something that may be set aside.
#[derive(Debug, Default)]
pub(super) struct Aside(AtomicU64);

/// How a call found it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    seen: u64,
    probes: bool,
}

impl Entry {
    /// Whether it was set aside already.
    pub(super) const fn was_aside(self) -> bool {
        self.seen != 0
    }
}

impl Aside {
    /// Leave to use it, if it is in use or this call is to probe it.
    pub(super) fn enter(&self, now: u64) -> Option<Entry> {
        let seen = self.0.load(Ordering::Acquire);
        if seen == 0 {
            return Some(Entry {
                seen,
                probes: false,
            });
        }
        if now < seen {
            return None;
        }
        let until = now.saturating_add(PATIENCE);
        let claimed = self
            .0
            .compare_exchange(seen, until, Ordering::AcqRel, Ordering::Relaxed);
        claimed.is_ok().then_some(Entry {
            seen: until,
            probes: true,
        })
    }

    /// Leave to use it although it may be set aside: nothing else is left.
    pub(super) fn enter_anyway(&self) -> Entry {
        Entry {
            seen: self.0.load(Ordering::Acquire),
            probes: false,
        }
    }

    /// It was well: it is in use again, unless it was set aside since.
    pub(super) fn well(&self, entry: Entry) {
        if entry.was_aside() {
            self.turn(entry.seen, 0);
        }
    }

    /// Sets it aside until then.
    pub(super) fn set(&self, entry: Entry, until: u64) {
        if !self.turn(entry.seen, until) {
            self.0.fetch_max(until, Ordering::AcqRel);
        }
    }

    /// The call ended and says nothing of it: whoever comes next probes.
    pub(super) fn release(&self, entry: Entry, now: impl FnOnce() -> u64) {
        if entry.probes {
            self.turn(entry.seen, now());
        }
    }

    /// How long until the next probe, in milliseconds; `None` while it is in use.
    pub(super) fn left(&self, now: u64) -> Option<u64> {
        let until = self.0.load(Ordering::Relaxed);
        (until != 0).then(|| until.saturating_sub(now))
    }

    fn turn(&self, from: u64, to: u64) -> bool {
        self.0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_aside(until: u64) -> Aside {
        let aside = Aside::default();
        let entry = aside.enter(1).expect("in use");
        aside.set(entry, until);
        aside
    }

    #[test]
    fn one_call_probes_and_the_others_wait_for_its_verdict() {
        let aside = set_aside(100);
        assert!(aside.enter(99).is_none());
        let probe = aside.enter(100).expect("the probe");
        assert!(aside.enter(101).is_none());
        aside.well(probe);
        assert!(aside.enter(102).is_some() && aside.enter(102).is_some());
    }

    #[test]
    fn a_probe_that_fails_sets_aside_anew_and_for_no_longer_than_said() {
        let aside = set_aside(100);
        let probe = aside.enter(100).expect("the probe");
        aside.set(probe, 150);
        assert!(aside.enter(149).is_none());
        assert!(aside.enter(150).is_some());
    }

    #[test]
    fn a_probe_without_a_verdict_leaves_it_to_the_next() {
        let aside = set_aside(100);
        let probe = aside.enter(100).expect("the probe");
        aside.release(probe, || 101);
        assert!(aside.enter(101).is_some());
        // One that nobody hears of again is given up.
        let aside = set_aside(100);
        assert!(aside.enter(100).is_some());
        assert!(aside.enter(100 + PATIENCE).is_some());
    }

    #[test]
    fn a_call_that_began_before_says_nothing_of_what_was_found_since() {
        let aside = Aside::default();
        let (early, other) = (aside.enter(1).expect("in use"), aside.enter_anyway());
        aside.set(other, 100);
        aside.well(early);
        assert!(aside.enter(50).is_none());
        // Who tried it although it was set aside does.
        let anyway = aside.enter_anyway();
        aside.well(anyway);
        assert!(aside.enter(50).is_some());
    }

    #[test]
    fn of_two_that_set_it_aside_the_longer_counts() {
        let aside = Aside::default();
        let (one, other) = (aside.enter_anyway(), aside.enter_anyway());
        aside.set(one, 200);
        aside.set(other, 100);
        assert_eq!(aside.left(50), Some(150));
    }
}
