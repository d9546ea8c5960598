//! What a server remembers of its calls: how many ended before they were done.
//!
//! It knows nothing of what was called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::wait;

/// Shared by the calls of a server and by who looks on.
#[derive(Debug, Clone, Default)]
pub struct Record {
    begun: Arc<AtomicUsize>,
    abandoned: Arc<AtomicUsize>,
}

impl Record {
    /// How many calls have reached the service, those that it does not implement apart.
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// How many of them ended before the service was done with them.
    pub fn abandoned(&self) -> usize {
        self.abandoned.load(Ordering::SeqCst)
    }

    /// Waits until that many calls were abandoned in all.
    ///
    /// # Panics
    /// If they never are.
    pub async fn wait_for_abandoned(&self, count: usize) {
        let what = format!("{count} abandoned calls");
        wait::until_true(what, || self.abandoned() >= count).await;
    }

    /// Waits until that many calls have reached the service in all.
    ///
    /// # Panics
    /// If they never do.
    pub async fn wait_for_begun(&self, count: usize) {
        wait::until_true(format!("{count} calls"), || self.begun() >= count).await;
    }

    pub(super) fn begin(&self) -> Call {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Call {
            abandoned: Arc::clone(&self.abandoned),
            done: false,
        }
    }
}

/// A call the service is at; abandoned unless it is said to be done.
#[derive(Debug)]
pub(super) struct Call {
    abandoned: Arc<AtomicUsize>,
    done: bool,
}

impl Call {
    pub(super) fn done(&mut self) {
        self.done = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.done {
            self.abandoned.fetch_add(1, Ordering::SeqCst);
        }
    }
}
