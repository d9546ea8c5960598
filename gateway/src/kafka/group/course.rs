//! How records are handed over, and when again: one task of the runtime for each. It is shared by the thread
//! of the client and by these tasks.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

use super::desk::{Desk, Later, Place, Room, Ticket, Turn};
use super::{Handler, Outcome, Plan, Survey};
use crate::config::kafka_clusters::Cluster;
use crate::kafka::record::Record;
use crate::kafka::watch::Watch;

/// What is told while no broker is connected.
pub(super) const UNREACHABLE: &str = "no broker is connected";
/// When a record is tried again that its handler panicked on.
const AFTER_PANIC: Duration = Duration::from_secs(10);

/// What a member has in hand.
pub(super) struct Course {
    desk: Mutex<Desk>,
    /// Told whenever something that was handed over comes back.
    back: Condvar,
    handler: Arc<dyn Handler>,
    runtime: Handle,
    patience: Duration,
    trouble: Mutex<Option<String>>,
    pub(super) watch: Watch,
}

impl Course {
    /// To be made on the runtime that records are to be handled on.
    pub(super) fn new(cluster: &Cluster, plan: &Plan, handler: Arc<dyn Handler>) -> Self {
        Self {
            desk: Mutex::new(Desk::new(plan)),
            back: Condvar::new(),
            handler,
            runtime: Handle::current(),
            patience: plan.patience,
            trouble: Mutex::new(None),
            watch: Watch::of(cluster),
        }
    }

    /// Partitions came, each with where it begins if that is not what was committed.
    pub(super) fn assign(&self, places: Vec<(Place, Option<i64>)>) {
        self.trouble(None);
        let mut desk = self.desk.lock();
        for (place, begins) in places {
            desk.assign(place, begins);
        }
    }

    /// Partitions are about to go: waits for what is handed over of them, and what lies before it, but not for
    /// ever; says what is to be committed of them. Blocks.
    pub(super) fn wind_up(&self, places: &[Place]) -> Vec<(Place, i64)> {
        let until = Instant::now() + self.patience;
        let mut desk = self.desk.lock();
        places.iter().for_each(|place| desk.close(place));
        while desk.under_way(places) > 0 || desk.has_turns(places) {
            if self.back.wait_until(&mut desk, until).timed_out() {
                let cut = desk.under_way(places);
                log::warn!(
                    "kafka: {cut} records under way are cut; what is not done is given out again, and what \
                     was done after it"
                );
                break;
            }
        }
        desk.due(places)
    }

    /// Partitions went.
    pub(super) fn remove(&self, places: &[Place]) {
        let mut desk = self.desk.lock();
        places.iter().for_each(|place| desk.remove(place));
    }

    /// Takes up a record that was read.
    pub(super) fn admit(self: &Arc<Self>, place: &Place, cluster_id: &Arc<str>, record: Record) {
        let mut desk = self.desk.lock();
        desk.admit(place, cluster_id, record);
        self.hand_over(&mut desk);
    }

    /// Hands over what has its turn.
    fn hand_over(self: &Arc<Self>, desk: &mut Desk) {
        while let Some(turn) = desk.next() {
            self.runtime.spawn(run(self.clone(), turn));
        }
    }

    /// Notes what came of a record.
    fn settle(self: &Arc<Self>, ticket: Ticket, outcome: Option<Outcome>) {
        let mut desk = self.desk.lock();
        let later = desk.settle(ticket, outcome, Instant::now());
        self.hand_over(&mut desk);
        self.back.notify_all();
        drop(desk);
        if let Some(later) = later {
            self.runtime.spawn(wait(self.clone(), later));
        }
    }

    /// All partitions are about to go.
    pub(super) fn stop(&self) {
        self.desk.lock().stop();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.desk.lock().is_stopped()
    }

    pub(super) fn pause(self: &Arc<Self>, paused: bool) {
        let mut desk = self.desk.lock();
        desk.pause(paused);
        self.hand_over(&mut desk);
    }

    /// The partitions there are.
    pub(super) fn places(&self) -> Vec<Place> {
        self.desk.lock().places()
    }

    /// How much more each may have waiting.
    pub(super) fn rooms(&self) -> Vec<((Place, u64), Room)> {
        self.desk.lock().rooms()
    }

    /// What is to be committed of all partitions.
    pub(super) fn due(&self) -> Vec<(Place, i64)> {
        let desk = self.desk.lock();
        desk.due(&desk.places())
    }

    /// A partition ends there, and began there where nothing of it was read yet.
    pub(super) fn reaches(&self, place: &Place, end: i64, begun: Option<i64>) {
        self.desk.lock().reaches(place, end, begun);
    }

    /// Why nothing can be read, or that it can.
    pub(super) fn trouble(&self, why: Option<String>) {
        *self.trouble.lock() = why;
    }

    pub(super) fn survey(&self) -> Survey {
        let trouble = self.trouble.lock().clone();
        let unreachable = || self.watch.is_down().then(|| UNREACHABLE.to_owned());
        let desk = self.desk.lock();
        Survey {
            paused: desk.is_paused(),
            in_flight: desk.in_flight(),
            trouble: trouble.or_else(unreachable),
            partitions: desk.standings(Instant::now()),
        }
    }
}

/// A record that is handed over; comes back however that ends.
struct Handed {
    course: Arc<Course>,
    ticket: Option<Ticket>,
}

impl Handed {
    fn back(mut self, outcome: Option<Outcome>) {
        if let Some(ticket) = self.ticket.take() {
            self.course.settle(ticket, outcome);
        }
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.course.settle(ticket, None);
        }
    }
}

/// Has a record handled, unless its partition goes meanwhile.
async fn run(course: Arc<Course>, turn: Turn) {
    let Turn {
        ticket,
        task,
        mut alive,
    } = turn;
    let handler = course.handler.clone();
    let handed = Handed {
        course,
        ticket: Some(ticket),
    };
    let handling = AssertUnwindSafe(handler.handle(&task)).catch_unwind();
    let outcome = tokio::select! {
        outcome = handling => Some(outcome.unwrap_or_else(|_| Outcome::Again {
            after: AFTER_PANIC,
            why: "its handler panicked; the log says where".to_owned(),
        })),
        // Nothing is ever sent: this is the partition going.
        _ = alive.changed() => None,
    };
    handed.back(outcome);
}

async fn wait(course: Arc<Course>, later: Later) {
    let (Later::Wake(_, after) | Later::Release(_, after)) = &later;
    tokio::time::sleep(*after).await;
    let mut desk = course.desk.lock();
    match later {
        Later::Wake(ticket, _) => desk.wake(ticket),
        Later::Release(place, _) => desk.release(&place, Instant::now()),
    }
    course.hand_over(&mut desk);
}
