//! The end of one topic: read once, by a thread of its own, for all who follow it. A follower holds nothing
//! but its place, so that one who is slow costs no memory and delays nobody; one who falls too far behind is
//! told so.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use weir_telemetry::{Code, metrics};

use super::consumer::{Broken, Consumer};
use super::ring::{Found, Record, Ring};
use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// What is kept of a topic for followers who are behind, in bytes.
const KEPT: usize = 8 << 20;
/// How long a follower waits for the end of the topic to be found.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a thread whose followers have left ends.
const PACE: Duration = Duration::from_millis(500);

/// One topic's end.
pub(super) struct Tail {
    ring: Mutex<Ring>,
    /// Changes with every record.
    state: watch::Sender<State>,
}

/// How far it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The end of the topic is sought.
    Seeking,
    /// All that is written is read; so much was.
    Reading(u64),
    /// Nothing more is read.
    Broken(Broken),
}

impl Tail {
    /// Begins to read.
    pub(super) fn start(
        cluster: &Cluster,
        topic: Arc<str>,
        received: Arc<metrics::Received>,
    ) -> Arc<Self> {
        let tail = Arc::new(Self {
            ring: Mutex::new(Ring::new(KEPT)),
            state: watch::Sender::new(State::Seeking),
        });
        let reader = Reader {
            tail: Arc::downgrade(&tail),
            received,
        };
        let cluster = cluster.clone();
        // librdkafka's calls block, and its client takes a while to end.
        std::thread::spawn(move || {
            if let Err(why) = reader.read(&cluster, &topic) {
                reader.tell(State::Broken(why));
            }
        });
        tail
    }

    fn push(&self, record: Record) {
        let end = {
            let mut ring = self.ring.lock();
            ring.push(record);
            ring.end()
        };
        self.state.send_replace(State::Reading(end));
    }

    /// Whether it reads no more.
    pub(super) fn is_broken(&self) -> bool {
        matches!(*self.state.borrow(), State::Broken(_))
    }

    /// Follows it from its end on.
    pub(super) async fn follow(self: Arc<Self>) -> Result<Follower, GatewayError> {
        let mut changes = self.state.subscribe();
        let found = changes.wait_for(|state| *state != State::Seeking);
        let found = tokio::time::timeout(PATIENCE, found).await;
        let Ok(Ok(state)) = found.map(|found| found.map(|state| *state)) else {
            let error = GatewayError::new(Code::KafkaUnavailable);
            return Err(error.source("the end of the topic was not found in time"));
        };
        if let State::Broken(why) = state {
            return Err(why.into());
        }
        let place = self.ring.lock().end();
        Ok(Follower {
            place,
            changes,
            tail: self,
        })
    }
}

/// Who reads, as long as anybody follows.
struct Reader {
    tail: Weak<Tail>,
    received: Arc<metrics::Received>,
}

impl Reader {
    fn read(&self, cluster: &Cluster, topic: &str) -> Result<(), Broken> {
        let consumer = Consumer::start(cluster, topic)?;
        self.tell(State::Reading(0));
        while self.tail.strong_count() > 0 {
            let Some(record) = consumer.next(PACE)? else {
                continue;
            };
            self.received.add();
            if let Some(tail) = self.tail.upgrade() {
                tail.push(record);
            }
        }
        Ok(())
    }

    fn tell(&self, state: State) {
        if let Some(tail) = self.tail.upgrade() {
            tail.state.send_replace(state);
        }
    }
}

/// One who follows a topic.
pub(crate) struct Follower {
    place: u64,
    changes: watch::Receiver<State>,
    tail: Arc<Tail>,
}

impl Follower {
    /// The next record. May be dropped while pending: nothing is lost.
    ///
    /// # Errors
    /// Where the topic cannot be read any more, or the next record is not kept any more.
    pub(crate) async fn next(&mut self) -> Result<Arc<Record>, GatewayError> {
        loop {
            // Seen before it is looked, so that what comes in between wakes this one.
            let state = *self.changes.borrow_and_update();
            let found = self.tail.ring.lock().at(self.place);
            match (found, state) {
                (Found::Record(record), _) => {
                    self.place += 1;
                    return Ok(record);
                }
                (Found::Gone, _) => {
                    let error = GatewayError::new(Code::SubscriberTooSlow);
                    return Err(error.source("what it had not taken was no longer kept"));
                }
                (Found::Nothing, State::Broken(why)) => return Err(why.into()),
                (Found::Nothing, _) => {
                    // What sends changes is held here.
                    let _ = self.changes.changed().await;
                }
            }
        }
    }
}
