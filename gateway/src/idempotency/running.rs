//! What is being done in this process with keys, for those who come with the same one meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::entry::{Answer, Fingerprint, Id};
use crate::error::GatewayError;

/// What came of it: an answer, or why there is none.
pub(crate) type Outcome = Result<Answer, GatewayError>;

type Seats = Mutex<HashMap<Id, (Fingerprint, watch::Receiver<Option<Outcome>>)>>;

/// The keys that are being used.
#[derive(Default)]
pub(super) struct Running(Arc<Seats>);

/// The place of one who uses a key; dropped, it is free.
pub(super) struct Seat {
    id: Id,
    tell: watch::Sender<Option<Outcome>>,
    seats: Arc<Seats>,
}

/// One who waits for another's outcome.
pub(crate) struct Waiting(watch::Receiver<Option<Outcome>>);

impl Running {
    /// Takes the place of a key; or waits, if somebody has it for the same; none of it, if for another.
    pub(super) fn enter(&self, id: Id, fingerprint: Fingerprint) -> Result<Seat, Option<Waiting>> {
        let mut seats = self.0.lock();
        if let Some((known, outcome)) = seats.get(&id) {
            return Err((*known == fingerprint).then(|| Waiting(outcome.clone())));
        }
        let (tell, outcome) = watch::channel(None);
        seats.insert(id, (fingerprint, outcome));
        Ok(Seat {
            id,
            tell,
            seats: self.0.clone(),
        })
    }
}

impl Seat {
    /// Tells those who wait.
    pub(super) fn tell(&self, outcome: Outcome) {
        self.tell.send_replace(Some(outcome));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().remove(&self.id);
    }
}

impl Waiting {
    /// What came of it; `None` if whoever had the key gave it back without a word.
    pub(crate) async fn outcome(mut self) -> Option<Outcome> {
        let outcome = self.0.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }
}
