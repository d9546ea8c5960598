//! The flight recorder: the latest failed, the latest refused, the latest that
//! their callers got wrong, and the slowest requests, kept in bounded memory
//! for whoever asks "what happened to this one?".
//!
//! Refusals by policy and callers' mistakes have rings of their own, so that
//! one caller running into its quota, or a scanner, does not push the real
//! failures out. The recorder holds [`Record`]s as they are; they carry no
//! header, query or body.

use crate::code::Fault;
use crate::json::{Detail, List, Summary};
use crate::record::Record;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// How long one of the slowest stays one before others get their turn.
const SLOWEST_FOR: Duration = Duration::from_secs(15 * 60);

/// How much a recorder keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Failed requests, and as many refused ones.
    pub failed: usize,
    /// Requests that their callers got wrong.
    pub mistaken: usize,
    /// Slowest requests.
    pub slowest: usize,
    /// Bytes each of the four may hold, roughly.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failed: 1_000,
            mistaken: 250,
            slowest: 100,
            bytes: 8 * 1024 * 1024,
        }
    }
}

/// The flight recorder.
pub struct Recorder {
    failed: Mutex<Ring>,
    refused: Mutex<Ring>,
    mistaken: Mutex<Ring>,
    slowest: Mutex<Slowest>,
    /// What a request has to take, in nanoseconds, to be one of the slowest;
    /// read without the lock.
    floor: AtomicU64,
    /// When the oldest of the slowest has had its time, in Unix seconds.
    stale_at: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Recorder {
    /// An empty recorder.
    pub fn new(limits: Limits) -> Self {
        Self {
            failed: Mutex::new(Ring::new(limits.failed, limits.bytes)),
            refused: Mutex::new(Ring::new(limits.failed, limits.bytes)),
            mistaken: Mutex::new(Ring::new(limits.mistaken, limits.bytes)),
            slowest: Mutex::new(Slowest::new(limits.slowest, limits.bytes)),
            floor: AtomicU64::new(if limits.slowest == 0 { u64::MAX } else { 0 }),
            stale_at: AtomicU64::new(u64::MAX),
        }
    }

    /// Whether [`keep`](Self::keep) would keep it; two atomic reads for a
    /// request that neither failed nor was slow.
    pub fn wants(&self, record: &Record) -> bool {
        self.ring_of(record).is_some() || self.may_be_slowest(record)
    }

    fn may_be_slowest(&self, record: &Record) -> bool {
        !record.long_lived
            && (nanos(record.duration) > self.floor.load(Ordering::Relaxed)
                || unix_end(record) >= self.stale_at.load(Ordering::Relaxed))
    }

    /// Keep a finished request, if it is one to keep.
    pub fn keep(&self, record: Arc<Record>) {
        // What falls out is freed after the lock is.
        let _evicted = self
            .ring_of(&record)
            .map(|ring| ring.lock().push(Arc::clone(&record)));
        if self.may_be_slowest(&record) {
            let mut slowest = self.slowest.lock();
            let _evicted = slowest.offer(record);
            self.floor.store(slowest.floor(), Ordering::Relaxed);
            self.stale_at.store(slowest.stale_at, Ordering::Relaxed);
        }
    }

    /// The latest kept request of this request id or trace id (32 lowercase
    /// hexadecimal digits).
    pub fn find(&self, id: &str) -> Option<Arc<Record>> {
        let is_it = |record: &&Arc<Record>| {
            record.request_id.as_str() == id || record.trace.trace_id_hex().as_str() == id
        };
        [&self.failed, &self.refused, &self.mistaken]
            .into_iter()
            .find_map(|ring| ring.lock().records.iter().rev().find(is_it).cloned())
            .or_else(|| self.slowest.lock().records.iter().find(is_it).cloned())
    }

    /// The body of `GET /requests/{id}`: the record in the fields of the
    /// access log, with its `explanation`, `timeline`, `likely_cause`, what to look at `next`, and its
    /// `runbook`; `in_force` is the revision of the configuration in force.
    pub fn find_json(&self, id: &str, in_force: u64) -> Option<String> {
        let record = self.find(id)?;
        serde_json::to_string_pretty(&Detail::of(&record, in_force)).ok()
    }

    /// The body of `GET /requests`: `failed`, `refused` and `mistaken`, newest
    /// first, and `slowest`, slowest first, in short.
    pub fn list_json(&self) -> String {
        let newest_first = |ring: &Mutex<Ring>| {
            ring.lock()
                .records
                .iter()
                .rev()
                .cloned()
                .collect::<Vec<_>>()
        };
        let failed = newest_first(&self.failed);
        let refused = newest_first(&self.refused);
        let mistaken = newest_first(&self.mistaken);
        let mut slowest = self.slowest.lock().records.clone();
        slowest.sort_by_key(|record| std::cmp::Reverse(record.duration));
        let list = List {
            failed: failed.iter().map(|r| Summary::of(r)).collect(),
            refused: refused.iter().map(|r| Summary::of(r)).collect(),
            mistaken: mistaken.iter().map(|r| Summary::of(r)).collect(),
            slowest: slowest.iter().map(|r| Summary::of(r)).collect(),
        };
        // Plain structs of strings and numbers: there is nothing to fail.
        serde_json::to_string_pretty(&list).unwrap_or_default()
    }

    fn ring_of(&self, record: &Record) -> Option<&Mutex<Ring>> {
        match record.fault() {
            Some(Fault::Gateway | Fault::Upstream) => Some(&self.failed),
            Some(Fault::Policy) => Some(&self.refused),
            Some(Fault::Client) => Some(&self.mistaken),
            None => record.failed().then_some(&self.failed),
        }
    }
}

struct Ring {
    records: VecDeque<Arc<Record>>,
    most: usize,
    bytes: usize,
    max_bytes: usize,
}

impl Ring {
    fn new(most: usize, max_bytes: usize) -> Self {
        Self {
            records: VecDeque::new(),
            most,
            bytes: 0,
            max_bytes,
        }
    }

    /// Add the newest; returns what had to go for it.
    fn push(&mut self, record: Arc<Record>) -> Vec<Arc<Record>> {
        self.bytes += weight(&record);
        self.records.push_back(record);
        let mut evicted = Vec::new();
        while self.records.len() > self.most || self.bytes > self.max_bytes {
            let Some(oldest) = self.records.pop_front() else {
                break;
            };
            self.bytes -= weight(&oldest);
            evicted.push(oldest);
        }
        evicted
    }
}

struct Slowest {
    records: Vec<Arc<Record>>,
    most: usize,
    bytes: usize,
    max_bytes: usize,
    /// None of them has had its time before, in Unix seconds.
    stale_at: u64,
}

impl Slowest {
    fn new(most: usize, max_bytes: usize) -> Self {
        Self {
            // One more, as it is taken in before another goes.
            records: Vec::with_capacity(most + 1),
            most,
            bytes: 0,
            max_bytes,
            stale_at: u64::MAX,
        }
    }

    /// Take it in if it is slower than one of those kept; returns what had to
    /// go: first what is too old, then the fastest.
    fn offer(&mut self, record: Arc<Record>) -> Vec<Arc<Record>> {
        let now = unix_end(&record);
        let mut evicted = Vec::new();
        if now >= self.stale_at {
            let is_old = |kept: &mut Arc<Record>| stale_from(kept) <= now;
            evicted.extend(self.records.extract_if(.., is_old));
            self.bytes -= evicted.iter().map(|gone| weight(gone)).sum::<usize>();
            let left = self.records.iter().map(|left| stale_from(left)).min();
            self.stale_at = left.unwrap_or(u64::MAX);
        }
        self.stale_at = self.stale_at.min(stale_from(&record));
        self.bytes += weight(&record);
        self.records.push(record);
        while self.records.len() > self.most || self.bytes > self.max_bytes {
            let fastest = (0..self.records.len()).min_by_key(|i| self.records[*i].duration);
            let Some(fastest) = fastest else { break };
            let gone = self.records.swap_remove(fastest);
            self.bytes -= weight(&gone);
            evicted.push(gone);
        }
        evicted
    }

    fn floor(&self) -> u64 {
        if self.records.len() < self.most {
            return 0;
        }
        let fastest = self.records.iter().map(|record| record.duration).min();
        // Nothing is kept at all: nothing is slow enough.
        fastest.map_or(u64::MAX, nanos)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// When the request ended, in Unix seconds: known without asking the clock.
fn unix_end(record: &Record) -> u64 {
    let begun = record.started_at.duration_since(UNIX_EPOCH);
    (begun.unwrap_or_default() + record.duration).as_secs()
}

/// From when on, in Unix seconds, it has been one of the slowest for long enough.
fn stale_from(record: &Record) -> u64 {
    unix_end(record) + SLOWEST_FOR.as_secs()
}

/// Roughly what a record holds in memory, names shared with others left out.
fn weight(record: &Record) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    size_of::<Record>()
        + record.path.len()
        + record.host.len()
        + text(&record.user_agent)
        + text(&record.detail)
        + record.trace.state.as_ref().map_or(0, String::len)
        + record.attempts.capacity() * size_of::<crate::Attempt>()
        + record
            .attempts
            .iter()
            .map(|a| text(&a.detail) + a.path.as_ref().map_or(0, |path| path.len()))
            .sum::<usize>()
        + record.policies.capacity() * size_of::<crate::record::PolicyRun>()
        + record.quotas.capacity() * size_of::<crate::record::QuotaUse>()
        + record.llm.as_ref().map_or(0, |llm| {
            size_of::<crate::record::Llm>()
                + llm.targets.capacity() * size_of::<crate::record::Target>()
                + text(&llm.finish_reason)
                + text(&llm.response_id)
                + text(&llm.response_model)
                + llm.sampling.as_ref().map_or(0, |sampling| {
                    size_of::<crate::record::Sampling>()
                        + sampling.stop.iter().map(String::len).sum::<usize>()
                })
        })
        + record
            .kafka
            .as_ref()
            .map_or(0, |_| size_of::<crate::record::Kafka>())
        + record
            .subscription
            .as_ref()
            .map_or(0, |_| size_of::<crate::record::Subscription>())
        + record
            .reply
            .as_ref()
            .map_or(0, |_| size_of::<crate::record::Reply>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::record::sample;

    fn failed(id: &str, code: Code) -> Arc<Record> {
        let mut record = sample::plain(id);
        record.code = Some(code);
        record.status = code.status();
        Arc::new(record)
    }

    fn slow(id: &str, started: u64, took: u64) -> Arc<Record> {
        let mut record = sample::plain(id);
        record.started_at = UNIX_EPOCH + Duration::from_secs(started);
        record.duration = Duration::from_millis(took);
        Arc::new(record)
    }

    fn keep(recorder: &Recorder, record: Arc<Record>) {
        if recorder.wants(&record) {
            recorder.keep(record);
        }
    }

    fn recorder(failed: usize, slowest: usize) -> Recorder {
        Recorder::new(Limits {
            failed,
            slowest,
            ..Limits::default()
        })
    }

    #[test]
    fn refusals_do_not_push_failures_out() {
        let recorder = recorder(2, 0);
        keep(&recorder, failed("broken", Code::ConnectionRefused));
        for n in 0..10 {
            keep(&recorder, failed(&format!("q{n}"), Code::QuotaExhausted));
        }
        assert!(recorder.find("broken").is_some());
        assert!(recorder.find("q9").is_some());
        assert!(recorder.find("q8").is_some());
        assert!(recorder.find("q7").is_none());
    }

    #[test]
    fn a_scanner_pushes_neither_failures_nor_refusals_out() {
        let recorder = Recorder::new(Limits {
            mistaken: 3,
            slowest: 0,
            ..Limits::default()
        });
        keep(&recorder, failed("broken", Code::ConnectionRefused));
        keep(&recorder, failed("q", Code::QuotaExhausted));
        for n in 0..10 {
            keep(&recorder, failed(&format!("s{n}"), Code::RouteNotFound));
        }
        assert!(recorder.find("broken").is_some());
        assert!(recorder.find("q").is_some());
        assert!(recorder.find("s7").is_some(), "the latest can be explained");
        assert!(recorder.find("s6").is_none(), "there is no end of them");
        let list: serde_json::Value = serde_json::from_str(&recorder.list_json()).expect("JSON");
        assert_eq!(list["mistaken"][0]["request_id"], "s9");
    }

    #[test]
    fn it_is_found_by_request_and_by_trace() {
        let recorder = recorder(2, 0);
        let record = failed("one", Code::InternalError);
        let trace = record.trace.trace_id_hex();
        keep(&recorder, record);
        assert_eq!(
            recorder.find(&trace).expect("kept").request_id.as_str(),
            "one"
        );
        let json = recorder.find_json("one", 0).expect("kept");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["error.type"], "internal_error");
        assert_eq!(json["runbook"], "runbooks/internal_error.md");
        assert_eq!(recorder.find_json("another", 0), None);
    }

    #[test]
    fn memory_is_bounded_by_bytes_too() {
        let recorder = Recorder::new(Limits {
            failed: 1_000,
            slowest: 1_000,
            bytes: 100_000,
            ..Limits::default()
        });
        for n in 0..50 {
            let mut record = Record::clone(&failed(&n.to_string(), Code::InternalError));
            record.path = "x".repeat(10_000);
            record.duration = Duration::from_secs(n);
            keep(&recorder, Arc::new(record));
        }
        let kept = recorder.failed.lock().records.len();
        assert!((1..10).contains(&kept), "{kept}");
        let kept = recorder.slowest.lock().records.len();
        assert!((1..10).contains(&kept), "{kept}");
        assert!(recorder.find("49").is_some());
    }

    #[test]
    fn the_slowest_stay_until_slower_ones_or_their_time_comes() {
        let recorder = recorder(0, 2);
        keep(&recorder, slow("a", 1_000, 30));
        keep(&recorder, slow("b", 1_000, 10));
        keep(&recorder, slow("c", 1_000, 20));
        assert!(recorder.find("b").is_none(), "the fastest goes");
        assert!(!recorder.wants(&slow("d", 1_000, 20)));
        let later = 1_000 + SLOWEST_FOR.as_secs() + 1;
        keep(&recorder, slow("e", later, 1));
        assert!(recorder.find("e").is_some(), "the old ones had their time");
        assert!(recorder.find("a").is_none());
    }

    #[test]
    fn a_long_stream_is_not_slow() {
        let mut record = Record::clone(&slow("ws", 1_000, 3_600_000));
        record.long_lived = true;
        assert!(!recorder(1, 1).wants(&record));
    }

    #[test]
    fn the_list_has_newest_and_slowest_first() {
        let recorder = recorder(5, 5);
        keep(&recorder, failed("first", Code::InternalError));
        keep(&recorder, failed("second", Code::DnsError));
        keep(&recorder, slow("slow", 1_000, 99_000));
        let list: serde_json::Value = serde_json::from_str(&recorder.list_json()).expect("JSON");
        assert_eq!(list["failed"][0]["request_id"], "second");
        assert_eq!(list["failed"][1]["request_id"], "first");
        assert_eq!(list["slowest"][0]["request_id"], "slow");
        assert_eq!(list["refused"], serde_json::json!([]));
        assert_eq!(list["mistaken"], serde_json::json!([]));
    }
}
