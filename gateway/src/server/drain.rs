//! What is in flight, and whether the process is on its way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts requests in flight and says when the last is over.
#[derive(Clone, Default)]
pub(crate) struct Drain(Arc<Inner>);

#[derive(Default)]
struct Inner {
    in_flight: AtomicUsize,
    closing: AtomicBool,
    idle: Notify,
    changed: Notify,
}

/// One request in flight, until it is dropped.
pub(crate) struct InFlight(Drain);

impl Drain {
    /// A request begins.
    pub(crate) fn begin(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// Requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Acquire)
    }

    /// Whether connections are to be closed after their current request.
    pub(crate) fn closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// From now on every answer says `Connection: close`.
    pub(crate) fn close(&self) {
        self.0.closing.store(true, Ordering::Release);
        self.0.changed.notify_waiters();
    }

    /// Waits until [`Drain::close`] is called.
    pub(crate) async fn closed(&self) {
        let changed = self.0.changed.notified();
        tokio::pin!(changed);
        // Registered before the flag is read, so that no call in between is missed.
        changed.as_mut().enable();
        if !self.closing() {
            changed.await;
        }
    }

    /// Waits until nothing is in flight.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.0.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.in_flight() == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn idle_waits_for_the_last_request() {
        let drain = Drain::default();
        let (first, second) = (drain.begin(), drain.begin());
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.idle().await }
        });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.expect("idle");
    }

    #[tokio::test]
    async fn closed_returns_at_once_when_it_already_is() {
        let drain = Drain::default();
        drain.close();
        drain.closed().await;
        assert!(drain.closing());
    }
}
