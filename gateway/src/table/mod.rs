//! Compacted topics as tables: the latest value of each key, kept in memory by who reads the topic, and
//! written by one gateway at a time for each partition. It knows neither routes nor callers.
//!
//! | Module | Knows |
//! |---|---|
//! | `view` | what the latest values are |
//! | `course` | how a view is filled and kept up |
//! | `desk` | how a partition is written, and why no update is lost |
//! | `turns` | who changes a value after whom |

mod course;
mod desk;
mod turns;
pub(crate) mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::TrySendError;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use weir_telemetry::metrics::table::{Figures, Outcome as Came};
use weir_telemetry::{Code, metrics};

pub(crate) use self::desk::{Condition, Outcome};
use self::desk::{Desk, Job};
pub(crate) use self::turns::Turn;
use self::turns::Turns;
use self::view::View;
pub(crate) use self::view::{Bounds, Entry, Tag};
use crate::error::GatewayError;
use crate::kafka::{Outgoing, Partitioner, Positions, Record, Session};

/// When to come back to a view that is not there yet.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A compacted topic.
pub(crate) struct Table {
    topic: Arc<str>,
    session: Arc<Session>,
    bounds: Bounds,
    metrics: Arc<metrics::Table>,
    kept: Mutex<Kept>,
    /// Changes with whatever is kept.
    changes: watch::Sender<u64>,
    /// Who writes, by partition.
    desks: Mutex<HashMap<i32, Desk>>,
    turns: Arc<Turns>,
    begun: AtomicBool,
}

struct Kept {
    view: View,
    state: State,
    /// Why the topic cannot be read, while it cannot.
    obstacle: Option<Code>,
    /// How often it was begun anew.
    generation: u64,
    /// What comes after all that was written, as far as is known.
    end: Positions,
    /// When brokers were last to be reached.
    contact: Instant,
}

/// What can be said of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// All that was written before it was begun is not read yet.
    Filling,
    /// It says what the topic says.
    Ready,
    /// The topic holds more than it may.
    Full,
}

/// A piece of a view.
pub(crate) struct Page {
    pub(crate) entries: Vec<(Box<str>, Entry)>,
    /// Whether there are entries after those.
    pub(crate) more: bool,
    /// Where the view was.
    pub(crate) at: Positions,
}

impl Table {
    /// A table that nobody fills yet.
    pub(crate) fn new(
        session: Arc<Session>,
        topic: Arc<str>,
        bounds: Bounds,
        metrics: Arc<metrics::Table>,
    ) -> Arc<Self> {
        Arc::new(Self {
            topic,
            session,
            bounds,
            metrics,
            kept: Mutex::new(Kept {
                view: View::default(),
                state: State::Filling,
                obstacle: None,
                generation: 0,
                end: Positions::default(),
                contact: Instant::now(),
            }),
            changes: watch::Sender::default(),
            desks: Mutex::default(),
            turns: Arc::default(),
            begun: AtomicBool::new(false),
        })
    }

    /// Whether this is what is asked for.
    pub(crate) fn fits(&self, session: &Arc<Session>, bounds: Bounds) -> bool {
        self.session.id() == session.id() && self.bounds == bounds
    }

    /// Begins to fill it, unless that was begun; to be called on a runtime that stays.
    pub(crate) fn begin(self: &Arc<Self>) {
        if !self.begun.swap(true, Ordering::Relaxed) {
            tokio::spawn(course::run(Arc::downgrade(self)));
        }
    }

    /// Waits until it has all that was written before it was begun; and this record, if one is named.
    pub(crate) async fn ready(
        self: &Arc<Self>,
        at_least: Option<Tag>,
        within: Duration,
    ) -> Result<(), GatewayError> {
        self.begin();
        let mut changes = self.changes.subscribe();
        let ready =
            changes.wait_for(|_| self.state_of(at_least) != State::Filling || self.is_hopeless());
        // Who sends changes is held here.
        let _ = tokio::time::timeout(within, ready).await;
        self.check(self.state_of(at_least))
    }

    fn state_of(&self, at_least: Option<Tag>) -> State {
        let kept = self.kept.lock();
        let is_there = |tag: Tag| kept.view.at().of(tag.partition) > tag.offset;
        match at_least.is_none_or(is_there) || kept.state == State::Full {
            true => kept.state,
            false => State::Filling,
        }
    }

    /// Whether waiting is of no use, as somebody has to do something first.
    fn is_hopeless(&self) -> bool {
        let obstacle = self.kept.lock().obstacle;
        matches!(
            obstacle,
            Some(Code::KafkaTopicUnknown | Code::KafkaAccessRefused)
        )
    }

    fn check(&self, state: State) -> Result<(), GatewayError> {
        match state {
            State::Ready => Ok(()),
            State::Filling => Err(self.not_ready()),
            State::Full => Err(GatewayError::new(Code::TableTooLarge).source(format!(
                "{} has more than {} keys or {} bytes",
                self.topic, self.bounds.keys, self.bounds.bytes
            ))),
        }
    }

    fn not_ready(&self) -> GatewayError {
        let obstacle = self.kept.lock().obstacle;
        let error = match obstacle {
            Some(code) => {
                let title = Code::TableNotReady.title();
                let public = format!("{title} {}", code.title());
                GatewayError::public(Code::TableNotReady, public)
                    .source(format!("{} is not read: {code}", self.topic))
            }
            None => GatewayError::new(Code::TableNotReady)
                .source(format!("the view of {} has not got that far", self.topic)),
        };
        error.retry_after(RETRY_AFTER)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<Entry> {
        self.kept.lock().view.get(key).cloned()
    }

    /// The values of so many keys after that one, in the order of the keys.
    pub(crate) fn page(&self, after: Option<&str>, most: usize) -> Page {
        let kept = self.kept.lock();
        let mut entries = kept.view.after(after);
        let few = entries.by_ref().take(most);
        let few = few.map(|(key, entry)| (key.into(), entry.clone()));
        Page {
            entries: few.collect(),
            more: entries.next().is_some(),
            at: kept.view.at().clone(),
        }
    }

    /// How its view stands.
    pub(crate) fn figures(&self) -> Figures {
        let age = self.age().unwrap_or_default();
        let kept = self.kept.lock();
        Figures {
            keys: kept.view.keys(),
            bytes: kept.view.bytes(),
            is_ready: kept.state == State::Ready,
            lag: kept.view.at().behind(&kept.end),
            age,
        }
    }

    /// How old what it says may be, if brokers are out of reach.
    pub(crate) fn age(&self) -> Option<Duration> {
        let contact = self.kept.lock().contact;
        self.session.is_down().then(|| contact.elapsed())
    }

    /// Writes a record of a key, if the condition holds when it is written; waits that long at most.
    pub(crate) async fn write(
        self: &Arc<Self>,
        key: &str,
        condition: Condition,
        record: Outgoing,
        within: Duration,
    ) -> Result<Outcome, GatewayError> {
        let outcome = self.try_write(key, condition, record, within).await;
        self.metrics.came(match &outcome {
            Ok(outcome) => came(outcome),
            Err(error) if error.code == Code::KafkaOutcomeUnknown => Came::Unknown,
            Err(_) => Came::Failed,
        });
        outcome
    }

    /// Waits for one's turn to make a value anew of what it is.
    pub(crate) async fn turn(&self, key: &str, within: Duration) -> Result<Turn, GatewayError> {
        let turn = tokio::time::timeout(within, self.turns.take(key)).await;
        turn.map_err(|_| contended())
    }

    /// What the view says already keeps a write from being tried.
    pub(crate) fn refuse(&self, outcome: Outcome) -> Outcome {
        self.metrics.came(came(&outcome));
        outcome
    }

    async fn try_write(
        self: &Arc<Self>,
        key: &str,
        condition: Condition,
        mut record: Outgoing,
        within: Duration,
    ) -> Result<Outcome, GatewayError> {
        let until = tokio::time::Instant::now() + within;
        self.ready(None, within).await?;
        let partition = self.partition(key);
        record.partition = Some(partition);
        let (tell, told) = oneshot::channel();
        let job = Job::new(key, condition, record, until.into_std() - within / 10, tell);
        let decision = job.decision();
        self.hand_over(partition, Box::new(job))?;
        match tokio::time::timeout_at(until, told).await {
            Ok(Ok(outcome)) => outcome,
            _ if decision.give_up() => Err(desk::late()),
            _ => Err(desk::unknown()),
        }
    }

    /// Which partition a key belongs to.
    fn partition(&self, key: &str) -> i32 {
        let partitions = self.kept.lock().view.at().offsets().len();
        let partitioner = self.session.partitioner();
        let partitioner = partitioner.unwrap_or(Partitioner::Consistent);
        partitioner.partition(key.as_bytes(), u32::try_from(partitions).unwrap_or(1))
    }

    fn hand_over(self: &Arc<Self>, partition: i32, mut job: Box<Job>) -> Result<(), GatewayError> {
        let mut desks = self.desks.lock();
        // One that nobody needed for a while has closed.
        for _ in 0..2 {
            let desk = desks.entry(partition);
            let desk = desk.or_insert_with(|| Desk::open(self, partition));
            match desk.hand_over(job) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => break,
                Err(TrySendError::Disconnected(back)) => job = back,
            }
            desks.remove(&partition);
        }
        Err(GatewayError::new(Code::KafkaQueueFull)
            .source(format!("of writes to {}/{partition}", self.topic))
            .retry_after(RETRY_AFTER))
    }

    /// Takes a record, if the view is still the one it was read for; says whether it is.
    fn take(&self, generation: u64, record: &Record) -> bool {
        let mut kept = self.kept.lock();
        if kept.generation != generation || kept.state == State::Full {
            return false;
        }
        let taken = kept.view.apply(record, self.bounds);
        if taken.is_err() {
            kept.view = View::default();
            kept.state = State::Full;
            log::warn!(
                "kafka: {} has more keys or bytes than its table may hold",
                self.topic
            );
        }
        drop(kept);
        self.changed();
        taken.is_ok()
    }

    fn changed(&self) {
        self.changes
            .send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

/// Others changed a value all the time, and this change is not made.
pub(crate) fn contended() -> GatewayError {
    let public = "Others changed the value all the time, and it is not changed by this.";
    GatewayError::public(Code::KafkaQueueFull, public)
        .source("many change one value at once")
        .retry_after(RETRY_AFTER)
}

/// As the figures have it.
const fn came(outcome: &Outcome) -> Came {
    match outcome {
        Outcome::Written { .. } => Came::Written,
        Outcome::Mismatch(_) => Came::Conflict,
        Outcome::Absent => Came::Absent,
    }
}
