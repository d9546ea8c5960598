//! The keys of one process. It knows no clock: who asks says what time it is.
//!
//! It forgets a key when its time is over and not sooner: as many bytes as it may hold are a limit to new
//! keys, not to those it has.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::entry::{Answer, Change, Claimed, Fingerprint, Id, Nonce, Places, Terms};
use crate::redis::way::Trouble;

/// How much may be remembered, in bytes.
const MOST: usize = 64 << 20;
/// What a key takes beside its answer or places, in bytes.
const EACH: usize = 256;

/// Keys, and what is known of each.
#[derive(Default)]
pub(super) struct Book {
    keys: HashMap<Id, Entry>,
    /// When each is forgotten.
    ends: BTreeSet<(u64, Id)>,
    size: usize,
}

struct Entry {
    fingerprint: Fingerprint,
    nonce: Nonce,
    /// Until when nobody else gets it.
    until: u64,
    /// When it is forgotten.
    end: u64,
    state: State,
}

enum State {
    Reserved,
    Sending(Places),
    Answered(Answer),
}

impl Entry {
    fn size(&self) -> usize {
        EACH + match &self.state {
            State::Reserved => 0,
            State::Sending(places) => {
                let places = places.0.iter();
                let sizes = places.map(|(topic, at)| topic.len() + 8 * at.offsets().len());
                sizes.sum()
            }
            State::Answered(answer) => answer.body.len(),
        }
    }
}

impl Book {
    /// Comes with a key at that time, in milliseconds.
    pub(super) fn claim(
        &mut self,
        now: u64,
        id: Id,
        fingerprint: Fingerprint,
        terms: Terms,
    ) -> Result<Claimed, Trouble> {
        self.forget(now);
        let (until, end) = (now + millis(terms.lease), ending(now, terms));
        let Some(entry) = self.keys.get_mut(&id) else {
            if self.size + EACH > MOST {
                return Err(
                    "memory holds as many keys as it may; the oldest make room in time".into(),
                );
            }
            let entry = Entry {
                fingerprint,
                nonce: terms.nonce,
                until,
                end,
                state: State::Reserved,
            };
            self.put(id, entry);
            return Ok(Claimed::Ours(None));
        };
        if entry.fingerprint != fingerprint {
            return Ok(Claimed::Reused);
        }
        let before = match &entry.state {
            State::Answered(answer) => return Ok(Claimed::Answered(answer.clone())),
            _ if entry.until > now => {
                let left = Duration::from_millis(entry.until - now);
                return Ok(Claimed::Busy(left));
            }
            State::Reserved => None,
            State::Sending(places) => Some(places.clone()),
        };
        (entry.nonce, entry.until) = (terms.nonce, until);
        self.keep_until(id, end);
        Ok(Claimed::Ours(before))
    }

    /// Changes what is known of a key; not, if it is not theirs any more who have that nonce.
    pub(super) fn change(&mut self, now: u64, id: Id, terms: Terms, change: &Change) -> bool {
        self.forget(now);
        let open = |entry: &Entry| !matches!(entry.state, State::Answered(_));
        let theirs = |entry: &Entry| entry.nonce == terms.nonce && open(entry);
        if !self.keys.get(&id).is_some_and(theirs) {
            return false;
        }
        let Some(mut entry) = self.take(id) else {
            return false;
        };
        match change {
            Change::Release => return true,
            Change::Suspend => entry.until = now,
            Change::Send(places) => {
                entry.until = now + millis(terms.lease);
                entry.end = ending(now, terms);
                entry.state = State::Sending(places.clone());
            }
            Change::Answer(answer) => {
                entry.end = now + millis(terms.keep);
                entry.state = State::Answered(answer.clone());
            }
        }
        self.put(id, entry);
        true
    }

    fn put(&mut self, id: Id, entry: Entry) {
        self.size += entry.size();
        self.ends.insert((entry.end, id));
        self.keys.insert(id, entry);
    }

    fn take(&mut self, id: Id) -> Option<Entry> {
        let entry = self.keys.remove(&id)?;
        self.size -= entry.size();
        self.ends.remove(&(entry.end, id));
        Some(entry)
    }

    fn keep_until(&mut self, id: Id, end: u64) {
        if let Some(entry) = self.keys.get_mut(&id) {
            self.ends.remove(&(entry.end, id));
            entry.end = end;
            self.ends.insert((end, id));
        }
    }

    /// Forgets what is over.
    fn forget(&mut self, now: u64) {
        while let Some(&(end, id)) = self.ends.first()
            && end <= now
        {
            self.take(id);
        }
    }
}

/// When a key is forgotten of which nobody says what became of it.
fn ending(now: u64, terms: Terms) -> u64 {
    now + millis(terms.lease) + millis(terms.keep)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}
