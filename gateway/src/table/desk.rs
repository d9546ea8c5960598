//! How a partition is written: one thread for each, which takes what waits, decides it against the view, and
//! writes it in one transaction.
//!
//! **Why no update is lost.** A desk compares and writes only while it has begun ([`Partition`]): it has
//! fenced every other gateway and then read to the end, so that the view holds all that others committed.
//! From then on only its own commits are taken, and it reads each of them back before it decides anything
//! else. If another gateway begins, the next commit is refused: nothing was written, and it begins anew,
//! reads to the end and compares again. So whatever it compared with was still there when the commit was
//! taken, and it begins only once, not for every write, until somebody else does.
//!
//! A comparison that *fails* is no write, and no commit tells whether the view was still right: before it is
//! told, the partition is read to its end once more.
//!
//! A commit of which nobody heard is looked for after the next beginning, which ends whatever was open: it
//! is in the partition then, or never will be.
//!
//! Who writes to the topic without this (another program, or `publish`) is not stopped: what it writes
//! between comparison and commit is overwritten unseen. Who deletes or compacts a record within the moment
//! that it is in doubt has it compared again: an `If-Match` may then say that it does not hold, though it did.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use weir_telemetry::Code;

use super::{State, Table, Tag};
use crate::error::GatewayError;
use crate::kafka::{Outgoing, Partition, Record, Written};

/// So many writes may wait for a partition.
const WAITING: usize = 1024;
/// So many are written at once.
const MOST: usize = 100;
/// A desk closes, and its connections with it, when nobody came for so long.
const IDLE: Duration = Duration::from_secs(30);
/// The longest wait after another gateway began: two that began at once would end each other's work.
const PAUSE: u64 = 40;

/// What has to be true of a key's value for it to be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Condition {
    /// It is one of these; any, if there are none.
    pub(crate) is: Option<Vec<Tag>>,
    /// There is one.
    pub(crate) exists: bool,
    /// There is none.
    pub(crate) is_absent: bool,
    /// Without one there is nothing to be done.
    pub(crate) needs_one: bool,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is written there.
    Written {
        at: Tag,
        /// Whether the key had a value.
        replaced: bool,
        /// Whether this gateway's view has it already.
        visible: bool,
    },
    /// The condition does not hold: that is what the value is.
    Mismatch(Option<Tag>),
    /// There is no value.
    Absent,
}

type Answer = Result<Outcome, GatewayError>;

/// Whether a write may have begun, decided once: by who writes, or by who waits.
#[derive(Clone, Default)]
pub(super) struct Decision(Arc<OnceLock<bool>>);

impl Decision {
    /// Says that it never will be; whether that is so.
    pub(super) fn give_up(&self) -> bool {
        !*self.0.get_or_init(|| false)
    }

    fn go(&self) -> bool {
        *self.0.get_or_init(|| true)
    }
}

/// A write that waits.
pub(super) struct Job {
    key: Box<str>,
    condition: Condition,
    record: Outgoing,
    until: Instant,
    decision: Decision,
    tell: oneshot::Sender<Answer>,
    /// Where it is, if a commit of which nobody heard was taken.
    doubt: Option<i64>,
}

impl Job {
    pub(super) fn new(
        key: &str,
        condition: Condition,
        record: Outgoing,
        until: Instant,
        tell: oneshot::Sender<Answer>,
    ) -> Self {
        Self {
            key: key.into(),
            condition,
            record,
            until,
            decision: Decision::default(),
            tell,
            doubt: None,
        }
    }

    pub(super) fn decision(&self) -> Decision {
        self.decision.clone()
    }

    /// Whoever waited may have gone.
    fn told(self, answer: Answer) {
        drop(self.tell.send(answer));
    }

    /// It is not written, for that reason; unless nobody can say.
    fn failed(self, error: GatewayError) {
        let answer = match self.doubt {
            Some(_) => unknown(),
            None => error,
        };
        self.told(Err(answer));
    }
}

/// Who takes the writes of a partition.
pub(super) struct Desk(SyncSender<Box<Job>>);

impl Desk {
    /// Opens one. It closes when the table is gone, or nobody came for a while.
    pub(super) fn open(table: &Arc<Table>, number: i32) -> Self {
        let (hand_over, jobs) = sync_channel(WAITING);
        let clerk = Clerk {
            table: Arc::downgrade(table),
            number,
            partition: None,
        };
        std::thread::spawn(move || clerk.run(&jobs));
        Self(hand_over)
    }

    pub(super) fn hand_over(&self, job: Box<Job>) -> Result<(), TrySendError<Box<Job>>> {
        self.0.try_send(job)
    }
}

/// Who writes.
struct Clerk {
    table: Weak<Table>,
    number: i32,
    partition: Option<Partition>,
}

impl Clerk {
    fn run(mut self, jobs: &Receiver<Box<Job>>) {
        while let Ok(first) = jobs.recv_timeout(IDLE) {
            let all = std::iter::once(first).chain(jobs.try_iter().take(MOST - 1));
            let mut waiting: Vec<Job> = all.map(|job| *job).collect();
            while !waiting.is_empty() {
                waiting = self.round(waiting);
            }
        }
    }

    /// Does what can be done at once; of one key only one is. Gives back what is still to be done.
    fn round(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let now = Instant::now();
        let (jobs, over): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.until > now);
        over.into_iter().for_each(|job| job.failed(late()));
        let Some(table) = self.table.upgrade() else {
            jobs.into_iter().for_each(|job| job.failed(late()));
            return Vec::new();
        };
        let Some(until) = jobs.iter().map(|job| job.until).min() else {
            return Vec::new();
        };
        let mut taken = match self.partition.take() {
            Some(partition) => partition,
            None => match table.session.partition(&table.topic, self.number) {
                Ok(partition) => partition,
                Err(error) => return refuse(jobs, &error),
            },
        };
        let round = Round {
            table: &table,
            number: self.number,
            until,
        };
        let left = round.run(&mut taken, jobs);
        self.partition = Some(taken);
        left
    }
}

/// One transaction, and what led to it.
struct Round<'a> {
    table: &'a Arc<Table>,
    number: i32,
    until: Instant,
}

impl Round<'_> {
    fn run(&self, partition: &mut Partition, jobs: Vec<Job>) -> Vec<Job> {
        let (state, generation, at) = self.kept();
        if let Err(error) = self.table.check(state) {
            partition.end();
            return refuse(jobs, &error);
        }
        let mut jobs = jobs;
        let mut is_fresh = false;
        if !partition.has_begun() {
            let doubts = jobs.iter().filter_map(|job| job.doubt);
            let from = doubts.fold(at, i64::min);
            let mut found = HashSet::new();
            let begun = partition.begin(from, self.until, |record| {
                found.insert(record.offset);
                self.table.take(generation, &record);
            });
            if let Err(error) = begun {
                return refuse(jobs, &error);
            }
            jobs = self.settle_doubts(jobs, &found);
            is_fresh = true;
        }
        let mut judged = self.judge(jobs);
        if !judged.failing.is_empty() && !is_fresh {
            let take = |record: Record| {
                self.table.take(generation, &record);
            };
            if let Err(error) = partition.refresh(self.until, take) {
                partition.end();
                judged.going.extend(judged.later);
                judged
                    .going
                    .extend(judged.failing.into_iter().map(|(job, _)| job));
                return refuse(judged.going, &error);
            }
            let mut again = judged.going;
            again.extend(judged.failing.into_iter().map(|(job, _)| job));
            again.extend(judged.later);
            judged = self.judge(again);
        }
        for (job, answer) in judged.failing {
            job.told(answer);
        }
        let mut later = self.write(partition, generation, judged.going);
        later.extend(judged.later);
        later
    }

    fn kept(&self) -> (State, u64, i64) {
        let kept = self.table.kept.lock();
        (kept.state, kept.generation, kept.view.at().of(self.number))
    }

    /// Tells those whose record is there after all.
    fn settle_doubts(&self, jobs: Vec<Job>, found: &HashSet<i64>) -> Vec<Job> {
        let mut left = Vec::new();
        for mut job in jobs {
            match job.doubt.take().filter(|offset| found.contains(offset)) {
                Some(offset) => {
                    let at = self.tag(offset);
                    let replaced = job.condition.is.is_some() || job.condition.exists;
                    job.told(Ok(Outcome::Written {
                        at,
                        replaced,
                        visible: true,
                    }));
                }
                None => left.push(job),
            }
        }
        left
    }

    fn tag(&self, offset: i64) -> Tag {
        Tag {
            partition: self.number,
            offset,
        }
    }

    /// Holds writes against the view.
    fn judge(&self, jobs: Vec<Job>) -> Judged {
        let kept = self.table.kept.lock();
        let mut judged = Judged::default();
        let mut keys = HashSet::new();
        for job in jobs {
            let now = kept.view.get(&job.key).map(|entry| entry.tag);
            let verdict = verdict(&job.condition, now, self.number);
            if keys.contains(&job.key) {
                judged.later.push(job);
            } else if let Some(answer) = verdict {
                judged.failing.push((job, answer));
            } else if job.decision.go() {
                keys.insert(job.key.clone());
                judged.going.push(job);
            }
        }
        drop(kept);
        judged
    }

    /// Writes all of them; gives back those that are to be tried again.
    fn write(&self, partition: &mut Partition, generation: u64, jobs: Vec<Job>) -> Vec<Job> {
        if jobs.is_empty() {
            return jobs;
        }
        let replaced: Vec<bool> = {
            let kept = self.table.kept.lock();
            let had = |job: &Job| kept.view.get(&job.key).is_some();
            jobs.iter().map(had).collect()
        };
        let records: Vec<Outgoing> = jobs.iter().map(|job| job.record.clone()).collect();
        match partition.write(&records, self.until) {
            Written::Committed(offsets) => {
                let last = offsets.iter().copied().max().unwrap_or_default();
                let read = partition.read_to(last, self.until, |record| {
                    self.table.take(generation, &record);
                });
                if read.is_err() {
                    partition.end();
                }
                for ((job, offset), replaced) in jobs.into_iter().zip(offsets).zip(replaced) {
                    job.told(Ok(Outcome::Written {
                        at: self.tag(offset),
                        replaced,
                        visible: read.is_ok(),
                    }));
                }
                Vec::new()
            }
            Written::Nothing(error) if jobs.len() == 1 => refuse(jobs, &error),
            // One of them is to blame: each is written by itself.
            Written::Nothing(_) => jobs
                .into_iter()
                .flat_map(|job| self.write(partition, generation, vec![job]))
                .collect(),
            Written::Lost => {
                let pause = getrandom::u64().unwrap_or(PAUSE / 2) % PAUSE;
                std::thread::sleep(Duration::from_millis(pause));
                jobs
            }
            Written::Doubtful(offsets) => {
                let doubtful = jobs.into_iter().zip(offsets);
                let doubtful = doubtful.map(|(mut job, offset)| {
                    job.doubt = Some(offset);
                    job
                });
                doubtful.collect()
            }
        }
    }
}

/// What is to be done with writes.
#[derive(Default)]
struct Judged {
    going: Vec<Job>,
    failing: Vec<(Job, Answer)>,
    /// Those of keys that are being written.
    later: Vec<Job>,
}

/// Why a write is not done, if that is so.
fn verdict(condition: &Condition, now: Option<Tag>, number: i32) -> Option<Answer> {
    if now.is_some_and(|now| now.partition != number) {
        let public = "The topic has this key in another partition than the gateway writes it to.";
        let error = GatewayError::public(Code::KafkaRecordRejected, public);
        let why =
            "set `partitioner` in the properties of the cluster to what its other producers use";
        return Some(Err(error.source(why)));
    }
    let is = condition.is.as_ref();
    let holds = is.is_none_or(|tags| now.is_some_and(|now| tags.contains(&now)))
        && (!condition.exists || now.is_some())
        && (!condition.is_absent || now.is_none());
    if !holds {
        return Some(Ok(Outcome::Mismatch(now)));
    }
    (condition.needs_one && now.is_none()).then_some(Ok(Outcome::Absent))
}

/// None of them is written.
fn refuse(jobs: Vec<Job>, error: &GatewayError) -> Vec<Job> {
    jobs.into_iter().for_each(|job| job.failed(error.clone()));
    Vec::new()
}

/// It was not written in time.
pub(super) fn late() -> GatewayError {
    let public = "The brokers did not take the record in the route's time, and it is not written.";
    GatewayError::public(Code::KafkaUnavailable, public).retry_after(super::RETRY_AFTER)
}

pub(super) fn unknown() -> GatewayError {
    GatewayError::new(Code::KafkaOutcomeUnknown).source("a commit was not answered in time")
}
