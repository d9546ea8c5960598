//! The exporter's thread: takes records off the queue, makes spans of them and
//! sends a batch when it is full or its time has come.

use super::Resolved;
use crate::content::Content;
use crate::metrics::Tally;
use crate::record::Record;
use crate::spans::{self, Reason};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout_at;

/// What prompts and answers in a batch may come to, in bytes: collectors take messages of 4 MiB
/// unless told otherwise.
const MOST_CONTENT: usize = 1 << 20;

/// A request whose spans are to be made.
pub(super) struct Queued {
    pub(super) record: Arc<Record>,
    pub(super) reason: Reason,
    pub(super) content: Option<Box<Content>>,
}

/// Somebody waits for everything queued to be sent.
pub(super) struct Flush {
    pub(super) deadline: Instant,
    /// Told whether nothing had to be dropped.
    pub(super) answer: SyncSender<bool>,
}

pub(super) struct Worker {
    exporter: SpanExporter,
    batch: usize,
    interval: Duration,
    exported: Tally,
    dropped: Tally,
    pending: Vec<SpanData>,
    /// Bytes of prompts and answers among them.
    content: usize,
    /// When `pending` is sent though not full.
    due: Instant,
    /// The flush under way.
    flush: Option<Flush>,
    /// Whether the flush under way had to drop anything.
    lost: bool,
}

impl Worker {
    pub(super) fn new(
        exporter: SpanExporter,
        resolved: &Resolved,
        exported: Tally,
        dropped: Tally,
    ) -> Self {
        Self {
            exporter,
            batch: resolved.batch,
            interval: resolved.interval,
            exported,
            dropped,
            pending: Vec::with_capacity(resolved.batch),
            content: 0,
            due: Instant::now(),
            flush: None,
            lost: false,
        }
    }

    /// Until the exporter is dropped and the queue is empty.
    pub(super) async fn run(mut self, mut queue: Receiver<Queued>, mut flushes: Receiver<Flush>) {
        loop {
            tokio::select! {
                biased;
                Some(flush) = flushes.recv(), if self.flush.is_none() => {
                    self.flush = Some(flush);
                }
                item = queue.recv() => match item {
                    Some(queued) => self.take(&queued),
                    None => break,
                },
                () = tokio::time::sleep_until(self.due.into()), if !self.pending.is_empty() => {
                    self.send(&mut flushes).await;
                }
            }
            if self.flush.is_some() {
                self.drain(&mut queue, &mut flushes).await;
            } else if self.is_full() {
                self.send(&mut flushes).await;
                // A flush that came in meanwhile wants the queue as well.
                if self.flush.is_some() {
                    self.drain(&mut queue, &mut flushes).await;
                }
            }
        }
        self.send(&mut flushes).await;
    }

    fn is_full(&self) -> bool {
        self.pending.len() >= self.batch || self.content >= MOST_CONTENT
    }

    fn take(&mut self, queued: &Queued) {
        if self.pending.is_empty() {
            self.due = Instant::now() + self.interval;
        }
        let content = queued.content.as_deref();
        self.content += content.map_or(0, Content::size);
        let made = spans::spans(&queued.record, queued.reason, content);
        self.pending.extend(made);
    }

    /// Everything queued, for the flush under way; past its deadline the rest
    /// is dropped unsent.
    async fn drain(&mut self, queue: &mut Receiver<Queued>, flushes: &mut Receiver<Flush>) {
        // Only what is queued now: under load there would be no end.
        let mut left = queue.len();
        while left > 0 {
            let Ok(queued) = queue.try_recv() else {
                break;
            };
            left -= 1;
            self.take(&queued);
            if self.is_full() {
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
        if self.pending.is_empty() {
            return;
        }
        let spans = std::mem::replace(&mut self.pending, Vec::with_capacity(self.batch));
        self.content = 0;
        let count = spans.len() as u64;
        let sent = {
            let mut export = pin!(self.exporter.export(spans));
            let early = match self.flush {
                Some(_) => None,
                None => tokio::select! {
                    result = &mut export => Some(result),
                    Some(flush) = flushes.recv() => {
                        self.flush = Some(flush);
                        None
                    }
                },
            };
            match (early, &self.flush) {
                (Some(result), _) => result.is_ok(),
                (None, Some(flush)) => timeout_at(flush.deadline.into(), export)
                    .await
                    .is_ok_and(|result| result.is_ok()),
                (None, None) => export.await.is_ok(),
            }
        };
        self.account(count, sent);
    }

    fn account(&mut self, count: u64, sent: bool) {
        if sent {
            self.exported.add(count);
        } else {
            self.dropped.add(count);
            self.lost |= self.flush.is_some();
        }
    }
}
