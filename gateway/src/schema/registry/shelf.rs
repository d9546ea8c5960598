//! What a registry said, by what it was asked: of a bounded number of questions, those asked last.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::RwLock;

use super::{Known, Question};

/// The most questions that are remembered.
const MOST: usize = 1024;

/// The answers of a registry.
#[derive(Default)]
pub(super) struct Shelf {
    slots: RwLock<HashMap<Question, (Arc<Slot>, AtomicU64), ahash::RandomState>>,
    /// Counts uses.
    clock: AtomicU64,
}

/// The answer to one question.
#[derive(Default)]
pub(super) struct Slot {
    known: ArcSwapOption<Known>,
    /// Held by who asks.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Slot {
    /// What was said last.
    pub(super) fn known(&self) -> Option<Arc<Known>> {
        self.known.load_full()
    }

    /// Remembers what was said.
    pub(super) fn learn(&self, known: Known) {
        self.known.store(Some(Arc::new(known)));
    }
}

impl Shelf {
    /// Where the answer to a question is, or will be.
    pub(super) fn slot(&self, question: &Question) -> Arc<Slot> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        if let Some((slot, used)) = self.slots.read().get(question) {
            used.store(now, Ordering::Relaxed);
            return slot.clone();
        }
        let mut slots = self.slots.write();
        if slots.len() >= MOST && !slots.contains_key(question) {
            let used = |(_, used): &(Arc<Slot>, AtomicU64)| used.load(Ordering::Relaxed);
            let oldest = slots.iter().min_by_key(|(_, slot)| used(slot));
            if let Some(oldest) = oldest.map(|(question, _)| question.clone()) {
                slots.remove(&oldest);
            }
        }
        let new = || (Arc::default(), AtomicU64::new(now));
        slots.entry(question.clone()).or_insert_with(new).0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_longest_makes_room() {
        let shelf = Shelf::default();
        let first = shelf.slot(&Question::Id(0));
        let second = shelf.slot(&Question::Id(1));
        for id in 2..1024 {
            shelf.slot(&Question::Id(id));
        }
        assert!(Arc::ptr_eq(&first, &shelf.slot(&Question::Id(0))));
        shelf.slot(&Question::Id(1024));
        assert!(Arc::ptr_eq(&first, &shelf.slot(&Question::Id(0))));
        assert!(!Arc::ptr_eq(&second, &shelf.slot(&Question::Id(1))));
        assert_eq!(shelf.slots.read().len(), MOST);
    }
}
