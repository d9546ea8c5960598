//! The spool against an idea of a cluster: what is promised is kept, whatever happens to the files.

mod away;
mod damage;
mod drain;
mod handover;
mod killed;
mod limits;
mod model;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use weir_telemetry::{Code, Metrics};

use super::sink::{Look, Looking, Outcome, Sent, Sink, Unseen};
use super::survey::{State, survey};
use super::{HEADER, Refusal, Settings, Spool};
use crate::kafka::Outgoing;

/// A directory that goes with this.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-spool-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An idea of a cluster; copies are the same one.
#[derive(Clone, Default)]
struct Cluster(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    down: bool,
    /// Whether nobody can see what is in it, either.
    blind: bool,
    /// How often it was looked at.
    looked: usize,
    /// How many records were looked for when it last answered.
    sought: usize,
    /// The ids and values it acknowledged, in order.
    taken: Vec<(String, String)>,
    /// What waits while it is down.
    held: Vec<(Outgoing, oneshot::Sender<Outcome>)>,
    /// How often the next record is to be sent again.
    fail: usize,
    /// Topics of which it takes nothing.
    refused: HashSet<String>,
    renewed: usize,
    /// How often somebody began to look, be it for nothing.
    eyes: usize,
}

/// How many records it holds while it is down.
const QUEUE: usize = 20;

impl Cluster {
    fn down() -> Self {
        let cluster = Self::slow();
        cluster.0.lock().blind = true;
        cluster
    }

    /// One that acknowledges nothing and can be looked into. Whatever is added before its spool has the lock
    /// may have been sent by another and is looked for first, so nothing reaches one that is down then.
    fn slow() -> Self {
        let cluster = Self::default();
        cluster.0.lock().down = true;
        cluster
    }

    fn set(&self, down: bool) {
        let mut inside = self.0.lock();
        (inside.down, inside.blind) = (down, down);
        if !down {
            for (record, answer) in std::mem::take(&mut inside.held) {
                // Nobody is there to be told if all began anew: it has the record all the same.
                let _ = answer.send(inside.take(&record));
            }
        }
    }

    /// What it has, in the order in which it came.
    fn values(&self) -> Vec<String> {
        let taken = self.0.lock().taken.clone();
        taken.into_iter().map(|(_, value)| value).collect()
    }

    async fn has(&self, values: &[String]) {
        until(|| self.values().len() >= values.len()).await;
        assert_eq!(self.values(), values);
    }
}

impl Inside {
    fn take(&mut self, record: &Outgoing) -> Outcome {
        if self.refused.contains(&*record.topic) {
            return Outcome::Refused(Code::KafkaTopicUnknown, "no such topic".to_owned());
        }
        let id = record.headers.iter().find(|(name, _)| **name == *HEADER);
        let text = |bytes: &Option<Bytes>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let id = id.map(|(_, id)| text(id)).unwrap();
        assert!(record.timestamp.is_some());
        self.taken.push((id, text(&record.value)));
        Outcome::Delivered
    }
}

impl Sink for Cluster {
    fn send(&mut self, record: &Outgoing) -> Sent {
        let mut inside = self.0.lock();
        if inside.fail > 0 {
            inside.fail -= 1;
            return Sent::Not(Outcome::Again("as told".to_owned()));
        }
        if !inside.down {
            let outcome = inside.take(record);
            return Sent::Taken(Box::pin(std::future::ready(outcome)));
        }
        if inside.held.len() >= QUEUE {
            return Sent::Busy;
        }
        let (answer, answered) = oneshot::channel();
        inside.held.push((record.clone(), answer));
        Sent::Taken(Box::pin(async {
            answered.await.unwrap_or(Outcome::Again("gone".to_owned()))
        }))
    }

    fn renew(&mut self) -> Result<(), String> {
        let mut inside = self.0.lock();
        inside.renewed += 1;
        inside.held.clear();
        Ok(())
    }

    fn eyes(&self) -> Arc<dyn Look> {
        self.0.lock().eyes += 1;
        Arc::new(self.clone())
    }
}

impl Look for Cluster {
    fn look(&self, _: Arc<str>, _: i64, ids: Vec<Bytes>) -> Looking<'_> {
        let mut inside = self.0.lock();
        inside.looked += 1;
        if inside.blind {
            let unseen = Unseen::Unavailable("it is down".to_owned());
            return Box::pin(std::future::ready(Err(unseen)));
        }
        inside.sought = ids.len();
        let has = |id: &Bytes| inside.taken.iter().any(|(taken, _)| taken.as_bytes() == id);
        let found = ids.into_iter().filter(has).collect();
        Box::pin(std::future::ready(Ok(found)))
    }
}

fn settings(directory: &Path, max_size: u64) -> Settings {
    Settings {
        cluster: "events".into(),
        directory: directory.to_owned(),
        max_size,
    }
}

const ROOMY: u64 = 64 << 20;

fn open(directory: &Path, cluster: &Cluster) -> Spool {
    open_sized(directory, cluster, ROOMY)
}

/// The same, and it is the one that sends by then: no segment ends any more because of that.
async fn open_first(directory: &Path, cluster: &Cluster) -> Spool {
    let before = cluster.0.lock().eyes;
    let spool = open(directory, cluster);
    until(|| cluster.0.lock().eyes > before).await;
    spool
}

fn open_sized(directory: &Path, cluster: &Cluster, max_size: u64) -> Spool {
    let settings = settings(directory, max_size);
    Spool::open(settings, cluster.clone(), &Metrics::new()).unwrap()
}

fn record(topic: &str, value: impl Into<Bytes>) -> Outgoing {
    Outgoing {
        topic: topic.into(),
        partition: None,
        key: Some("key".into()),
        value: Some(value.into()),
        headers: vec![("kind".into(), Some("note".into()))],
        timestamp: None,
    }
}

async fn append(spool: &Spool, value: &str) -> Result<String, Refusal> {
    let ids = spool
        .append_all(vec![record("orders", value.to_owned())])
        .await?;
    Ok(ids[0].to_string())
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("value {n}")).collect()
}

async fn append_all(spool: &Spool, values: &[String]) {
    for value in values {
        append(spool, value).await.unwrap();
    }
}

/// What is in the files: the values that wait, and those that were refused.
fn left(directory: &Path) -> (Vec<String>, Vec<String>) {
    let (mut waiting, mut rejected) = (Vec::new(), Vec::new());
    survey(directory, |state, entry| {
        let value = entry.record.value.as_deref().unwrap_or_default();
        let value = String::from_utf8_lossy(value).into_owned();
        match state {
            State::Waiting => waiting.push(value),
            State::Rejected => rejected.push(value),
        }
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
    (waiting, rejected)
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that");
}
