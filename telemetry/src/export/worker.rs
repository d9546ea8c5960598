//! An exporter's thread: takes what is queued, makes a batch of it, and sends that when it is full or its
//! time has come. It knows nothing of what it sends.

use crate::metrics::Tally;
use std::fmt::Display;
use std::pin::pin;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout_at;

/// What is sent at once.
pub(super) trait Batch {
    /// What it is made of.
    type Queued;

    /// Adds to it.
    fn take(&mut self, queued: Self::Queued);

    /// How many items it has.
    fn len(&self) -> usize;

    /// Whether it is to be sent now.
    fn is_full(&self) -> bool;

    /// Sends all it has and is empty from then on, even if it is not waited for.
    async fn send(&mut self) -> Sent;
}

/// What became of what was sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// How many did not arrive.
    pub(super) lost: u64,
    /// Why, as far as it was told.
    pub(super) why: String,
}

impl Sent {
    /// Of `count` that were sent, those of which the collector says that it refused them.
    pub(super) fn told(count: u64, refused: Result<u64, impl Display>) -> Self {
        match refused {
            Ok(0) => Self::default(),
            Ok(lost) => Self {
                lost,
                why: "it says that it refused them".to_owned(),
            },
            Err(why) => Self {
                lost: count,
                why: why.to_string(),
            },
        }
    }
}

/// Tells in the process's log when a collector begins not to take something, and when it does again: a
/// count alone would not say why.
pub(super) struct Teller {
    what: &'static str,
    is_failing: bool,
}

impl Teller {
    /// `what` is sent, as `spans`.
    pub(super) const fn new(what: &'static str) -> Self {
        Self {
            what,
            is_failing: false,
        }
    }

    pub(super) fn tell(&mut self, sent: &Sent) {
        let (what, was_failing) = (self.what, self.is_failing);
        self.is_failing = sent.lost > 0;
        match (was_failing, self.is_failing) {
            (false, true) => log::warn!(
                "the collector does not take {what}, which are dropped and counted until it does: {}",
                sent.why
            ),
            (true, false) => log::info!("the collector takes {what} again"),
            _ => {}
        }
    }
}

/// Somebody waits for everything queued to be sent.
pub(super) struct Flush {
    pub(super) deadline: Instant,
    /// Told whether nothing had to be dropped.
    pub(super) answer: SyncSender<bool>,
}

pub(super) struct Worker<B> {
    batch: B,
    /// The longest that an item waits for its batch to fill.
    interval: Duration,
    exported: Option<Tally>,
    dropped: Tally,
    teller: Teller,
    /// When the batch is sent though not full.
    due: Instant,
    /// The flush under way.
    flush: Option<Flush>,
    /// Whether the flush under way had to drop anything.
    lost: bool,
}

impl<B: Batch> Worker<B> {
    /// `what` is sent, as `spans`.
    pub(super) fn new(what: &'static str, batch: B, interval: Duration, dropped: Tally) -> Self {
        Self {
            batch,
            interval,
            exported: None,
            dropped,
            teller: Teller::new(what),
            due: Instant::now(),
            flush: None,
            lost: false,
        }
    }

    /// Also counts what was sent.
    pub(super) fn counting(mut self, exported: Tally) -> Self {
        self.exported = Some(exported);
        self
    }

    /// Until the exporter is dropped and the queue is empty.
    pub(super) async fn run(
        mut self,
        mut queue: Receiver<B::Queued>,
        mut flushes: Receiver<Flush>,
    ) {
        loop {
            tokio::select! {
                biased;
                Some(flush) = flushes.recv(), if self.flush.is_none() => {
                    self.flush = Some(flush);
                }
                item = queue.recv() => match item {
                    Some(queued) => self.take(queued),
                    None => break,
                },
                () = tokio::time::sleep_until(self.due.into()), if self.batch.len() > 0 => {
                    self.send(&mut flushes).await;
                }
            }
            if self.flush.is_some() {
                self.drain(&mut queue, &mut flushes).await;
            } else if self.batch.is_full() {
                self.send(&mut flushes).await;
                // A flush that came in meanwhile wants the queue as well.
                if self.flush.is_some() {
                    self.drain(&mut queue, &mut flushes).await;
                }
            }
        }
        self.send(&mut flushes).await;
    }

    fn take(&mut self, queued: B::Queued) {
        if self.batch.len() == 0 {
            self.due = Instant::now() + self.interval;
        }
        self.batch.take(queued);
    }

    /// Everything queued, for the flush under way; past its deadline the rest
    /// is dropped unsent.
    async fn drain(&mut self, queue: &mut Receiver<B::Queued>, flushes: &mut Receiver<Flush>) {
        // Only what is queued now: under load there would be no end.
        let mut left = queue.len();
        while left > 0 {
            let Ok(queued) = queue.try_recv() else {
                break;
            };
            left -= 1;
            self.take(queued);
            if self.batch.is_full() {
                self.send(flushes).await;
            }
        }
        self.send(flushes).await;
        if let Some(flush) = self.flush.take() {
            // Whoever asked may have given up waiting.
            let _gone = flush.answer.try_send(!self.lost);
        }
        self.lost = false;
    }

    /// Send what is pending. A flush that comes in while sending bounds it.
    async fn send(&mut self, flushes: &mut Receiver<Flush>) {
        let count = self.batch.len() as u64;
        if count == 0 {
            return;
        }
        let sent = {
            let mut sending = pin!(self.batch.send());
            let early = match self.flush {
                Some(_) => None,
                None => tokio::select! {
                    sent = &mut sending => Some(sent),
                    Some(flush) = flushes.recv() => {
                        self.flush = Some(flush);
                        None
                    }
                },
            };
            match (early, &self.flush) {
                (Some(sent), _) => sent,
                (None, Some(flush)) => timeout_at(flush.deadline.into(), sending)
                    .await
                    .unwrap_or_else(|late| Sent::told(count, Err(late))),
                (None, None) => sending.await,
            }
        };
        self.teller.tell(&sent);
        self.account(count, sent.lost.min(count));
    }

    fn account(&mut self, count: u64, lost: u64) {
        if let Some(exported) = &self.exported {
            exported.add(count - lost);
        }
        self.dropped.add(lost);
        self.lost |= lost > 0 && self.flush.is_some();
    }
}
