//! The spool: records on disk that a cluster still has to take. It knows neither HTTP nor callers.
//!
//! A record is promised once it is in a file and the disk has it; from then on it survives the process and
//! the machine, and is sent until brokers acknowledge it or refuse it for good. Records go out in the order
//! in which they came. Of what was sent shortly before a process was killed nobody knows, so each record
//! carries an id of its own in the header [`HEADER`], by which it is found in its topic if it went out already.
//!
//! A spool is a directory with segments. Several processes may add to it, each to segments of its own, and
//! one of them sends: whoever has the lock. So a spool is handed over, to another process or to another
//! configuration, without a moment in which nobody may add to it.
//!
//! | Module | Knows |
//! |---|---|
//! | `format` | the bytes of a segment |
//! | `entry` | the bytes of an entry |
//! | `directory` | which file is what |
//! | `segment`, `log` | how entries are written so that they last |
//! | `reader` | how entries are read, damage or not |
//! | `position` | up to where brokers have everything |
//! | `writer` | the thread that adds what callers bring, many at once |
//! | `course` | the entries of all segments, in their order |
//! | `drain` | the thread that sends them |
//! | `flight` | what is on its way |
//! | `doubt` | what may have been sent by who is gone |
//! | `rejected` | what brokers refused for good |
//! | `sink` | what takes records: a cluster, or a test |
//! | `takeover` | who sends |
//! | `survey` | all of it, from outside |

mod course;
mod directory;
mod doubt;
mod drain;
mod entry;
mod flight;
mod format;
mod log;
mod position;
mod reader;
mod rejected;
mod segment;
mod sink;
pub(crate) mod survey;
mod takeover;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot, watch};
use weir_telemetry::{Metrics, metrics};

pub(crate) use entry::{Entry, Id};

use log::Draft;
use position::Place;
pub(crate) use sink::Cluster;
use sink::Sink;
use writer::{Count, Order, Writer};

use crate::kafka::Outgoing;

/// The header by which who reads a record knows whether it has seen it before.
pub(crate) const HEADER: &str = "weir-spool-id";

/// How much larger a record is by that header, in bytes.
pub(crate) const HEADER_SIZE: u64 = (HEADER.len() + Id::LENGTH) as u64;

/// The directory of spools in a data directory.
pub(crate) const DIRECTORY: &str = "spool";

/// How many callers may wait for the thread that writes; more wait for their turn to wait.
const QUEUE: usize = 4096;

/// Where a spool is, and how large it may get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The cluster's name.
    pub(crate) cluster: Arc<str>,
    pub(crate) directory: PathBuf,
    /// How large its segments may get together, in bytes.
    pub(crate) max_size: u64,
}

/// Why a record is not in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It would be larger than so many bytes then.
    Full(u64),
    /// The disk has no room, in the system's words.
    NoSpace(Arc<str>),
    /// The disk failed, in the system's words. If even taking back what was written failed, the record may
    /// be sent although it was refused.
    Failed(Arc<str>),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as E;
        let why = error.to_string().into();
        match error.kind() {
            E::StorageFull | E::QuotaExceeded | E::FileTooLarge => Self::NoSpace(why),
            _ => Self::Failed(why),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(most) => write!(f, "the spool is at its limit of {most} bytes"),
            Self::NoSpace(why) => write!(f, "the disk of the spool is full: {why}"),
            Self::Failed(why) => write!(f, "the spool cannot be written: {why}"),
        }
    }
}

/// The spool of a cluster.
pub(crate) struct Spool {
    orders: mpsc::Sender<Order>,
    shared: Arc<Shared>,
    /// Says to send no more; so does dropping it.
    stop: watch::Sender<bool>,
    /// Whether the thread that sends has ended.
    ended: watch::Receiver<bool>,
}

/// What this process adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Live {
    /// The segment that it writes, if it does, and up to where that lasts.
    at: Option<Place>,
    /// How many entries it added, up to there.
    appended: u64,
}

/// What the two threads of a spool share.
struct Shared {
    settings: Settings,
    live: watch::Sender<Live>,
    /// How large all segments are, as far as is known.
    bytes: AtomicU64,
    /// How the thread that sends reaches the one that writes.
    orders: mpsc::WeakSender<Order>,
    /// Whether somebody else is about to take over: segments are to end with each batch then.
    retired: AtomicBool,
    figures: metrics::Spool,
    metrics: Metrics,
}

impl Shared {
    /// Has the segment end that is written, so that what follows can be sent; soon, if not now.
    fn end_segment(&self) {
        if let Some(orders) = self.orders.upgrade() {
            let _ = orders.try_send(Order::EndSegment);
        }
    }

    /// What this process has added so far. Without an end, if nobody has the spool any more.
    async fn count(&self) -> io::Result<Count> {
        let (answer, answered) = oneshot::channel();
        if let Some(orders) = self.orders.upgrade() {
            // An error is seen by the answer that does not come.
            let _ = orders.send(Order::Count(answer)).await;
            drop(orders);
            if let Ok(count) = answered.await {
                return count;
            }
        }
        std::future::pending().await
    }

    /// So many bytes less are taken up.
    fn free(&self, bytes: u64) {
        let less = |known: u64| Some(known.saturating_sub(bytes));
        // It is never refused.
        let _ = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

impl Spool {
    /// Opens a spool, and begins to send what is in it as soon as nobody else does.
    pub(crate) fn open(settings: Settings, sink: impl Sink, metrics: &Metrics) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel(QUEUE);
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        let shared = Arc::new(Shared {
            figures: metrics.spool(&settings.cluster),
            metrics: metrics.clone(),
            bytes: AtomicU64::new(directory::bytes(&settings.directory)?),
            settings,
            live: watch::Sender::default(),
            orders: orders.downgrade(),
            retired: AtomicBool::default(),
        });
        let writer = Writer::new(Arc::clone(&shared), inbox);
        thread("weir-spool", move || writer.run())?;
        let draining = Arc::clone(&shared);
        thread("weir-drain", move || {
            drain::run(draining, sink, stopped);
            end.send_replace(true);
        })?;
        Ok(Self {
            orders,
            shared,
            stop,
            ended,
        })
    }

    /// Puts records into the spool, all or none; their ids, which follow one another. Once this returns well,
    /// they outlive the machine.
    ///
    /// Who no longer waits may find them in the spool or not; after a crash, the first ones of them.
    pub(crate) async fn append_all(&self, records: Vec<Outgoing>) -> Result<Vec<Id>, Refusal> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        let time = now();
        let draft = |record| Draft {
            time,
            record,
            refused: None,
        };
        let order = Order::Append(records.into_iter().map(draft).collect(), answer);
        let gone = || Refusal::Failed("the thread that writes has ended".into());
        self.orders.send(order).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Leaves the sending to whoever opens the spool next. What is added by those who still have this one
    /// is theirs to send.
    pub(crate) fn retire(&self) {
        self.shared.retired.store(true, Ordering::Release);
        self.shared.end_segment();
        self.stop.send_replace(true);
    }

    /// Sends no more, and returns once it is written down what brokers have.
    pub(crate) async fn rest(&self) {
        self.stop.send_replace(true);
        // An error says that the thread has ended, too.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

/// All spools of a configuration, by the names of their clusters.
pub(crate) type Spools = HashMap<Arc<str>, Arc<Spool>>;

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or(Duration::ZERO).as_millis();
    i64::try_from(since).unwrap_or(i64::MAX)
}
