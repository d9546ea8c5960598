//! What was found of replies that were looked for, kept for a while: who polls asks again and again, and a topic
//! is not read from the same place each time. It is bounded, and nothing depends on it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::correlation::Id;
use crate::kafka::{Positions, Record};

/// How many replies are known of.
const MOST: usize = 4096;
/// What they hold at most, in bytes, but for the last one.
const KEPT: usize = 8 << 20;

/// How far a reply was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Searched {
    /// It was not before.
    pub(super) at: Positions,
    /// The topic did not hold all of what was before any more.
    pub(super) gone: bool,
}

/// What is known of one reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Searched(Searched),
    Found(Arc<Record>),
}

/// What is known of replies.
#[derive(Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_id: HashMap<Id, Known>,
    /// The oldest first.
    order: VecDeque<Id>,
    size: usize,
}

impl Memory {
    pub(super) fn of(&self, id: Id) -> Option<Known> {
        self.0.lock().by_id.get(&id).cloned()
    }

    /// A reply that was found is not looked for again.
    pub(super) fn learn(&self, id: Id, known: Known) {
        let mut kept = self.0.lock();
        match kept.by_id.get(&id) {
            Some(Known::Found(_)) => return,
            Some(Known::Searched(_)) => {}
            None => kept.order.push_back(id),
        }
        kept.size += size(&known);
        kept.by_id.insert(id, known);
        while kept.order.len() > MOST || (kept.size > KEPT && kept.order.len() > 1) {
            let oldest = kept.order.pop_front();
            let gone = oldest.and_then(|oldest| kept.by_id.remove(&oldest));
            kept.size -= gone.as_ref().map_or(0, size);
        }
    }
}

/// What one holds besides its place here.
fn size(known: &Known) -> usize {
    match known {
        Known::Searched(_) => 0,
        Known::Found(record) => record.size(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Id {
        Id::new().expect("there is randomness")
    }

    fn found(length: usize) -> Known {
        Known::Found(Arc::new(Record {
            partition: 0,
            offset: 1,
            timestamp: None,
            key: None,
            headers: Box::default(),
            value: Some(vec![0; length].into()),
        }))
    }

    #[test]
    fn what_was_found_stays_and_the_oldest_make_room() {
        let memory = Memory::default();
        let (one, two, three) = (id(), id(), id());
        let searched = Known::Searched(Searched::default());
        memory.learn(one, searched.clone());
        memory.learn(one, found(10));
        memory.learn(one, searched.clone());
        assert_eq!(memory.of(one), Some(found(10)));
        memory.learn(two, found(KEPT));
        assert_eq!(memory.of(one), None);
        assert_eq!(memory.of(two), Some(found(KEPT)), "the last one stays");
        memory.learn(three, searched);
        assert_eq!(memory.of(two), None);
        assert_eq!(memory.0.lock().size, 0);
        for _ in 0..2 * MOST {
            memory.learn(id(), found(0));
        }
        assert_eq!(memory.0.lock().by_id.len(), MOST);
    }
}
