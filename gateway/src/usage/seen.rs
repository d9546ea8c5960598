//! Which records were read before, as far back as a record may come again: a spool sends again what
//! was on its way when its process died, and that is never more than a few hundred thousand records
//! behind.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// So many of the latest are known at least; of twice as many, at most.
const KNOWN: usize = 1 << 20;

/// The latest that were read.
pub(super) struct Seen {
    hashing: [RandomState; 2],
    young: HashSet<u128>,
    old: HashSet<u128>,
    known: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self::of(KNOWN)
    }
}

impl Seen {
    fn of(known: usize) -> Self {
        Self {
            hashing: [RandomState::new(), RandomState::new()],
            young: HashSet::new(),
            old: HashSet::new(),
            known,
        }
    }

    /// Whether a record is new.
    pub(super) fn is_new(&mut self, id: &str) -> bool {
        let [high, low] = self
            .hashing
            .each_ref()
            .map(|by| u128::from(by.hash_one(id)));
        let id = high << 64 | low;
        if self.old.contains(&id) || !self.young.insert(id) {
            return false;
        }
        if self.young.len() >= self.known {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn the_latest_are_known_and_memory_is_bounded() {
        let mut seen = Seen::of(100);
        for number in 0..1_000 {
            let id = number.to_string();
            assert!(seen.is_new(&id));
            assert!(!seen.is_new(&id));
            let before: i32 = number - 99;
            assert!(before < 0 || !seen.is_new(&before.to_string()), "{number}");
            assert!(seen.young.len() + seen.old.len() <= 200);
        }
    }
}
