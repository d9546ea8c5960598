//! One who has a key. Whatever becomes of them, it is not held for longer than it must be.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Keys;
use super::entry::{Answer, Change, Id, Places, Terms};
use super::running::{Outcome, Seat};
use crate::redis::way::Trouble;

/// How often, and after what pause, a store is told once more what became of a key.
const AGAIN: (u32, Duration) = (5, Duration::from_millis(200));

/// What is certain in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// All is done, or never will be: this is what there is to say.
    Done(Answer),
    /// Nothing was done.
    Nothing,
    /// Some of it was, and the rest was not.
    Part,
    /// Nobody knows before the lease is over.
    Unknown,
}

/// One who has a key. Dropped before anything was sent, it gives it back.
pub(crate) struct Attempt {
    keys: Arc<Keys>,
    id: Id,
    terms: Terms,
    /// Taken when all is over.
    seat: Option<Seat>,
    before: Option<Places>,
    /// Whether something may have been sent by this one.
    sent: bool,
}

impl Attempt {
    pub(super) const fn new(
        keys: Arc<Keys>,
        id: Id,
        terms: Terms,
        seat: Seat,
        before: Option<Places>,
    ) -> Self {
        Self {
            keys,
            id,
            terms,
            seat: Some(seat),
            before,
            sent: false,
        }
    }

    /// The key.
    pub(crate) const fn id(&self) -> Id {
        self.id
    }

    /// From where on to look for what somebody did before who had the key.
    pub(crate) const fn before(&self) -> Option<&Places> {
        self.before.as_ref()
    }

    /// Notes that from now on something may be sent, to topics that were so far before; the lease begins.
    /// Nothing is to be sent if this says that the key was lost meanwhile.
    pub(crate) async fn send(&mut self, places: Places) -> Result<bool, Trouble> {
        let theirs = self.change(&Change::Send(places)).await?;
        self.sent |= theirs;
        Ok(theirs)
    }

    /// Says what came of it, to the store and to those who wait. What the store cannot be told is found
    /// again after the lease.
    pub(crate) async fn conclude(mut self, conclusion: Conclusion, outcome: Outcome) {
        let change = match conclusion {
            Conclusion::Done(answer) => Some(Change::Answer(answer)),
            Conclusion::Nothing => Some(Change::Release),
            Conclusion::Part => Some(Change::Suspend),
            Conclusion::Unknown => None,
        };
        // From here on there is nothing to give back.
        let seat = self.seat.take();
        if let Some(seat) = &seat {
            seat.tell(outcome);
        }
        if let Some(change) = change {
            insist(&self.keys, self.id, self.terms, &change).await;
        }
    }

    async fn change(&self, change: &Change) -> Result<bool, Trouble> {
        self.keys.change(self.id, self.terms, change).await
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Some(seat) = self.seat.take() else {
            return;
        };
        // What may have been sent and was not concluded is left to the lease.
        let change = match (self.sent, &self.before) {
            (true, _) => return,
            (false, None) => Change::Release,
            (false, Some(_)) => Change::Suspend,
        };
        let (keys, id, terms) = (self.keys.clone(), self.id, self.terms);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                insist(&keys, id, terms, &change).await;
                drop(seat);
            });
        }
    }
}

/// Tells a store, and tells it again.
async fn insist(keys: &Keys, id: Id, terms: Terms, change: &Change) {
    let (times, pause) = AGAIN;
    for time in 1..=times {
        match keys.change(id, terms, change).await {
            Ok(_) => return,
            Err(why) if time == times => {
                log::debug!("a key is held until its lease is over: {why}");
            }
            Err(_) => sleep(pause * time).await,
        }
    }
}
