//! What requests add to that are replied to in a topic.

use super::{Families, InFlight};
use prometheus::{Histogram, IntCounter, IntGauge};
use std::time::Duration;

/// What came of a request, or of a question for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The caller has the reply.
    Answered,
    /// The request is in its topic, and nobody waits here.
    Accepted,
    /// There is no reply yet.
    Pending,
    /// None came in time.
    TimedOut,
    /// The topic may not hold it any more.
    Gone,
    /// The request was not sent, or the topic cannot be read.
    Failed,
}

impl Outcome {
    /// Each one.
    pub const ALL: [Self; 6] = [
        Self::Answered,
        Self::Accepted,
        Self::Pending,
        Self::TimedOut,
        Self::Gone,
        Self::Failed,
    ];

    /// As metrics say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Accepted => "accepted",
            Self::Pending => "pending",
            Self::TimedOut => "timed_out",
            Self::Gone => "gone",
            Self::Failed => "failed",
        }
    }
}

/// The series of one reply topic on one route.
pub struct Replies {
    waiting: IntGauge,
    outcomes: [IntCounter; 6],
    duration: Histogram,
}

impl Replies {
    pub(super) fn resolve(families: &Families, labels: &[&str; 3]) -> Self {
        let [route, cluster, topic] = *labels;
        let outcome = |outcome: Outcome| {
            let labels = [route, cluster, topic, outcome.as_str()];
            families.reply_requests.with(&labels)
        };
        Self {
            waiting: families.reply_waiting.with(labels),
            outcomes: Outcome::ALL.map(outcome),
            duration: families.reply_duration.with(labels),
        }
    }

    /// A caller waits; hold on to the result until it does no more.
    pub fn wait(&self) -> InFlight {
        InFlight::enter(&self.waiting)
    }

    /// What came of one.
    pub fn came(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].inc();
    }

    /// A reply was read so long after its request was sent.
    pub fn took(&self, took: Duration) {
        self.duration.observe(took.as_secs_f64());
    }
}
