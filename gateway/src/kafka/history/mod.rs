//! What was written to topics before now, for those who are behind: read piece by piece, by a bounded
//! number of clients that all share. It holds no place of anybody's.

mod reader;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use weir_telemetry::{Code, metrics};

use self::reader::Reader;
use super::consumer::Broken;
use super::positions::Positions;
use super::record::Record;
use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// How long a client is kept for the next piece.
const KEPT: Duration = Duration::from_secs(30);

/// Where one begins to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the first record there is.
    Earliest,
    /// At the first record that is at least as late, in milliseconds since 1970.
    Timestamp(i64),
    /// After the last one.
    Latest,
    /// There.
    At(Positions),
}

/// Records that a topic does not hold any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) partition: i32,
    /// The first of them.
    pub(crate) from: i64,
    /// What comes after them.
    pub(crate) to: i64,
}

/// A piece of a topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    /// What is missing before the records.
    pub(crate) gaps: Vec<Gap>,
    /// In the order of each partition.
    pub(crate) records: Vec<Arc<Record>>,
    /// What comes after it.
    pub(crate) after: Positions,
}

/// By which a cluster's topics are read.
pub(super) struct History {
    cluster: Cluster,
    free: Arc<Semaphore>,
    /// Clients that nobody reads with, each since when.
    idle: Mutex<Vec<(Reader, Instant)>>,
}

impl History {
    /// Reads with so many clients at once as the cluster's definition says.
    pub(super) fn new(cluster: &Cluster) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(cluster.max_catching_up)),
            cluster: cluster.clone(),
            idle: Mutex::default(),
        })
    }

    /// What comes at `from`; less than there is, and nothing if nothing came for a while.
    pub(super) async fn read(
        self: &Arc<Self>,
        topic: &Arc<str>,
        from: Positions,
        received: &Arc<metrics::Received>,
    ) -> Result<Piece, GatewayError> {
        let piece = self
            .with(topic, Some(from.clone()), move |reader| reader.read(from))
            .await?;
        received.add(piece.records.len());
        Ok(piece)
    }

    /// Where reading begins.
    pub(super) async fn seek(
        self: &Arc<Self>,
        topic: &Arc<str>,
        start: Start,
    ) -> Result<Positions, GatewayError> {
        self.with(topic, None, move |reader| reader.seek(start))
            .await
    }

    /// Does what blocks, once a client is free: one that is at those positions, if any is.
    async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        topic: &Arc<str>,
        at: Option<Positions>,
        work: impl FnOnce(&mut Reader) -> Result<T, Broken> + Send + 'static,
    ) -> Result<T, GatewayError> {
        let stopped = |error| GatewayError::new(Code::InternalError).source(error);
        let permit = self.free.clone().acquire_owned().await;
        let permit = permit.map_err(|error| stopped(error.to_string()))?;
        let (this, topic) = (self.clone(), topic.clone());
        let done = tokio::task::spawn_blocking(move || {
            let mut reader = match this.take(&topic, at.as_ref()) {
                Some(reader) => reader,
                None => Reader::open(&this.cluster, &topic)?,
            };
            let done = work(&mut reader)?;
            this.keep(reader);
            drop(permit);
            Ok(done)
        });
        let done = done.await;
        self.forget_later();
        done.map_err(|error| stopped(error.to_string()))?
            .map_err(|broken: Broken| broken.of(&self.cluster).into())
    }

    fn take(&self, topic: &str, at: Option<&Positions>) -> Option<Reader> {
        let mut idle = self.idle.lock();
        let reads = |(reader, _): &(Reader, Instant)| reader.topic() == topic;
        let ready = |one: &(Reader, Instant)| reads(one) && at.is_some_and(|at| one.0.is_at(at));
        let found = idle.iter().position(ready);
        let found = found.or_else(|| idle.iter().position(reads))?;
        Some(idle.swap_remove(found).0)
    }

    /// Keeps a client; with those at work there are never more than may read at once, but for one.
    fn keep(&self, reader: Reader) {
        let mut idle = self.idle.lock();
        idle.push((reader, Instant::now()));
        let most = self.free.available_permits() + 1;
        let over = match idle.len() > most {
            true => Some(idle.remove(0)),
            false => None,
        };
        drop(idle);
        drop(over);
    }

    /// Closes what nobody has used for a while.
    fn forget_later(self: &Arc<Self>) {
        let this = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(KEPT + Duration::from_millis(100)).await;
            let Some(this) = this.upgrade() else {
                return;
            };
            let old = |(_, since): &mut (Reader, Instant)| since.elapsed() >= KEPT;
            let forgotten: Vec<_> = this.idle.lock().extract_if(.., old).collect();
            if !forgotten.is_empty() {
                // A client takes a while to end.
                let _ = tokio::task::spawn_blocking(move || drop(forgotten)).await;
            }
        });
    }
}

impl Drop for History {
    fn drop(&mut self) {
        // The last who held this may be a worker.
        let idle = std::mem::take(self.idle.get_mut());
        if !idle.is_empty() {
            std::thread::spawn(move || drop(idle));
        }
    }
}
