//! The end of one topic: read once, by a thread of its own, for all who follow it. A follower holds nothing
//! but its place, so that one who is slow costs no memory and delays nobody; one who falls too far behind is
//! told so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use weir_telemetry::{Code, metrics};

use super::consumer::Broken;
use super::end::End;
use super::positions::Positions;
use super::record::Record;
use super::ring::{Found, Ring};
use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// What is kept of a topic for followers who are behind, in bytes.
const KEPT: usize = 8 << 20;
/// How long a follower waits for the end of the topic to be found.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the thread looks up while nothing comes.
const PACE: Duration = Duration::from_millis(500);
/// For how long it reads on when all have left: who polls comes again.
const LINGER: Duration = Duration::from_secs(30);
/// For how long those who come are told that it cannot be read, before it is tried again.
const REST: Duration = Duration::from_secs(1);

/// One topic's end.
pub(super) struct Tail {
    kept: Mutex<Kept>,
    /// Changes with every record.
    state: watch::Sender<State>,
}

struct Kept {
    ring: Ring,
    followers: usize,
    /// Since when nobody follows.
    idle: Instant,
    /// Nobody comes again.
    left: bool,
    /// It ended, and takes no followers.
    over: bool,
}

/// How far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The end of the topic is sought.
    Seeking,
    /// All that is written to the cluster of this name is read; so much was.
    Reading(Arc<str>, u64),
    /// Nothing more is read, since then.
    Broken(Broken, Instant),
}

impl Tail {
    /// Begins to read.
    pub(super) fn start(
        cluster: &Cluster,
        topic: Arc<str>,
        received: Arc<metrics::Received>,
    ) -> Arc<Self> {
        let tail = Arc::new(Self {
            kept: Mutex::new(Kept {
                ring: Ring::new(KEPT, Positions::default()),
                followers: 0,
                idle: Instant::now(),
                left: false,
                over: false,
            }),
            state: watch::Sender::new(State::Seeking),
        });
        let reader = Reader {
            tail: tail.clone(),
            received,
        };
        let cluster = cluster.clone();
        // librdkafka's calls block, and its client takes a while to end.
        std::thread::spawn(move || {
            if let Err(why) = reader.read(&cluster, &topic) {
                let why = why.of(&cluster);
                reader.tail.end(State::Broken(why, Instant::now()));
            }
        });
        tail
    }

    /// Whether it is of no use to who comes now.
    pub(super) fn is_over(&self) -> bool {
        match &*self.state.borrow() {
            State::Broken(_, since) => since.elapsed() >= REST,
            State::Seeking | State::Reading(..) => self.kept.lock().over,
        }
    }

    /// Takes up one who follows; none, if it ended meanwhile.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Entered> {
        let mut kept = self.kept.lock();
        let is_broken = matches!(*self.state.borrow(), State::Broken(..));
        if kept.over && !is_broken {
            return None;
        }
        kept.followers += 1;
        Some(Entered(self.clone()))
    }

    /// Nobody comes again: once all have left, it ends.
    pub(super) fn leave(&self) {
        self.kept.lock().left = true;
    }

    fn end(&self, state: State) {
        self.kept.lock().over = true;
        self.state.send_replace(state);
    }

    fn change(&self, change: impl FnOnce(&mut Ring)) -> u64 {
        let mut kept = self.kept.lock();
        change(&mut kept.ring);
        kept.ring.end()
    }

    /// Whether nobody has followed for a while; it takes none then.
    fn is_deserted(&self) -> bool {
        let mut kept = self.kept.lock();
        let lonely = kept.left || kept.idle.elapsed() >= LINGER;
        kept.over = kept.followers == 0 && lonely;
        kept.over
    }
}

/// Who reads.
struct Reader {
    tail: Arc<Tail>,
    received: Arc<metrics::Received>,
}

impl Reader {
    fn read(&self, cluster: &Cluster, topic: &str) -> Result<(), Broken> {
        let mut end = End::start(cluster, topic)?;
        let id: Arc<str> = end.cluster_id()?.into();
        let reading = |so_far| State::Reading(id.clone(), so_far);
        let begun = end.positions().clone();
        self.tail.change(|ring| *ring = Ring::new(KEPT, begun));
        self.tail.state.send_replace(reading(0));
        while !self.tail.is_deserted() {
            for (partition, offset) in end.more()? {
                self.tail.change(|ring| ring.begin(partition, offset));
            }
            let records = end.next(PACE)?;
            if records.is_empty() {
                continue;
            }
            self.received.add(records.len());
            let so_far = self.tail.change(|ring| {
                for record in records {
                    ring.push(record);
                }
            });
            self.tail.state.send_replace(reading(so_far));
        }
        Ok(())
    }
}

/// One who follows a topic, and is counted.
pub(super) struct Entered(Arc<Tail>);

impl Drop for Entered {
    fn drop(&mut self) {
        let mut kept = self.0.kept.lock();
        kept.followers -= 1;
        kept.idle = Instant::now();
    }
}

impl Entered {
    /// Waits until the end of the topic is found.
    pub(super) async fn follow(self) -> Result<Follower, GatewayError> {
        let mut changes = self.0.state.subscribe();
        let found = changes.wait_for(|state| *state != State::Seeking);
        let found = tokio::time::timeout(PATIENCE, found).await;
        let Ok(Ok(state)) = found.map(|found| found.map(|state| state.clone())) else {
            let error = GatewayError::new(Code::KafkaUnavailable);
            return Err(error.source("the end of the topic was not found in time"));
        };
        let cluster_id = match state {
            State::Broken(why, _) => return Err(why.into()),
            State::Reading(cluster_id, _) => cluster_id,
            State::Seeking => Arc::from(""),
        };
        let place = self.0.kept.lock().ring.end();
        Ok(Follower {
            place,
            cluster_id,
            changes,
            tail: self,
        })
    }
}

/// One who follows a topic from some place on.
pub(crate) struct Follower {
    place: u64,
    cluster_id: Arc<str>,
    changes: watch::Receiver<State>,
    tail: Entered,
}

impl Follower {
    /// The next record. May be dropped while pending: nothing is lost.
    ///
    /// # Errors
    /// Where the topic cannot be read any more, or the next record is not kept any more.
    pub(crate) async fn next(&mut self) -> Result<Arc<Record>, GatewayError> {
        loop {
            if let Some(record) = self.next_few(1).await?.pop() {
                return Ok(record);
            }
        }
    }

    /// The next records, so many at most and one at least.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) async fn next_few(&mut self, most: usize) -> Result<Vec<Arc<Record>>, GatewayError> {
        loop {
            // Seen before it is looked, so that what comes in between wakes this one.
            let state = self.changes.borrow_and_update().clone();
            let found = self.tail.0.kept.lock().ring.at(self.place, most);
            match (found, state) {
                (Found::Records(records), _) => {
                    self.place += records.len() as u64;
                    return Ok(records);
                }
                (Found::Gone, _) => {
                    let error = GatewayError::new(Code::SubscriberTooSlow);
                    return Err(error.source("what it had not taken was no longer kept"));
                }
                (Found::Nothing, State::Broken(why, _)) => return Err(why.into()),
                (Found::Nothing, _) => {
                    // What sends changes is held here.
                    let _ = self.changes.changed().await;
                }
            }
        }
    }

    /// Goes to the first record that is not before `positions`; says whether all from there on is kept.
    pub(super) fn go_to(&mut self, positions: &Positions) -> bool {
        let joined = self.tail.0.kept.lock().ring.join(positions);
        self.place = joined.unwrap_or(self.place);
        joined.is_some()
    }

    /// Goes to the end of what was read, and says where that is.
    pub(crate) fn go_to_end(&mut self) -> Positions {
        let kept = self.tail.0.kept.lock();
        self.place = kept.ring.end();
        kept.ring.positions().clone()
    }

    /// Takes over where partitions were begun whose end was not known when it began to follow.
    pub(super) fn learn(&self, positions: &mut Positions) {
        positions.learn(self.tail.0.kept.lock().ring.begun());
    }

    /// What comes after all that was read so far.
    pub(crate) fn end(&self) -> Positions {
        self.tail.0.kept.lock().ring.positions().clone()
    }

    /// The place of the next record: all who follow the same topic have the same for the same one.
    pub(crate) const fn place(&self) -> u64 {
        self.place
    }

    /// The name that the cluster has for itself.
    pub(crate) const fn cluster_id(&self) -> &Arc<str> {
        &self.cluster_id
    }
}
