//! Turns: who makes the value of a key anew of what it is does so one after the other, in the order they
//! came. Of many who do it at once only one can be right each time; without turns the others would try for
//! as long as it takes. It knows no value, and nothing of other gateways.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The keys that somebody changes now.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Box<str>, Lock>>);

/// It is one's turn; the next one's, when this is dropped.
pub(crate) struct Turn {
    // Dropped in this order: the key is forgotten only if nobody else waits for it.
    _guard: OwnedMutexGuard<()>,
    _place: Place,
}

/// One who waits, or whose turn it is.
struct Place {
    turns: Arc<Turns>,
    key: Box<str>,
    lock: Option<Lock>,
}

impl Turns {
    /// Waits until all who came before are done.
    pub(super) async fn take(self: &Arc<Self>, key: &str) -> Turn {
        let lock = self.0.lock().entry(key.into()).or_default().clone();
        let place = Place {
            turns: self.clone(),
            key: key.into(),
            lock: Some(lock.clone()),
        };
        Turn {
            _guard: lock.lock_owned().await,
            _place: place,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut keys = self.turns.0.lock();
        // Within the lock, so that of two who go at once the second sees that it is the last.
        drop(self.lock.take());
        if keys
            .get(&self.key)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            keys.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_waits_for_the_other_of_the_same_key_only_and_nothing_stays() {
        let turns = Arc::new(Turns::default());
        let first = turns.take("a").await;
        let mut second = pin!(turns.take("a"));
        assert!((&mut second).now_or_never().is_none(), "it is taken");
        let given_up = Box::pin(turns.take("a"));
        assert!(given_up.now_or_never().is_none());
        let other = turns.take("b").now_or_never();
        assert!(other.is_some(), "nobody has it");
        drop((first, other));
        drop(second.await);
        assert!(turns.0.lock().is_empty());
    }
}
