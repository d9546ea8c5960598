//! The rooms of the chat, and what was last said in each.
//!
//! It refuses to know who is connected, and how.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

/// How much of what was said somebody who comes in is told.
pub(super) const HISTORY: usize = 10;

/// How many messages somebody may be behind before some are left out.
const BEHIND: usize = 64;

/// The most rooms at a time.
pub(super) const MAX_ROOMS: usize = 64;

/// All rooms, by name.
#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<HashMap<String, Arc<Room>>>);

/// Where everybody is told what anybody says.
#[derive(Debug)]
pub(super) struct Room {
    last: Mutex<VecDeque<Arc<str>>>,
    said: broadcast::Sender<Arc<str>>,
}

impl Rooms {
    /// The room of this name, made if it is not there. Where there are too many, those that nobody
    /// is in make room; if somebody is in each, there is none to be had.
    pub(super) fn room(&self, name: &str) -> Option<Arc<Room>> {
        let mut rooms = self.0.lock();
        if let Some(room) = rooms.get(name) {
            return Some(Arc::clone(room));
        }
        if rooms.len() >= MAX_ROOMS {
            // whoever is about to come in holds the room already
            rooms.retain(|_, room| Arc::strong_count(room) > 1);
        }
        if rooms.len() >= MAX_ROOMS {
            return None;
        }
        let room = Arc::new(Room {
            last: Mutex::default(),
            said: broadcast::Sender::new(BEHIND),
        });
        rooms.insert(name.to_owned(), Arc::clone(&room));
        Some(room)
    }
}

impl Room {
    /// What was last said, and all that will be: nothing is left out between, and nothing is twice.
    pub(super) fn enter(&self) -> (Vec<Arc<str>>, broadcast::Receiver<Arc<str>>) {
        let last = self.last.lock();
        (last.iter().cloned().collect(), self.said.subscribe())
    }

    /// Tells everybody, whoever says it included.
    pub(super) fn say(&self, text: &str) {
        let text: Arc<str> = text.into();
        let mut last = self.last.lock();
        if last.len() == HISTORY {
            last.pop_front();
        }
        last.push_back(Arc::clone(&text));
        // that nobody listens is no reason not to remember it
        let _ = self.said.send(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_in_is_told_the_last_ten_and_then_the_rest() {
        let room = Rooms::default().room("lobby").unwrap();
        for number in 0..12 {
            room.say(&number.to_string());
        }
        let (last, mut said) = room.enter();
        let numbers: Vec<String> = (2..12).map(|number| number.to_string()).collect();
        assert_eq!(last.iter().map(|one| &**one).collect::<Vec<_>>(), numbers);
        room.say("and then");
        assert_eq!(&*said.try_recv().unwrap(), "and then");
        assert!(said.try_recv().is_err());
    }

    #[test]
    fn empty_rooms_make_way_and_others_do_not() {
        let rooms = Rooms::default();
        rooms.room("lobby").unwrap().say("hello");
        let held: Vec<_> = (1..MAX_ROOMS)
            .map(|number| rooms.room(&number.to_string()).unwrap())
            .collect();
        let extra = rooms.room("extra").unwrap();
        assert!(
            rooms.room("lobby").is_none(),
            "every room has somebody in it"
        );
        drop((held, extra));
        assert!(rooms.room("lobby").unwrap().enter().0.is_empty());
    }
}
