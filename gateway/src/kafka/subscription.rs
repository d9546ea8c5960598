//! One who reads a topic from some place on, however far back that is, and goes on with what is written
//! from now on. What it was given is known by positions alone: another process can go on from there.

use std::sync::Arc;

use weir_telemetry::metrics;

use super::history::{Gap, History};
use super::positions::Positions;
use super::record::Record;
use super::tail::Follower;
use crate::error::GatewayError;

/// What comes next of a subscription.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Records, each partition's in order. Whoever is done with one says so by [`Subscription::pass`].
    Records(Vec<Arc<Record>>),
    /// All that was written before now: what comes from here on is new.
    Joined,
    /// Records that the topic does not hold any more; it goes on after them.
    Gaps(Vec<Gap>),
}

/// One who reads a topic.
pub(crate) struct Subscription {
    topic: Arc<str>,
    history: Arc<History>,
    received: Arc<metrics::Received>,
    follower: Follower,
    /// What was passed.
    at: Positions,
    /// Whether all that comes is what is written from now on.
    joined: bool,
    /// Read, and not given out.
    waiting: Vec<Arc<Record>>,
    /// What was read comes before.
    read: Positions,
}

impl Subscription {
    /// Begins at those positions, or with what is written from now on.
    pub(super) fn new(
        topic: Arc<str>,
        history: Arc<History>,
        received: Arc<metrics::Received>,
        mut follower: Follower,
        start: Option<Positions>,
    ) -> Self {
        let (at, joined) = match start {
            None => (follower.go_to_end(), true),
            Some(at) => {
                let joined = follower.go_to(&at);
                (at, joined)
            }
        };
        Self {
            topic,
            history,
            received,
            follower,
            read: at.clone(),
            at,
            joined,
            waiting: Vec::new(),
        }
    }

    /// What comes next, so many records at most. May be dropped while pending: nothing is lost.
    ///
    /// # Errors
    /// Where the topic cannot be read, or it was too slow to take what was written.
    pub(crate) async fn next(&mut self, most: usize) -> Result<Next, GatewayError> {
        loop {
            if !self.waiting.is_empty() {
                let few = most.min(self.waiting.len());
                return Ok(Next::Records(self.waiting.drain(..few).collect()));
            }
            if !self.joined {
                self.joined = self.follower.go_to(&self.read);
                if self.joined {
                    self.at = self.read.clone();
                    return Ok(Next::Joined);
                }
            }
            if self.joined {
                if self.at.are_vague() {
                    self.follower.learn(&mut self.at);
                }
                let mut records = self.follower.next_few(most).await?;
                // One who was ahead in some partition has had some of them.
                records.retain(|record| self.at.are_before(record));
                if records.is_empty() {
                    continue;
                }
                return Ok(Next::Records(records));
            }
            let from = self.read.clone();
            let piece = self.history.read(&self.topic, from, &self.received).await?;
            self.read = piece.after;
            self.waiting = piece.records;
            if !piece.gaps.is_empty() {
                for gap in &piece.gaps {
                    self.at.set(gap.partition, gap.to);
                }
                return Ok(Next::Gaps(piece.gaps));
            }
            if self.waiting.is_empty() {
                self.at = self.read.clone();
            }
        }
    }

    /// A record was dealt with.
    pub(crate) fn pass(&mut self, record: &Record) {
        self.at.pass(record);
    }

    /// Where it is: from there on it is given what it has not passed.
    pub(crate) const fn at(&self) -> &Positions {
        &self.at
    }

    /// What it reads.
    pub(crate) const fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// What comes after all that is known to be written.
    pub(crate) fn end(&self) -> Positions {
        self.follower.end()
    }

    /// How many records it has not passed, at most.
    pub(crate) fn lag(&self) -> u64 {
        self.at.behind(&self.end())
    }

    /// Whether all that comes is what is written from now on; the follower that it comes by.
    pub(crate) fn joined(&mut self) -> Option<&mut Follower> {
        (self.joined && self.waiting.is_empty()).then_some(&mut self.follower)
    }

    /// Goes on from there, where its [follower](Self::joined) has been.
    pub(crate) fn go_on(&mut self, at: Positions) {
        // What others were given for it is not waited for, nor missed where it is gone.
        self.follower.go_to(&at);
        self.at = at;
    }
}
