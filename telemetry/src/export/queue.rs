//! The requests' end of an exporter: a bounded queue to its thread, and how to have it emptied.
//!
//! It knows neither what is queued nor where that goes.

use super::StartError;
use super::worker::{Batch, Flush, Worker};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// A running exporter's thread. Dropping it lets the thread send what is queued.
pub(super) struct Queue<Q> {
    queue: mpsc::Sender<Q>,
    flushes: mpsc::Sender<Flush>,
}

impl<Q: Send + 'static> Queue<Q> {
    /// Starts the thread, with room for `room` of them to wait.
    pub(super) fn start<B>(
        thread: &str,
        runtime: Runtime,
        worker: Worker<B>,
        room: usize,
    ) -> Result<Self, StartError>
    where
        B: Batch<Queued = Q> + Send + 'static,
    {
        let (queue, queued) = mpsc::channel(room);
        let (flushes, asked) = mpsc::channel(1);
        std::thread::Builder::new()
            .name(thread.into())
            .spawn(move || runtime.block_on(worker.run(queued, asked)))
            .map_err(StartError::System)?;
        Ok(Self { queue, flushes })
    }

    /// Queues one; `false` if there is no room. Never blocks.
    pub(super) fn offer(&self, item: Q) -> bool {
        self.queue.try_send(item).is_ok()
    }

    /// Asks for everything queued so far to be sent by then.
    pub(super) fn flushing(&self, deadline: Instant) -> Flushing {
        ask(&self.flushes, deadline)
    }
}

/// A runtime for an exporter's thread.
pub(super) fn runtime() -> Result<Runtime, StartError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::System)
}

/// Asks an exporter's thread.
pub(super) fn ask(flushes: &mpsc::Sender<Flush>, deadline: Instant) -> Flushing {
    let (answer, answered) = sync_channel(1);
    let flush = Flush { deadline, answer };
    Flushing(
        flushes
            .try_send(flush)
            .is_ok()
            .then_some((deadline, answered)),
    )
}

/// An exporter that is sending what it has.
#[must_use = "whether all was sent is known only at the end"]
pub struct Flushing(Option<(Instant, Receiver<bool>)>);

impl Flushing {
    /// Blocks until it has, or its time is over, which drops and counts the rest: `false`, as it is
    /// where another flush was under way.
    pub fn wait(self) -> bool {
        let Some((deadline, answered)) = self.0 else {
            return false;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        answered.recv_timeout(left.max(Duration::from_millis(1))) == Ok(true)
    }
}
