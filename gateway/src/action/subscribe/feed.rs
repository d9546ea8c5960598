//! What all subscribers of a topic are told alike: each record is put into words once, and what came within
//! 50 ms leaves together. Who is told holds nothing but its place.
//!
//! It knows no subscriber, and nothing of those who ask for some records only.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use weir_telemetry::Code;

use super::decode::Decoding;
use super::reader::show;
use super::voice::Voice;
use crate::error::GatewayError;
use crate::kafka::{Follower, Positions, Record, Session};

/// How often subscribers are told of what came.
pub(super) const PACE: Duration = Duration::from_millis(50);
/// So many records are taken at once.
const FEW: usize = 256;
/// How much is told at once, in bytes, but for the last record.
const CHUNK: usize = 256 << 10;
/// What is kept for those who are behind, in bytes.
const KEPT: usize = 8 << 20;

/// What is told of the topics of a route, by the session that reads them: what one principal may read is
/// told to no other.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<Known>);

/// By session and topic.
type Known = HashMap<(u64, Arc<str>), Weak<Feed>>;

impl Feeds {
    /// What is told of a topic, if anything is.
    pub(super) fn known(&self, session: &Session, topic: &Arc<str>) -> Option<Arc<Feed>> {
        let key = (session.id(), topic.clone());
        let feed = self.0.lock().get(&key)?.upgrade()?;
        (!feed.is_over()).then_some(feed)
    }

    /// The same, of what `follower` is given if nothing is told yet.
    pub(super) fn start(
        &self,
        session: &Session,
        follower: Follower,
        topic: &Arc<str>,
        (voice, decoding): (&Voice, Option<&Decoding>),
    ) -> Arc<Feed> {
        let key = (session.id(), topic.clone());
        let mut feeds = self.0.lock();
        let known = feeds.get(&key).and_then(Weak::upgrade);
        if let Some(feed) = known.filter(|feed| !feed.is_over()) {
            return feed;
        }
        let feed = Feed::start(follower, voice.clone(), decoding.cloned());
        feeds.retain(|_, feed| feed.strong_count() > 0);
        feeds.insert(key, Arc::downgrade(&feed));
        feed
    }
}

/// What is told of one topic.
pub(super) struct Feed {
    told: Mutex<Told>,
    /// How many chunks there were; none follows if it is over.
    count: watch::Sender<Count>,
    speaks: Mutex<Option<AbortHandle>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    chunks: u64,
    over: bool,
}

struct Told {
    chunks: VecDeque<Arc<Chunk>>,
    /// The number of the first of them.
    first: u64,
    size: usize,
    /// Where it began.
    began: Boundary,
}

/// What is told at once.
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// How many records it tells of.
    pub(super) records: u64,
    /// The first of them.
    pub(super) oldest: Arc<Record>,
    end: Boundary,
}

/// Between two chunks.
#[derive(Clone)]
pub(super) struct Boundary {
    /// The place of the record that comes next.
    pub(super) place: u64,
    /// Where who was told all before is.
    pub(super) at: Arc<Positions>,
}

impl Feed {
    /// Tells of all that `follower` is given from now on.
    fn start(mut follower: Follower, voice: Voice, decoding: Option<Decoding>) -> Arc<Self> {
        let at = Arc::new(follower.go_to_end());
        let began = Boundary {
            place: follower.place(),
            at,
        };
        let feed = Arc::new(Self {
            told: Mutex::new(Told {
                chunks: VecDeque::new(),
                first: 0,
                size: 0,
                began: began.clone(),
            }),
            count: watch::Sender::new(Count {
                chunks: 0,
                over: false,
            }),
            speaks: Mutex::default(),
        });
        let teller = Teller {
            feed: Arc::downgrade(&feed),
            follower,
            voice,
            decoding,
            end: began,
        };
        *feed.speaks.lock() = Some(tokio::spawn(teller.run()).abort_handle());
        feed
    }

    /// Whether nothing more is told.
    fn is_over(&self) -> bool {
        self.count.borrow().over
    }

    /// The first boundary that is not before a place: who was told all before that place by itself, and
    /// goes on so until there, can be told the rest by this.
    pub(super) fn boundary(&self, place: u64) -> Option<Boundary> {
        let told = self.told.lock();
        if told.first == 0 && told.began.place >= place {
            return Some(told.began.clone());
        }
        let mut ends = told.chunks.iter().map(|chunk| &chunk.end);
        ends.find(|end| end.place >= place).cloned()
    }

    /// One who is told what comes after a boundary.
    pub(super) fn listen(self: &Arc<Self>, after: Boundary) -> Listener {
        let told = self.told.lock();
        let before = told.chunks.iter();
        let before = before.take_while(|chunk| chunk.end.place <= after.place);
        Listener {
            next: told.first + before.count() as u64,
            at: after.at,
            lag: 0,
            count: self.count.subscribe(),
            feed: self.clone(),
        }
    }

    fn tell(&self, chunk: Chunk) {
        let chunks = {
            let mut told = self.told.lock();
            told.size += chunk.bytes.len();
            told.chunks.push_back(chunk.into());
            while told.size > KEPT && told.chunks.len() > 1 {
                if let Some(gone) = told.chunks.pop_front() {
                    told.size -= gone.bytes.len();
                    told.first += 1;
                }
            }
            told.first + told.chunks.len() as u64
        };
        let over = false;
        self.count.send_replace(Count { chunks, over });
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(speaks) = self.speaks.get_mut() {
            speaks.abort();
        }
    }
}

/// Who puts records into words.
struct Teller {
    feed: Weak<Feed>,
    follower: Follower,
    voice: Voice,
    decoding: Option<Decoding>,
    end: Boundary,
}

impl Teller {
    async fn run(mut self) {
        let mut due = Instant::now();
        // What fails is told to each subscriber by its own reader.
        'told: while let Ok(mut records) = self.follower.next_few(FEW).await {
            // What comes after a while of silence leaves at once.
            sleep_until(due).await;
            due = Instant::now() + PACE;
            let Some(oldest) = records.first().cloned() else {
                continue;
            };
            let mut at = Positions::clone(&self.end.at);
            let (mut bytes, mut count) = (Vec::new(), 0);
            loop {
                let Ok(shown) = show(self.decoding.as_ref(), &records).await else {
                    break 'told;
                };
                for shown in shown {
                    at.pass(&shown.record);
                    if self.voice.record(&mut bytes, &shown, &at).is_err() {
                        break 'told;
                    }
                    count += 1;
                }
                if bytes.len() >= CHUNK {
                    due = Instant::now();
                    break;
                }
                match self.follower.next_few(FEW).now_or_never() {
                    Some(Ok(more)) => records = more,
                    Some(Err(_)) | None => break,
                }
            }
            self.end = Boundary {
                place: self.follower.place(),
                at: at.into(),
            };
            let Some(feed) = self.feed.upgrade() else {
                return;
            };
            feed.tell(Chunk {
                bytes: bytes.into(),
                records: count,
                oldest,
                end: self.end.clone(),
            });
        }
        if let Some(feed) = self.feed.upgrade() {
            feed.count.send_modify(|count| count.over = true);
        }
    }
}

/// One who is told.
pub(super) struct Listener {
    feed: Arc<Feed>,
    count: watch::Receiver<Count>,
    /// The number of the chunk that comes next.
    next: u64,
    at: Arc<Positions>,
    /// How many records were told of after what it was told.
    pub(super) lag: u64,
}

impl Listener {
    /// What comes next; none, if nothing more is told. May be dropped while pending: nothing is lost.
    ///
    /// # Errors
    /// Where what comes next is not kept any more.
    pub(super) async fn next(&mut self) -> Result<Option<Arc<Chunk>>, GatewayError> {
        loop {
            let Count { chunks, over } = *self.count.borrow_and_update();
            if self.next < chunks {
                let told = self.feed.told.lock();
                let index = self.next.checked_sub(told.first);
                let chunk = index.and_then(|index| told.chunks.get(usize::try_from(index).ok()?));
                let Some(chunk) = chunk.cloned() else {
                    let error = GatewayError::new(Code::SubscriberTooSlow);
                    return Err(error.source("what it had not taken was no longer kept"));
                };
                let last = told.chunks.back().map_or(0, |last| last.end.place);
                self.lag = last.saturating_sub(chunk.end.place);
                drop(told);
                self.next += 1;
                self.at = chunk.end.at.clone();
                return Ok(Some(chunk));
            }
            if over {
                return Ok(None);
            }
            // What sends changes is held here.
            let _ = self.count.changed().await;
        }
    }

    /// Where who was told all so far is.
    pub(super) const fn at(&self) -> &Arc<Positions> {
        &self.at
    }
}
