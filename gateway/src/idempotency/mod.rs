//! Keys by which callers name what is to be done once: who may do it, and what came of it.
//!
//! A key is reserved before anything is done, and done only by whoever has it. It is given back when it is
//! certain that nothing was done, and holds an answer when it is certain that all was. In between lies the
//! doubt: the caller or the process was gone before anybody knew. It ends with the lease, after which
//! whoever comes next is told where to look for what the last one did. It knows neither HTTP nor Kafka
//! beyond how far topics were when somebody began to write to them.
//!
//! | Module | Knows |
//! |---|---|
//! | `entry` | what is known of a key, and what may become of it |
//! | `book` | the keys of one process, in its memory |
//! | `remote` | those of a fleet, in Redis |
//! | `running` | what is being done in this process, for those who come meanwhile |
//! | `attempt` | one who has a key |

mod attempt;
mod book;
mod entry;
mod remote;
mod running;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub(crate) use attempt::{Attempt, Conclusion};
pub(crate) use entry::{Answer, Fingerprint, Id, Places};
pub(crate) use running::{Outcome, Waiting};

use book::Book;
use entry::{Change, Claimed, Nonce, Terms};
use remote::Remote;
use running::Running;

use crate::config::Config;
use crate::config::routes::Action;
use crate::config::routes::idempotency as config;
use crate::redis::way::Trouble;

/// The keys of a store.
pub(crate) struct Keys {
    store: Store,
    running: Running,
}

enum Store {
    Memory { book: Mutex<Book>, began: Instant },
    Redis(Remote),
}

/// What a caller finds who comes with a key.
pub(crate) enum Turn {
    /// It is the caller's to use.
    Ours(Attempt),
    /// It is being used in this process.
    Running(Waiting),
    /// What it was for is done.
    Answered(Answer),
    /// It is being used elsewhere, or nobody knows yet what came of it: for so long at most.
    Busy(Duration),
    /// It was given to something else.
    Reused,
}

impl Keys {
    fn open(store: &config::Store) -> Self {
        let store = match store {
            config::Store::Memory { .. } => Store::Memory {
                book: Mutex::default(),
                began: Instant::now(),
            },
            config::Store::Redis { name, servers } => Store::Redis(Remote::open(name, servers)),
        };
        Self {
            store,
            running: Running::default(),
        }
    }

    /// Comes with a key, for what has that fingerprint. Whoever has it has so long to use it, and what comes
    /// of that is known for as long as it is to be kept.
    pub(crate) async fn claim(
        self: &Arc<Self>,
        id: Id,
        fingerprint: Fingerprint,
        (lease, keep): (Duration, Duration),
    ) -> Result<Turn, Trouble> {
        let seat = match self.running.enter(id, fingerprint) {
            Ok(seat) => seat,
            Err(Some(waiting)) => return Ok(Turn::Running(waiting)),
            Err(None) => return Ok(Turn::Reused),
        };
        let terms = Terms {
            nonce: Nonce::random().map_err(|error| Trouble::from(error.to_string()))?,
            lease,
            keep,
        };
        let claimed = match &self.store {
            Store::Memory { book, began } => book.lock().claim(now(began), id, fingerprint, terms),
            Store::Redis(remote) => remote.claim(id, fingerprint, terms).await,
        };
        let attempt = |before| Attempt::new(self.clone(), id, terms, seat, before);
        Ok(match claimed {
            Ok(Claimed::Ours(before)) => Turn::Ours(attempt(before)),
            Ok(Claimed::Answered(answer)) => Turn::Answered(answer),
            Ok(Claimed::Busy(left)) => Turn::Busy(left),
            Ok(Claimed::Reused) => Turn::Reused,
            Err(why) => {
                // Perhaps it is ours, and only the answer was lost: dropped, it gives the key back.
                drop(attempt(None));
                return Err(why);
            }
        })
    }

    /// Changes what is known of a key, if it is still theirs who have that nonce.
    async fn change(&self, id: Id, terms: Terms, change: &Change) -> Result<bool, Trouble> {
        match &self.store {
            Store::Memory { book, began } => Ok(book.lock().change(now(began), id, terms, change)),
            Store::Redis(remote) => remote.change(id, terms, change).await,
        }
    }
}

/// Milliseconds since then.
fn now(began: &Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The keys of all stores that a configuration keeps any in; what the last one had is kept.
#[derive(Clone, Default)]
pub(crate) struct Stores(HashMap<Arc<str>, (config::Store, Arc<Keys>)>);

impl Stores {
    /// Opens those that are not open already.
    pub(crate) fn open(config: &Config, previous: Option<&Self>) -> Self {
        let mut stores = HashMap::new();
        let publishes = config
            .routes
            .iter()
            .filter_map(|route| match &route.action {
                Action::Publish(publish) => publish.idempotency.as_ref(),
                _ => None,
            });
        for idempotency in publishes {
            let store = &idempotency.store;
            let same = previous.and_then(|previous| previous.0.get(store.name()));
            let same = same.filter(|(definition, _)| definition == store);
            stores.entry(store.name().clone()).or_insert_with(|| {
                let keys = same.map(|(_, keys)| keys.clone());
                let keys = keys.unwrap_or_else(|| Arc::new(Keys::open(store)));
                (store.clone(), keys)
            });
        }
        Self(stores)
    }

    /// The keys of a store.
    pub(crate) fn keys(&self, store: &config::Store) -> Option<Arc<Keys>> {
        self.0.get(store.name()).map(|(_, keys)| keys.clone())
    }
}
