//! How many connections an endpoint may have at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One of the connections an endpoint may have, until it is dropped.
pub(crate) struct Slot(Arc<AtomicUsize>);

impl Slot {
    /// Takes a slot, unless `max` are taken.
    pub(crate) fn take(taken: &Arc<AtomicUsize>, max: Option<usize>) -> Option<Self> {
        let before = taken.fetch_add(1, Ordering::AcqRel);
        let slot = Slot(taken.clone());
        (max.is_none_or(|max| before < max)).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
