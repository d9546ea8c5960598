//! Handles that depend on who calls, and so cannot all be resolved with a
//! snapshot: found again by their names without building a label or taking a
//! lock.

use ahash::{HashMap, RandomState};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::sync::Arc;

struct Entry<T> {
    names: Box<[Box<str>]>,
    handle: Arc<T>,
}

/// By the hash of the names, so that looking up allocates nothing.
type Entries<T> = HashMap<u64, Vec<Arc<Entry<T>>>>;

/// Handles by their names; at most `most` of them, because a name may come
/// from a caller. Others are made anew each time.
pub(super) struct Cache<T> {
    /// Never changed, but replaced: a new name is rare, and who looks one up
    /// must not meet others.
    entries: ArcSwap<Entries<T>>,
    /// Held by whoever adds one.
    adding: Mutex<()>,
    hasher: RandomState,
    most: usize,
}

impl<T> Cache<T> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            entries: ArcSwap::default(),
            adding: Mutex::default(),
            hasher: RandomState::new(),
            most,
        }
    }

    pub(super) fn get(&self, names: &[&str], make: impl FnOnce() -> T) -> Arc<T> {
        let hash = self.hasher.hash_one(names);
        let known = self.entries.load();
        if let Some(found) = find(known.get(&hash), names) {
            return found;
        }
        if known.len() >= self.most {
            return Arc::new(make());
        }
        drop(known);
        let _adding = self.adding.lock();
        // Another thread may have been quicker.
        let known = self.entries.load();
        if let Some(found) = find(known.get(&hash), names) {
            return found;
        }
        let handle = Arc::new(make());
        if known.len() < self.most {
            let mut entries = Entries::clone(&known);
            entries.entry(hash).or_default().push(Arc::new(Entry {
                names: names.iter().map(|name| Box::from(*name)).collect(),
                handle: Arc::clone(&handle),
            }));
            self.entries.store(Arc::new(entries));
        }
        handle
    }
}

fn find<T>(entries: Option<&Vec<Arc<Entry<T>>>>, names: &[&str]) -> Option<Arc<T>> {
    let same = |entry: &&Arc<Entry<T>>| {
        entry
            .names
            .iter()
            .map(|name| &**name)
            .eq(names.iter().copied())
    };
    entries?
        .iter()
        .find(same)
        .map(|entry| Arc::clone(&entry.handle))
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use std::sync::Arc;

    #[test]
    fn the_same_names_give_the_same_handle_and_others_do_not() {
        let cache = Cache::new(10);
        let first = cache.get(&["a", "bc"], || 1);
        assert!(Arc::ptr_eq(&first, &cache.get(&["a", "bc"], || 2)));
        assert_eq!(*cache.get(&["ab", "c"], || 3), 3);
        assert_eq!(*cache.get(&["a"], || 4), 4);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let cache = Cache::new(2);
        for n in 0..100 {
            assert_eq!(*cache.get(&[&n.to_string()], || n), n);
        }
        assert_eq!(cache.entries.load().len(), 2);
        assert_eq!(*cache.get(&["0"], || 7), 0, "the first ones stay");
    }

    #[test]
    fn threads_that_ask_at_once_are_given_the_same_handle() {
        let cache = Cache::new(1_000);
        let ask = || (0..200).map(|n: u32| cache.get(&[&n.to_string()], || n));
        let given: Vec<Vec<_>> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| ask().collect::<Vec<_>>()))
                .collect();
            let given = asking.into_iter().map(|one| one.join().expect("no panic"));
            given.collect()
        });
        for (first, other) in given[1..]
            .iter()
            .flat_map(|other| given[0].iter().zip(other))
        {
            assert!(Arc::ptr_eq(first, other));
        }
        assert_eq!(cache.entries.load().len(), 200);
    }
}
