//! A subscription whose records are shown as its route shows them.

use std::sync::Arc;

use super::decode::Decoding;
use super::shown::Shown;
use crate::error::GatewayError;
use crate::kafka::{Follower, Gap, Next, Positions, Record, Subscription};

/// What comes next; as [`Next`].
pub(super) enum Came {
    Records(Vec<Shown>),
    Joined,
    Gaps(Vec<Gap>),
}

/// A subscription, and how its records are read.
pub(super) struct Reader {
    subscription: Subscription,
    decoding: Option<Decoding>,
    /// Given out by the subscription, and not yet by this.
    waiting: Vec<Arc<Record>>,
}

impl Reader {
    /// Shows records as they are, or as their schema has it.
    pub(super) const fn new(subscription: Subscription, decoding: Option<Decoding>) -> Self {
        Self {
            subscription,
            decoding,
            waiting: Vec::new(),
        }
    }

    /// What comes next, so many records at most. May be dropped while pending: nothing is lost.
    ///
    /// # Errors
    /// As [`Subscription::next`], and where the schema of a record cannot be had now.
    pub(super) async fn next(&mut self, most: usize) -> Result<Came, GatewayError> {
        if self.waiting.is_empty() {
            match self.subscription.next(most).await? {
                Next::Joined => return Ok(Came::Joined),
                Next::Gaps(gaps) => return Ok(Came::Gaps(gaps)),
                Next::Records(records) => self.waiting = records,
            }
        }
        let few = most.min(self.waiting.len());
        let shown = show(self.decoding.as_ref(), &self.waiting[..few]).await?;
        self.waiting.drain(..few);
        Ok(Came::Records(shown))
    }

    /// As [`Subscription::joined`].
    pub(super) fn joined(&mut self) -> Option<&mut Follower> {
        match self.waiting.is_empty() {
            true => self.subscription.joined(),
            false => None,
        }
    }

    /// A record was dealt with.
    pub(super) fn pass(&mut self, shown: &Shown) {
        self.subscription.pass(&shown.record);
    }

    /// As [`Subscription::at`].
    pub(super) const fn at(&self) -> &Positions {
        self.subscription.at()
    }

    /// As [`Subscription::topic`].
    pub(super) const fn topic(&self) -> &Arc<str> {
        self.subscription.topic()
    }

    /// As [`Subscription::lag`].
    pub(super) fn lag(&self) -> u64 {
        self.subscription.lag()
    }

    /// As [`Subscription::go_on`].
    pub(super) fn go_on(&mut self, at: Positions) {
        self.subscription.go_on(at);
    }

    /// How records are read.
    pub(super) const fn decoding(&self) -> Option<&Decoding> {
        self.decoding.as_ref()
    }
}

/// Records as subscribers see them.
pub(super) async fn show(
    decoding: Option<&Decoding>,
    records: &[Arc<Record>],
) -> Result<Vec<Shown>, GatewayError> {
    let mut shown = Vec::with_capacity(records.len());
    for record in records.iter().cloned() {
        shown.push(match decoding {
            Some(decoding) => decoding.show(record).await?,
            None => Shown::plain(record),
        });
    }
    Ok(shown)
}
