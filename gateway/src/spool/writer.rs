//! The thread that writes: whatever callers brought while it wrote is written next, all at once, so that
//! many share what one write to the disk takes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::log::{Draft, Log};
use super::position::Place;
use super::{Id, Refusal, Shared, directory};

/// How many bytes are written at once, and what one caller brought more at most.
const BATCH: u64 = 4 << 20;

/// How large segments get: a share of the whole, so that what was sent frees room piece by piece.
const SEGMENTS: u64 = 16;
const SMALLEST: u64 = 64 << 10;
const LARGEST: u64 = 64 << 20;

/// How long what is known of the directory's size is believed while the spool is full.
const BELIEVED: Duration = Duration::from_millis(100);

/// What the thread is told.
pub(super) enum Order {
    /// To add entries, all or none, and tell when they last.
    Append(Vec<Draft>, Answer),
    /// To end the segment that is written.
    EndSegment,
    /// To end it, and say what has been added so far.
    Count(oneshot::Sender<io::Result<Count>>),
}

/// What this process had added at some moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    pub(super) appended: u64,
    /// The last segment there was then, of anybody: what this process adds later is in later ones.
    pub(super) until: u64,
}

type Answer = oneshot::Sender<Result<Vec<Id>, Refusal>>;

/// What the thread has.
pub(super) struct Writer {
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Order>,
    log: Log,
    /// Whom to tell once what was added lasts.
    waiting: Vec<(Vec<Id>, Answer)>,
    measured: Instant,
    /// Whether the last write failed.
    failing: bool,
}

/// How large segments get in a spool of that size.
pub(super) fn segment_size(max_size: u64) -> u64 {
    (max_size / SEGMENTS).clamp(SMALLEST, LARGEST)
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, inbox: mpsc::Receiver<Order>) -> Self {
        let settings = &shared.settings;
        let log = Log::new(&settings.directory, segment_size(settings.max_size));
        Self {
            shared,
            inbox,
            log,
            waiting: Vec::new(),
            measured: Instant::now(),
            failing: false,
        }
    }

    /// Writes until nobody has the spool any more.
    pub(super) fn run(mut self) {
        while let Some(order) = self.inbox.blocking_recv() {
            self.take(order);
            while self.log.pending() < BATCH
                && let Ok(order) = self.inbox.try_recv()
            {
                self.take(order);
            }
            self.write();
            if self.shared.retired.load(Ordering::Acquire) {
                self.end_segment(false);
            }
        }
        self.end_segment(false);
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Append(drafts, answer) => self.add(drafts, answer),
            Order::EndSegment => {
                self.write();
                self.end_segment(false);
            }
            Order::Count(answer) => {
                self.write();
                self.end_segment(false);
                // Who no longer asks needs no answer.
                let _ = answer.send(self.count());
            }
        }
    }

    fn count(&self) -> io::Result<Count> {
        let segments = directory::segments(&self.shared.settings.directory)?;
        Ok(Count {
            appended: self.shared.live.borrow().appended,
            until: segments.last().map_or(0, |(number, _)| *number),
        })
    }

    fn add(&mut self, drafts: Vec<Draft>, answer: Answer) {
        if self.log.pending() == 0 {
            match self.log.ready() {
                Ok(Some(begin)) => self.live_at(Some(begin)),
                Ok(None) => {}
                Err(error) => return self.refuse(answer, &error),
            }
        }
        // Whoever does not wait any more is not written for nothing.
        if answer.is_closed() {
            return;
        }
        let most = self.shared.settings.max_size;
        let room = most.saturating_sub(self.shared.bytes.load(Ordering::Relaxed));
        match self.log.add_all(drafts, room) {
            Some(ids) => self.waiting.push((ids, answer)),
            None => {
                self.make_room();
                // Nobody is there to be told if this fails.
                let _ = answer.send(Err(Refusal::Full(most)));
            }
        }
    }

    /// What is known of the spool's size may be too much, and what it takes up may be a segment of which
    /// all was sent and that nobody ends.
    fn make_room(&mut self) {
        if self.measured.elapsed() < BELIEVED {
            return;
        }
        self.measured = Instant::now();
        self.write();
        self.end_segment(true);
        self.measure();
    }

    fn measure(&self) {
        if let Ok(bytes) = directory::bytes(&self.shared.settings.directory) {
            self.shared.bytes.store(bytes, Ordering::Relaxed);
        }
    }

    fn write(&mut self) {
        let size = self.log.pending();
        if size == 0 {
            return;
        }
        let begun = Instant::now();
        let written = self.log.write();
        let waiting = std::mem::take(&mut self.waiting);
        match written {
            Ok(place) => {
                let count = waiting.iter().map(|(ids, _)| ids.len() as u64).sum();
                self.shared.figures.written(begun.elapsed(), count);
                self.shared.bytes.fetch_add(size, Ordering::Relaxed);
                self.shared.live.send_modify(|live| {
                    live.at = Some(place);
                    live.appended += count;
                });
                self.say_how_it_is(None);
                for (ids, answer) in waiting {
                    let _ = answer.send(Ok(ids));
                }
            }
            Err(error) => {
                self.live_at(None);
                // Some of it may be there.
                self.measure();
                for (_, answer) in waiting {
                    self.refuse(answer, &error);
                }
            }
        }
    }

    fn live_at(&self, at: Option<Place>) {
        self.shared.live.send_modify(|live| live.at = at);
    }

    fn refuse(&mut self, answer: Answer, error: &io::Error) {
        self.say_how_it_is(Some(error));
        let again = match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        let _ = answer.send(Err(again.into()));
    }

    /// Once when it begins to fail, and once when that is over.
    fn say_how_it_is(&mut self, error: Option<&io::Error>) {
        if self.failing == error.is_some() {
            return;
        }
        self.failing = error.is_some();
        let directory = self.shared.settings.directory.display();
        match error {
            Some(error) => ::log::error!(
                "the spool {directory} cannot be written: {error}; its callers are refused"
            ),
            None => ::log::info!("the spool {directory} can be written again"),
        }
    }

    fn end_segment(&mut self, unless_empty: bool) {
        if self.log.end_segment(unless_empty) {
            self.shared
                .live
                .send_if_modified(|live| live.at.take().is_some());
        }
    }
}
