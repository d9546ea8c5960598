//! What a topic tells the ledger: its records are read from some moment to the end, each is counted
//! once, and every key learns what its records come to.
//!
//! Nothing that is counted already is forgotten, and nothing is counted twice, however often it is
//! done and whoever counts meanwhile: of each holder and window the greater figure is right.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use super::Topic;
use super::form::{Event, Settled};
use super::seen::Seen;
use crate::error::GatewayError;
use crate::kafka::{Next, Record, Start};
use crate::quota::{By, Changed, Ledger, Quota, Recount, Subject, Values};

/// How many records are taken at once.
const TOGETHER: usize = 1_000;
/// How many keys are told apart.
const MOST_KEYS: usize = 1 << 20;
/// How long the brokers may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// Where the oldest window begins that is in force.
    Windows,
    /// At the first record there is.
    Earliest,
    /// At the first record as late as that.
    Time(Timestamp),
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) from: From,
    /// Nothing is changed.
    pub(crate) dry_run: bool,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Records that were read.
    pub(crate) records: u64,
    /// Those among them that had been read before.
    pub(crate) duplicates: u64,
    /// Those that are no records of usage.
    pub(crate) unreadable: u64,
    /// Settlements of these quotas that were counted otherwise than they are now.
    pub(crate) strangers: u64,
    /// Records that the topic does not hold any more.
    pub(crate) missing: u64,
    /// Keys that have records.
    pub(crate) keys: Vec<Key>,
}

/// What came of one key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) quota: Arc<Quota>,
    pub(crate) key: Values,
    /// How it stood and stands, or why its store failed.
    pub(crate) changed: Result<Changed, Arc<str>>,
}

/// Why nothing was changed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The topic could not be read.
    Topic(GatewayError),
    /// The brokers stopped answering.
    Silent,
    /// There are more keys than can be told apart at once.
    TooManyKeys,
}

impl std::convert::From<GatewayError> for Trouble {
    fn from(error: GatewayError) -> Self {
        Self::Topic(error)
    }
}

/// Reads the topic and has each key of these quotas learn what it tells.
pub(crate) async fn replay(
    ledger: &Ledger,
    topic: &Topic,
    quotas: &[Arc<Quota>],
    asked: &Asked,
) -> Result<Report, Trouble> {
    let now = SystemTime::now();
    let mut reading = Reading::new(quotas, now);
    reading.read(topic, start(asked.from, quotas, now)).await?;
    let Reading {
        mut report, keys, ..
    } = reading;
    for (_, found) in keys {
        let subject = found.caller.subject(&found.quota, &found.key);
        let told = ledger.recount(&found.quota, &subject, found.recount, asked.dry_run);
        let changed = told.await;
        report.keys.push(Key {
            quota: found.quota,
            key: found.key,
            changed,
        });
    }
    report
        .keys
        .sort_by_cached_key(|key| (key.quota.name.clone(), key.key.to_string()));
    Ok(report)
}

fn start(from: From, quotas: &[Arc<Quota>], now: SystemTime) -> Start {
    match from {
        From::Earliest => Start::Earliest,
        From::Time(time) => Start::Timestamp(time.as_millisecond()),
        From::Windows => {
            let since = quotas.iter().filter_map(|quota| quota.counts_since(now));
            let since = since.min().unwrap_or(u64::MAX) / 1_000;
            let now = Timestamp::try_from(now).map_or(0, |now| now.as_millisecond());
            Start::Timestamp(i64::try_from(since).unwrap_or(now).min(now))
        }
    }
}

fn micros(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Who called, as a record says it.
#[derive(Debug, Clone, Default)]
struct Caller {
    organisation: Option<String>,
    team: Option<String>,
    consumer: Option<String>,
}

impl Caller {
    /// For whom a key counts: what it does not say itself is said by the records, and decides where
    /// its book is kept.
    fn subject<'a>(&'a self, quota: &Quota, key: &'a Values) -> Subject<'a> {
        let mut subject = key.subject(quota);
        let told = |by: By| quota.by.contains(&by);
        if !told(By::Organisation) {
            subject.organisation = self.organisation.as_deref();
        }
        if !told(By::Team) {
            subject.team = self.team.as_deref();
        }
        if !told(By::Consumer) {
            subject.consumer = self.consumer.as_deref();
        }
        subject
    }
}

/// A key that has records.
struct Found {
    quota: Arc<Quota>,
    key: Values,
    caller: Caller,
    recount: Recount,
}

/// What was read so far.
struct Reading {
    quotas: HashMap<Arc<str>, Arc<Quota>>,
    now: u64,
    seen: Seen,
    keys: HashMap<(Arc<str>, Box<str>), Found>,
    report: Report,
}

impl Reading {
    fn new(quotas: &[Arc<Quota>], now: SystemTime) -> Self {
        let by_name = quotas
            .iter()
            .map(|quota| (quota.name.clone(), quota.clone()));
        Self {
            quotas: by_name.collect(),
            now: micros(now),
            seen: Seen::default(),
            keys: HashMap::new(),
            report: Report::default(),
        }
    }

    /// Reads all that was written before now.
    async fn read(&mut self, topic: &Topic, start: Start) -> Result<(), Trouble> {
        let follower = topic.session.follow(&topic.name).await?;
        let subscribing = topic.session.subscribe(&topic.name, follower, start);
        let mut subscription = subscribing.await?;
        while subscription.lag() > 0 {
            let next = tokio::time::timeout(PATIENCE, subscription.next(TOGETHER)).await;
            match next.map_err(|_| Trouble::Silent)?? {
                Next::Joined => {}
                Next::Gaps(gaps) => {
                    let missing = gaps.iter().map(|gap| gap.to.abs_diff(gap.from));
                    self.report.missing += missing.sum::<u64>();
                }
                Next::Records(records) => {
                    for record in records {
                        self.take(&record)?;
                        subscription.pass(&record);
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, record: &Record) -> Result<(), Trouble> {
        self.report.records += 1;
        let Some(event) = record.value.as_deref().and_then(Event::read) else {
            self.report.unreadable += 1;
            return Ok(());
        };
        if !self.seen.is_new(&event.id) {
            self.report.duplicates += 1;
            return Ok(());
        }
        event
            .quotas
            .iter()
            .try_for_each(|settled| self.count(&event, settled))
    }

    fn count(&mut self, event: &Event, settled: &Settled) -> Result<(), Trouble> {
        let Some(quota) = self.quotas.get(&*settled.name) else {
            return Ok(());
        };
        let same = *settled.store == **quota.store.name()
            && settled.unit == quota.unit.as_str()
            && settled.window == quota.window.to_string();
        let Some(key) = same
            .then(|| Values::parse(quota, &settled.key).ok())
            .flatten()
        else {
            self.report.strangers += 1;
            return Ok(());
        };
        let full = self.keys.len() >= MOST_KEYS;
        let place = (Arc::clone(&quota.name), settled.key.as_str().into());
        let found = match self.keys.entry(place) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(_) if full => {
                return Err(Trouble::TooManyKeys);
            }
            std::collections::hash_map::Entry::Vacant(free) => {
                let caller = Caller {
                    organisation: event.organisation.clone(),
                    team: event.team.clone(),
                    consumer: event.consumer.clone(),
                };
                let recount = Recount::new(quota, &caller.subject(quota, &key));
                free.insert(Found {
                    quota: Arc::clone(quota),
                    key,
                    caller,
                    recount,
                })
            }
        };
        let at = event.time.micros().min(self.now);
        // What begins later than now was written by a clock that ran ahead, or by somebody else.
        for part in settled.parts().filter(|part| part.since <= self.now) {
            found.recount.add(at, &part);
        }
        Ok(())
    }
}
