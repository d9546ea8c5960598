//! Answers kept in this process, within a number of bytes: what was not asked for longest makes room.
//!
//! Parts, each with a lock of its own that is held for a look-up only; a key says in which it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;

use super::entry::Entry;
use super::key::Key;
use crate::config::routes::cache::PARTS;

/// All that is kept.
pub(super) struct Memory {
    parts: Box<[Mutex<Part>]>,
}

#[derive(Default)]
struct Part {
    entries: HashMap<Key, Held, RandomState>,
    /// Keys by when they were last asked for.
    order: BTreeMap<u64, Key>,
    /// Counts uses.
    turn: u64,
    /// What all entries take, and what they may, in bytes.
    size: usize,
    most: usize,
}

struct Held {
    entry: Arc<Entry>,
    used: u64,
}

impl Memory {
    /// Nothing yet, and never more than so many bytes.
    pub(super) fn new(max_size: u64) -> Self {
        let most = usize::try_from(max_size / PARTS).unwrap_or(usize::MAX);
        let part = || Part {
            most,
            ..Part::default()
        };
        Self {
            parts: (0..PARTS).map(|_| Mutex::new(part())).collect(),
        }
    }

    /// The answer of that name, if it `is_good` still; else it is forgotten.
    pub(super) fn get(&self, key: &Key, is_good: impl Fn(&Entry) -> bool) -> Option<Arc<Entry>> {
        self.part(key).lock().get(key, is_good)
    }

    /// Keeps an answer; how many made room for it. `None` if it is larger than a part.
    pub(super) fn put(&self, key: Key, entry: Arc<Entry>) -> Option<u64> {
        self.part(&key).lock().put(key, entry)
    }

    fn part(&self, key: &Key) -> &Mutex<Part> {
        &self.parts[usize::from(key.0[0]) % self.parts.len()]
    }
}

impl Part {
    fn get(&mut self, key: &Key, is_good: impl Fn(&Entry) -> bool) -> Option<Arc<Entry>> {
        let held = self.entries.get_mut(key)?;
        if !is_good(&held.entry) {
            self.remove(key);
            return None;
        }
        self.turn += 1;
        self.order.remove(&held.used);
        held.used = self.turn;
        self.order.insert(self.turn, *key);
        Some(held.entry.clone())
    }

    fn put(&mut self, key: Key, entry: Arc<Entry>) -> Option<u64> {
        self.remove(&key);
        let size = entry.size();
        if size > self.most {
            return None;
        }
        let mut evicted = 0;
        while self.size + size > self.most {
            let Some((_, oldest)) = self.order.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            self.remove(&oldest);
            evicted += 1;
        }
        self.turn += 1;
        self.size += size;
        self.order.insert(self.turn, key);
        let used = self.turn;
        self.entries.insert(key, Held { entry, used });
        Some(evicted)
    }

    fn remove(&mut self, key: &Key) {
        if let Some(held) = self.entries.remove(key) {
            self.order.remove(&held.used);
            self.size -= held.entry.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::action::llm::api::Outbound;
    use crate::action::llm::cache::entry::{Form, Head};

    fn key(n: u8) -> Key {
        Key([n; 32])
    }

    fn entry(bytes: usize) -> Arc<Entry> {
        Arc::new(Entry {
            head: Head {
                form: Form::Whole,
                speaks: Outbound::Chat,
                provider: "p".into(),
                model: "m".into(),
                dropped: None,
                kept_at: 0,
            },
            body: Bytes::from(vec![0; bytes]),
        })
    }

    fn part(entries: usize, bytes: usize) -> Part {
        Part {
            most: entries * entry(bytes).size(),
            ..Part::default()
        }
    }

    #[test]
    fn what_was_not_asked_for_longest_makes_room() {
        let mut part = part(3, 100);
        for n in 0..3 {
            assert_eq!(part.put(key(n), entry(100)), Some(0));
        }
        assert!(part.get(&key(0), |_| true).is_some());
        assert_eq!(part.put(key(3), entry(100)), Some(1));
        let there = |part: &mut Part, n| part.get(&key(n), |_| true).is_some();
        let left: Vec<bool> = (0..4).map(|n| there(&mut part, n)).collect();
        assert_eq!(left, [true, false, true, true]);
    }

    #[test]
    fn what_is_not_good_any_more_is_forgotten() {
        let mut part = part(3, 100);
        part.put(key(0), entry(100));
        assert!(part.get(&key(0), |_| false).is_none());
        assert!(part.get(&key(0), |_| true).is_none());
        assert_eq!((part.size, part.order.len()), (0, 0));
    }

    #[test]
    fn what_does_not_fit_at_all_makes_nothing_give_way() {
        let mut part = part(2, 100);
        part.put(key(0), entry(100));
        assert_eq!(part.put(key(1), entry(100_000)), None);
        assert!(part.get(&key(0), |_| true).is_some());
    }

    proptest! {
        #[test]
        fn no_part_ever_takes_more_than_its_share(
            puts in proptest::collection::vec((any::<u8>(), 0_usize..3000), 1..200),
        ) {
            let mut part = Part { most: 8192, ..Part::default() };
            for (n, bytes) in puts {
                part.put(key(n), entry(bytes));
                let sizes = part.entries.values().map(|held| held.entry.size());
                prop_assert_eq!(part.size, sizes.sum::<usize>());
                prop_assert!(part.size <= part.most);
                prop_assert_eq!(part.order.len(), part.entries.len());
            }
        }
    }
}
