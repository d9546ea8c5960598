//! A member of a consumer group: records of its topics are handed to a [`Handler`], so many at once, and
//! committed once they are done.
//!
//! What it promises: a record is done at least once. Records of one key (or of one partition) are handed
//! over one after the other, in their order; the next only when the one before it is done. What is committed
//! lies before the first record that is not done. A partition that goes to another member is waited for, at
//! most [`Plan::patience`], until nothing lies before what is done: what is not done by then is cut, and the
//! other member is given it again, and what was done after it.
//!
//! | Module | Knows |
//! |---|---|
//! | `track` | how far a partition is done |
//! | `desk` | whose turn it is |
//! | `course` | how records are handed over, and when again |
//! | `member` | how a client polls, commits and leaves |
//! | `beginning` | where it begins in partitions of which nothing is committed |
//! | `context` | what a client is told: partitions that come and go, and how far behind it is |
//!
//! It knows nothing of what is done with records.

mod beginning;
mod context;
mod course;
mod desk;
mod member;
mod track;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::watch;
use weir_telemetry::Metrics;

use self::course::Course;
use super::record::Record;
use crate::config::kafka_clusters::Cluster;
use crate::config::webhooks::Ordering;

/// What is to be done with records.
#[async_trait]
pub(crate) trait Handler: Send + Sync + 'static {
    /// Does it. It is dropped amid it where the partition has to go to another member, which is then given
    /// the record again.
    async fn handle(&self, task: &Task) -> Outcome;
}

/// A record to do something with.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// The name that the cluster has for itself.
    pub(crate) cluster_id: Arc<str>,
    /// The topic it is in.
    pub(crate) topic: Arc<str>,
    /// The record.
    pub(crate) record: Arc<Record>,
    /// How often it was tried in vain, by this member.
    pub(crate) tries: u32,
    /// When it was first handed over.
    pub(crate) since: Instant,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done, and never comes again once that is committed.
    Done,
    /// It is to be tried again after that long; those of its key wait.
    Again { after: Duration, why: String },
    /// Nothing of its partition can be done for that long. This was no try.
    Hold {
        after: Duration,
        cause: &'static str,
        why: String,
    },
}

/// What is one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Records of the same key; those without one go side by side.
    Key,
    /// All records of a partition.
    Partition,
}

impl From<Ordering> for Order {
    fn from(ordering: Ordering) -> Self {
        match ordering {
            Ordering::Key => Self::Key,
            Ordering::Partition => Self::Partition,
        }
    }
}

/// Who joins which group, and how it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The group.
    pub(crate) group: Arc<str>,
    /// What it reads.
    pub(crate) topics: Vec<Arc<str>>,
    /// Whether a group that is new to a topic begins with its oldest record, or with the next one.
    pub(crate) from_earliest: bool,
    pub(crate) order: Order,
    /// How many records may be handed over at once.
    pub(crate) in_flight: usize,
    /// How long records under way are waited for when their partition goes.
    pub(crate) patience: Duration,
}

/// A member, until it has [left](Self::left).
pub(crate) struct Group {
    cluster: Cluster,
    plan: Plan,
    course: Arc<Course>,
    ended: watch::Receiver<bool>,
}

impl Group {
    /// Joins. Brokers that cannot be reached are no error: it joins once they can be.
    pub(super) fn join(
        cluster: &Cluster,
        plan: Plan,
        handler: Arc<dyn Handler>,
        metrics: &Metrics,
    ) -> Self {
        let course = Arc::new(Course::new(cluster, &plan, handler));
        let (ending, ended) = watch::channel(false);
        let member = member::Member {
            cluster: cluster.clone(),
            plan: plan.clone(),
            course: course.clone(),
            beginning: Arc::default(),
            received: plan
                .topics
                .iter()
                .map(|topic| {
                    let received = metrics.received(&cluster.name, topic);
                    (topic.clone(), received)
                })
                .collect(),
        };
        // librdkafka's calls block.
        std::thread::spawn(move || {
            member.run();
            ending.send_replace(true);
        });
        Self {
            cluster: cluster.clone(),
            plan,
            course,
            ended,
        }
    }

    /// Whether it is what these ask for.
    pub(crate) fn fits(&self, cluster: &super::Cluster, plan: &Plan) -> bool {
        cluster.would_join(&self.cluster) && self.plan == *plan
    }

    /// Hands nothing over from now on, or does again; it stays in its group.
    pub(crate) fn pause(&self, paused: bool) {
        self.course.pause(paused);
    }

    /// How it stands.
    pub(crate) fn survey(&self) -> Survey {
        self.course.survey()
    }

    /// Begins to leave: nothing more is handed over, what is under way is waited for and committed.
    pub(crate) fn leave(&self) {
        self.course.stop();
    }

    /// Whether it has.
    pub(crate) fn has_left(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until it has left.
    pub(crate) async fn left(&self) {
        // An error says that the thread is over, too.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.leave();
    }
}

/// How a member stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Survey {
    /// Whether somebody paused it.
    pub(crate) paused: bool,
    /// How many records are handed over now.
    pub(crate) in_flight: usize,
    /// Why it cannot read, if it cannot.
    pub(crate) trouble: Option<String>,
    /// Its partitions, in order.
    pub(crate) partitions: Vec<Standing>,
}

/// How one of its partitions stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    /// The first record that is not done, as far as one was read.
    pub(crate) next: Option<i64>,
    /// How many records it is behind the end; none, before brokers said so.
    pub(crate) lag: Option<i64>,
    /// How many records wait here.
    pub(crate) waiting: usize,
    /// How many are handed over.
    pub(crate) in_flight: usize,
    /// Why it is held, and for how long yet.
    pub(crate) held: Option<(&'static str, Duration)>,
    /// What went wrong last, if the last thing did.
    pub(crate) error: Option<String>,
}
