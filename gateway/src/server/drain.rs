//! What is in flight, and how far the process is on its way out.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use tokio::sync::Notify;

/// Counts requests in flight and says when the last is over.
#[derive(Clone, Default)]
pub(crate) struct Drain(Arc<Inner>);

#[derive(Default)]
struct Inner {
    in_flight: AtomicUsize,
    closing: AtomicBool,
    over: AtomicBool,
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
        self.wait_for(&self.0.closing).await;
    }

    /// From now on nothing is waited for: what is in flight ends, each in its own way.
    pub(crate) fn end(&self) {
        self.0.over.store(true, Ordering::Release);
        self.0.changed.notify_waiters();
    }

    /// Whether what is in flight has to end.
    pub(crate) fn over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed)
    }

    /// Waits until [`Drain::end`] is called. All waiters share a lock: this is for connections.
    pub(crate) async fn ended(&self) {
        self.wait_for(&self.0.over).await;
    }

    /// Ready once [`Drain::over`]; takes no lock and wakes nobody. Whoever awaits it is polled
    /// anew by [`Drain::nudging`], further up in the same task.
    pub(crate) async fn must_end(&self) {
        std::future::poll_fn(|_| {
            if self.over() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Runs `work`, and polls it once more when [`Drain::end`] is called. It is pinned by its caller: a
    /// connection would be held twice in memory, as there is room for it wherever it is moved to.
    pub(crate) async fn nudging<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        tokio::select! {
            biased;
            done = &mut work => done,
            () = self.ended() => work.await,
        }
    }

    async fn wait_for(&self, flag: &AtomicBool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // Registered before the flag is read, so that no call in between is missed.
            changed.as_mut().enable();
            if flag.load(Ordering::Acquire) {
                return;
            }
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
    use std::pin::pin;

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

    #[tokio::test]
    async fn closing_does_not_end_what_is_in_flight() {
        let drain = Drain::default();
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.nudging(pin!(drain.must_end())).await }
        });
        tokio::task::yield_now().await;
        drain.close();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drain.end();
        waiting.await.expect("the work is polled anew and ends");
    }
}
