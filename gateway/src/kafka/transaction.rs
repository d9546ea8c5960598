//! Transactions: records that consumers of committed ones see all of, or none.
//!
//! A transactional producer runs one transaction at a time, and its calls block. So there are a few of
//! them for a cluster, started when they are needed, and each transaction runs on a thread of its own.
//! Whether it is committed is decided once: by that thread, or by a caller whose time is over first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use rdkafka::util::Timeout;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use weir_telemetry::{Code, trace};

use super::outgoing::Outgoing;
use super::producer::{DEFAULTS, RETRY_AFTER, not_let_in, refusal, unavailable, unknown};
use super::sender::{self, Acknowledged, Place, Sender};
use super::watch::Watch;
use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// How many transactions a cluster is sent at a time.
const SLOTS: usize = 4;
/// How long to wait before a record is offered again that the queue has no room for.
const PAUSE: Duration = Duration::from_millis(5);

/// The transactions of a cluster.
pub(super) struct Transactions {
    cluster: Cluster,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Transactor>>>,
}

/// Why a transaction was not committed, or may not have been: only of
/// [`Code::KafkaOutcomeUnknown`] can anything be written that counts.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) error: Box<GatewayError>,
    /// Which record it failed at, if it was one.
    pub(crate) record: Option<usize>,
}

/// What becomes of a transaction, once that is decided.
#[derive(Debug, PartialEq, Eq)]
enum Decided {
    /// The brokers are asked to commit it.
    Commit,
    /// It never will be.
    Abort,
}

type Outcome = Result<Vec<Acknowledged>, Failed>;

impl Transactions {
    pub(super) fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            slots: Arc::new(Semaphore::new(SLOTS)),
            idle: Arc::default(),
        }
    }

    /// Sends records in one transaction, and waits at most `within` for its end.
    pub(super) async fn run(&self, records: Vec<Outgoing>, within: Duration) -> Outcome {
        let until = Instant::now() + within;
        let permit = tokio::time::timeout_at(until, self.slots.clone().acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            return Err(whole(busy()));
        };
        let decision = Arc::new(OnceLock::new());
        let (tell, outcome) = oneshot::channel();
        let run = Run {
            records,
            until,
            decision: decision.clone(),
            tell,
        };
        self.start(run, permit);
        match tokio::time::timeout_at(until, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(whole(unknown("the transaction's thread ended"))),
            Err(_) if decision.set(Decided::Abort).is_ok() => Err(whole(late())),
            Err(_) => Err(whole(unknown("the commit was not answered in time"))),
        }
    }

    /// Runs a transaction on a thread, which keeps its slot until it is over.
    fn start(&self, run: Run, permit: OwnedSemaphorePermit) {
        let (cluster, idle) = (self.cluster.clone(), self.idle.clone());
        let known = idle.lock().pop();
        std::thread::spawn(move || {
            let producer = match known {
                Some(producer) => Ok(producer),
                None => {
                    let longest = cluster.delivery_timeout;
                    Transactor::start(&cluster, &id(&cluster.name), longest, run.until)
                }
            };
            match producer {
                Ok(producer) => {
                    // Not in one statement: that would hold the lock as long as it runs.
                    let again = producer.run(run);
                    idle.lock().extend(again);
                }
                Err(error) => run.told(Err(whole(error))),
            }
            drop(permit);
        });
    }
}

/// One transaction.
struct Run {
    records: Vec<Outgoing>,
    until: Instant,
    decision: Arc<OnceLock<Decided>>,
    tell: oneshot::Sender<Outcome>,
}

impl Run {
    /// Whoever waited may have gone.
    fn told(self, outcome: Outcome) {
        drop(self.tell.send(outcome));
    }
}

/// A transactional producer. It is given up once nobody can say what state it is in.
pub(super) struct Transactor(Sender<Ticket>);

/// What a transaction came to.
pub(super) enum Ended {
    /// It counts; another can be run.
    Committed(Vec<Acknowledged>),
    /// It never will, for a reason that lies in the records; another can be run.
    Nothing(Box<GatewayError>),
    /// It never will, and this producer is of no use any more.
    Lost(Box<GatewayError>),
    /// Nobody can say, and this producer is of no use any more.
    Doubtful(Vec<Acknowledged>),
}

impl Transactor {
    /// A producer of that id, which ends the transactions of all that had it before; none of its own takes
    /// longer than `longest`.
    pub(super) fn start(
        cluster: &Cluster,
        id: &str,
        longest: Duration,
        until: Instant,
    ) -> Result<Self, GatewayError> {
        let longest = longest.as_millis().to_string();
        let mut config = super::client(cluster, &DEFAULTS);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("transactional.id", id)
            .set("transaction.timeout.ms", &longest)
            .set("message.timeout.ms", &longest);
        let producer = Sender::start(&config, Watch::of(cluster)).map_err(unavailable)?;
        let left = until.saturating_duration_since(Instant::now());
        let begun = producer.client().init_transactions(left);
        let this = Self(producer);
        begun.map_err(|error| this.refusal(error))?;
        Ok(this)
    }

    /// Runs a transaction to its end, on the caller's thread.
    pub(super) fn write(&self, records: &[Outgoing], until: Instant) -> Ended {
        if let Err(error) = self.0.client().begin_transaction() {
            return Ended::Lost(unavailable(error).into());
        }
        let places = match self.send(records, until) {
            Ok(places) => places,
            Err(failed) => {
                let lies_in_records = failed.error.code != Code::KafkaUnavailable;
                let left = until.saturating_duration_since(Instant::now());
                let aborted = self.0.client().abort_transaction(left);
                return match lies_in_records && aborted.is_ok() {
                    true => Ended::Nothing(failed.error),
                    false => Ended::Lost(failed.error),
                };
            }
        };
        let left = until.saturating_duration_since(Instant::now());
        match self.0.client().commit_transaction(left) {
            Ok(()) => Ended::Committed(places),
            Err(error) => {
                log::debug!("kafka: a commit ended with {error}");
                Ended::Doubtful(places)
            }
        }
    }

    /// Runs a transaction to its end; the producer, if it can run another.
    fn run(self, run: Run) -> Option<Self> {
        if let Err(error) = self.0.client().begin_transaction() {
            run.told(Err(whole(unavailable(error))));
            return None;
        }
        let sent = self.send(&run.records, run.until);
        // Once this is set, nobody else says that nothing was written.
        let decided = sent.is_ok() && run.decision.set(Decided::Commit).is_ok();
        let sent = match sent {
            Ok(_) if !decided => Err(whole(late())),
            sent => sent,
        };
        match sent {
            Ok(places) => match self.0.client().commit_transaction(Timeout::Never) {
                Ok(()) => run.told(Ok(places)),
                Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                    run.told(Err(whole(unavailable(KafkaError::Transaction(error)))));
                    return self.aborted();
                }
                Err(error) => {
                    run.told(Err(whole(unknown(error))));
                    return None;
                }
            },
            Err(failed) => {
                run.told(Err(failed));
                return self.aborted();
            }
        }
        Some(self)
    }

    /// Ends a transaction that was told to be aborted already: without a commit it never counts, and
    /// the brokers end it themselves in time if this does not.
    fn aborted(self) -> Option<Self> {
        self.0.client().abort_transaction(Timeout::Never).ok()?;
        Some(self)
    }

    /// Sends records, in order, and waits until the brokers have all of them.
    fn send(&self, records: &[Outgoing], until: Instant) -> Outcome {
        let (tell, reports) = mpsc::channel();
        for (index, record) in records.iter().enumerate() {
            let ticket = Ticket {
                index,
                tell: tell.clone(),
            };
            self.queue(record, ticket, until)?;
        }
        drop(tell);
        let mut places = vec![None; records.len()];
        for _ in records {
            let left = until.saturating_duration_since(Instant::now());
            let report = reports.recv_timeout(left).map_err(|_| whole(late()))?;
            let place = report
                .place
                .map_err(|error| self.failed(report.index, error))?;
            places[report.index] = Some(place);
        }
        let places: Option<Vec<Acknowledged>> = places.into_iter().collect();
        places.ok_or_else(|| whole(unavailable("a record was reported twice")))
    }

    /// It failed at a record.
    fn failed(&self, record: usize, error: KafkaError) -> Failed {
        Failed {
            error: self.refusal(error).into(),
            record: Some(record),
        }
    }

    /// Why nothing was written.
    fn refusal(&self, error: KafkaError) -> GatewayError {
        let watch = self.0.client().context().watch();
        if let Some(refused) = watch.refused() {
            return not_let_in(refused, watch.is_callers);
        }
        refusal(&error, watch.is_callers).unwrap_or_else(|| unavailable(error))
    }

    /// Hands over a record, as soon as there is room for it.
    fn queue(&self, record: &Outgoing, ticket: Ticket, until: Instant) -> Result<(), Failed> {
        let index = ticket.index;
        let mut ticket = Box::new(ticket);
        loop {
            let Err((error, refused)) = self.0.send(record, ticket) else {
                return Ok(());
            };
            let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !full {
                return Err(self.failed(index, error));
            }
            if Instant::now() >= until {
                return Err(whole(late()));
            }
            std::thread::sleep(PAUSE);
            ticket = refused;
        }
    }
}

/// What is told of one record.
struct Report {
    index: usize,
    place: Place,
}

/// Whom to tell of a record; of one that was given up, nobody listens any more.
struct Ticket {
    index: usize,
    tell: mpsc::Sender<Report>,
}

impl sender::Ticket for Ticket {
    fn told(self, place: Place) {
        let index = self.index;
        drop(self.tell.send(Report { index, place }));
    }
}

/// An id that no other producer has had: one that is given up is fenced by none.
fn id(cluster: &str) -> String {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let process = PROCESS.get_or_init(|| u64::from_be_bytes(trace::span_id()));
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    format!("weir-{cluster}-{process:016x}-{number}")
}

/// It failed as a whole.
fn whole(error: GatewayError) -> Failed {
    Failed {
        error: error.into(),
        record: None,
    }
}

fn late() -> GatewayError {
    let public = "The brokers did not take all records in the route's time.";
    GatewayError::public(Code::KafkaUnavailable, public).retry_after(RETRY_AFTER)
}

fn busy() -> GatewayError {
    let public = "As many transactions as run at a time were under way all the route's time.";
    GatewayError::public(Code::KafkaQueueFull, public)
        .source("no transaction ended in time")
        .retry_after(RETRY_AFTER)
}
