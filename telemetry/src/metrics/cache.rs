//! Handles that depend on who calls, and so cannot all be resolved with a
//! snapshot: found again by their names without building a label or taking an
//! exclusive lock.

use ahash::{HashMap, RandomState};
use parking_lot::RwLock;
use std::sync::Arc;

struct Entry<T> {
    names: Box<[Box<str>]>,
    handle: Arc<T>,
}

/// Handles by their names; at most `most` of them, because a name may come
/// from a caller. Others are made anew each time.
pub(super) struct Cache<T> {
    /// By the hash of the names, so that looking up allocates nothing.
    entries: RwLock<HashMap<u64, Vec<Entry<T>>>>,
    hasher: RandomState,
    most: usize,
}

impl<T> Cache<T> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            entries: RwLock::default(),
            hasher: RandomState::new(),
            most,
        }
    }

    pub(super) fn get(&self, names: &[&str], make: impl FnOnce() -> T) -> Arc<T> {
        let hash = self.hasher.hash_one(names);
        if let Some(found) = find(self.entries.read().get(&hash), names) {
            return found;
        }
        let mut entries = self.entries.write();
        // Another thread may have been quicker.
        if let Some(found) = find(entries.get(&hash), names) {
            return found;
        }
        let handle = Arc::new(make());
        if entries.len() < self.most {
            entries.entry(hash).or_default().push(Entry {
                names: names.iter().map(|name| Box::from(*name)).collect(),
                handle: Arc::clone(&handle),
            });
        }
        handle
    }
}

fn find<T>(entries: Option<&Vec<Entry<T>>>, names: &[&str]) -> Option<Arc<T>> {
    let same = |entry: &&Entry<T>| {
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
        assert_eq!(cache.entries.read().len(), 2);
        assert_eq!(*cache.get(&["0"], || 7), 0, "the first ones stay");
    }
}
