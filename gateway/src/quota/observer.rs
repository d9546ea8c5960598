//! Who is told how a store fares: for figures, of which the ledger itself knows nothing.

use std::fmt;
use std::time::Duration;

/// Told of one store. Whatever it does must be quick: requests wait for it.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A decision was made: at once, by what this process held already, or only after the store
    /// was asked.
    fn decided(&self, waited: bool);

    /// The store answered an entry of one or more keys, or failed to, after so long.
    fn entered(&self, took: Duration, failed: bool);

    /// What the store's servers said of themselves has changed: these are their faults now, all of
    /// them. Told of stores that have servers.
    fn unfit(&self, faults: &[Unfit]);
}

/// What makes a store's servers unfit to keep books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// They forget keys when memory runs short.
    Evict,
    /// They forget all when they restart.
    Volatile,
}
