//! Whose turn it is: the records of the partitions of a member, those of a key one after the other. It hands
//! nothing over itself, and knows no client and no clock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::track::Track;
use super::{Order, Outcome, Plan, Standing, Task};
use crate::kafka::record::Record;

/// So many bytes of records wait here at most, but for the last of each partition.
const BYTES: usize = 32 << 20;
/// So many records of a partition may be done that others are done before: as many come again if the
/// process dies.
const AHEAD: usize = 1000;

/// A partition of a topic.
pub(super) type Place = (Arc<str>, i32);

/// What is one after the other, within a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Lane {
    Key(Box<[u8]>),
    Alone(i64),
    All,
}

/// The records of a lane that are not done: the first one has its turn, or is handed over.
type Queue = VecDeque<Task>;

struct Partition {
    /// Tells it from what it was before it went and came again.
    epoch: u64,
    track: Track,
    lanes: HashMap<Lane, Queue>,
    waiting: usize,
    bytes: usize,
    under_way: usize,
    /// It is about to go: only what lies before a record that was handed over still is.
    closed: bool,
    /// The last record that was handed over.
    furthest: i64,
    held: Option<(&'static str, Instant)>,
    /// Lanes whose turn came while it was held.
    parked: Vec<Lane>,
    error: Option<String>,
    /// Where it ends, and where it began, as brokers said last.
    end: Option<i64>,
    begun: Option<i64>,
    /// Dropped with the partition: what is handed over of it is cut then.
    alive: watch::Sender<()>,
}

/// A record that is handed over.
pub(super) struct Turn {
    pub(super) ticket: Ticket,
    pub(super) task: Task,
    /// Closed once the partition is gone.
    pub(super) alive: watch::Receiver<()>,
}

/// Whose turn it was.
#[derive(Clone)]
pub(super) struct Ticket {
    place: Place,
    epoch: u64,
    lane: Lane,
}

/// What is to be done later.
pub(super) enum Later {
    /// A lane has its turn again.
    Wake(Ticket, Duration),
    /// A partition is held no more.
    Release(Place, Duration),
}

/// The desk of one member.
pub(super) struct Desk {
    partitions: HashMap<Place, Partition>,
    ready: VecDeque<Ticket>,
    in_flight: usize,
    epochs: u64,
    most: usize,
    order: Order,
    /// All partitions are about to go, those that still come too.
    stopped: bool,
    /// Nothing is, until somebody says otherwise.
    paused: bool,
}

impl Desk {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            partitions: HashMap::new(),
            ready: VecDeque::new(),
            in_flight: 0,
            epochs: 0,
            most: plan.in_flight,
            order: plan.order,
            stopped: false,
            paused: false,
        }
    }

    /// A partition came, and begins there if that is not what was committed.
    pub(super) fn assign(&mut self, place: Place, begins: Option<i64>) {
        self.epochs += 1;
        let partition = Partition {
            epoch: self.epochs,
            track: Track::new(begins),
            lanes: HashMap::new(),
            waiting: 0,
            bytes: 0,
            under_way: 0,
            closed: false,
            furthest: -1,
            held: None,
            parked: Vec::new(),
            error: None,
            end: None,
            begun: None,
            alive: watch::Sender::new(()),
        };
        self.partitions.insert(place, partition);
    }

    /// A partition is about to go. What lies before a record that was handed over has its turn yet, so that all
    /// that is done can be committed.
    pub(super) fn close(&mut self, place: &Place) {
        if let Some(partition) = self.partitions.get_mut(place) {
            partition.closed = true;
        }
    }

    /// A partition went; what is still handed over of it is cut.
    pub(super) fn remove(&mut self, place: &Place) {
        self.partitions.remove(place);
    }

    /// How many records are handed over of one of these.
    pub(super) fn under_way(&self, places: &[Place]) -> usize {
        let partitions = places.iter().filter_map(|place| self.partitions.get(place));
        partitions.map(|partition| partition.under_way).sum()
    }

    /// Whether one of these that are about to go has a record whose turn is still to come.
    pub(super) fn has_turns(&self, places: &[Place]) -> bool {
        let mut tickets = self.ready.iter().filter(|it| places.contains(&it.place));
        !self.paused
            && tickets.any(|ticket| {
                let partition = self.partitions.get(&ticket.place);
                partition.is_some_and(|it| {
                    let front = it.lanes.get(&ticket.lane).and_then(VecDeque::front);
                    it.epoch == ticket.epoch
                        && it.held.is_none()
                        && front.is_some_and(|task| task.record.offset <= it.furthest)
                })
            })
    }

    /// The partitions there are.
    pub(super) fn places(&self) -> Vec<Place> {
        self.partitions.keys().cloned().collect()
    }

    /// Takes up a record. Those of partitions that went are not ours.
    pub(super) fn admit(&mut self, place: &Place, cluster_id: &Arc<str>, record: Record) {
        let Some(partition) = self.partitions.get_mut(place) else {
            return;
        };
        let lane = match (self.order, &record.key) {
            (Order::Partition, _) => Lane::All,
            (Order::Key, Some(key)) => Lane::Key(key.clone()),
            (Order::Key, None) => Lane::Alone(record.offset),
        };
        partition.track.take(record.offset);
        partition.waiting += 1;
        partition.bytes += record.size();
        let queue = partition.lanes.entry(lane.clone());
        let queue = queue.or_insert_with(|| {
            self.ready.push_back(Ticket {
                place: place.clone(),
                epoch: partition.epoch,
                lane,
            });
            Queue::new()
        });
        queue.push_back(Task {
            cluster_id: cluster_id.clone(),
            topic: place.0.clone(),
            record: Arc::new(record),
            tries: 0,
            since: Instant::now(),
        });
    }

    /// Whose turn it is, if anybody's.
    pub(super) fn next(&mut self) -> Option<Turn> {
        while !self.paused && self.in_flight < self.most {
            let ticket = self.ready.pop_front()?;
            let Some(partition) = of(&mut self.partitions, &ticket) else {
                continue;
            };
            if partition.held.is_some() {
                partition.parked.push(ticket.lane);
                continue;
            }
            let queue = partition.lanes.get_mut(&ticket.lane);
            let Some(task) = queue.and_then(VecDeque::front_mut) else {
                continue;
            };
            let offset = task.record.offset;
            if (partition.closed || self.stopped) && offset > partition.furthest {
                continue;
            }
            partition.furthest = partition.furthest.max(offset);
            if task.tries == 0 {
                task.since = Instant::now();
            }
            partition.under_way += 1;
            self.in_flight += 1;
            return Some(Turn {
                task: task.clone(),
                alive: partition.alive.subscribe(),
                ticket,
            });
        }
        None
    }

    /// Notes what came of a record that was handed over; nothing, if it was cut.
    pub(super) fn settle(
        &mut self,
        ticket: Ticket,
        outcome: Option<Outcome>,
        now: Instant,
    ) -> Option<Later> {
        self.in_flight -= 1;
        let partition = of(&mut self.partitions, &ticket)?;
        partition.under_way -= 1;
        let queue = partition.lanes.get_mut(&ticket.lane)?;
        match outcome? {
            Outcome::Done => {
                let task = queue.pop_front()?;
                partition.waiting -= 1;
                partition.bytes -= task.record.size();
                partition.track.done(task.record.offset);
                partition.error = None;
                if queue.is_empty() {
                    partition.lanes.remove(&ticket.lane);
                } else {
                    self.ready.push_back(ticket);
                }
                None
            }
            Outcome::Again { after, why } => {
                queue.front_mut()?.tries += 1;
                partition.error = Some(why);
                Some(Later::Wake(ticket, after))
            }
            Outcome::Hold { after, cause, why } => {
                let until = now + after;
                if partition.held.is_none_or(|(_, held)| held < until) {
                    partition.held = Some((cause, until));
                }
                partition.error = Some(why);
                partition.parked.push(ticket.lane);
                Some(Later::Release(ticket.place, after))
            }
        }
    }

    /// A lane has its turn again.
    pub(super) fn wake(&mut self, ticket: Ticket) {
        self.ready.push_back(ticket);
    }

    /// Holds a partition no more, if its time is over.
    pub(super) fn release(&mut self, place: &Place, now: Instant) {
        let Some(partition) = self.partitions.get_mut(place) else {
            return;
        };
        if partition.held.is_some_and(|(_, until)| until <= now) {
            partition.held = None;
            let epoch = partition.epoch;
            let parked = partition.parked.drain(..);
            self.ready.extend(parked.map(|lane| Ticket {
                place: place.clone(),
                epoch,
                lane,
            }));
        }
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// The partitions there are, each with what tells it from what it was before it went and came again, and
    /// how much more it may have waiting.
    pub(super) fn rooms(&self) -> Vec<((Place, u64), Room)> {
        let partitions = self.partitions.iter();
        partitions
            .map(|(place, partition)| ((place.clone(), partition.epoch), self.room(place)))
            .collect()
    }

    /// Whether a partition has as much waiting here as it may; if not, whether it has less than half of that.
    fn room(&self, place: &Place) -> Room {
        let Some(partition) = self.partitions.get(place) else {
            return Room::Enough;
        };
        let (waiting, bytes) = (self.most * 4, BYTES / self.partitions.len().max(1));
        let (has, ahead) = (partition.bytes, partition.track.ahead());
        if partition.waiting >= waiting || has >= bytes || ahead >= AHEAD {
            Room::None
        } else if partition.waiting * 2 < waiting && has * 2 < bytes && ahead * 2 < AHEAD {
            Room::Enough
        } else {
            Room::Some
        }
    }

    /// What is to be committed of these.
    pub(super) fn due(&self, places: &[Place]) -> Vec<(Place, i64)> {
        let due = places.iter().filter_map(|place| {
            let offset = self.partitions.get(place)?.track.due()?;
            Some((place.clone(), offset))
        });
        due.collect()
    }

    /// A partition ends there, and began there where nothing of it was read yet.
    pub(super) fn reaches(&mut self, place: &Place, end: i64, begun: Option<i64>) {
        if let Some(partition) = self.partitions.get_mut(place) {
            (partition.end, partition.begun) = (Some(end), begun);
        }
    }

    /// How the partitions stand.
    pub(super) fn standings(&self, now: Instant) -> Vec<Standing> {
        let mut standings: Vec<_> = self
            .partitions
            .iter()
            .map(|((topic, number), partition)| Standing {
                topic: topic.clone(),
                partition: *number,
                next: partition.track.next(),
                lag: partition.lag(),
                waiting: partition.waiting - partition.under_way,
                in_flight: partition.under_way,
                held: partition
                    .held
                    .map(|(cause, until)| (cause, until.saturating_duration_since(now))),
                error: partition.error.clone(),
            })
            .collect();
        standings.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        standings
    }
}

impl Partition {
    /// How many records it is behind its end; none, before brokers said where that is.
    fn lag(&self) -> Option<i64> {
        let next = self.track.next().or(self.begun)?;
        Some((self.end? - next).max(0))
    }
}

/// How much more a partition may have waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    None,
    Some,
    Enough,
}

/// The partition of a ticket, unless it went meanwhile.
fn of<'p>(
    partitions: &'p mut HashMap<Place, Partition>,
    ticket: &Ticket,
) -> Option<&'p mut Partition> {
    let partition = partitions.get_mut(&ticket.place)?;
    (partition.epoch == ticket.epoch).then_some(partition)
}

#[cfg(test)]
mod tests;
