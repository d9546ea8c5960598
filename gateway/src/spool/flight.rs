//! What is on its way to the brokers, in the order in which it goes out.

use std::collections::{HashSet, VecDeque};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::doubt::Doubtful;
use super::position::Place;
use super::sink::{Delivery, Outcome, Sent, Sink};
use super::{Entry, Id};

/// How much is on its way at once: what is in doubt if the process is killed.
pub(super) const MOST: usize = 1_000;
const MOST_BYTES: u64 = 8 << 20;

/// Something that has to be done with before what is behind it counts as done with.
pub(super) enum Item {
    /// An entry, and where it ends.
    Entry(Box<Entry>, Place, State),
    /// The end of a segment.
    Passed(u64),
}

/// How far an entry is.
pub(super) enum State {
    /// Not handed over yet.
    Here,
    /// On its way, since then.
    Sent(Delivery, Instant),
    /// Come to an end, after so long.
    Settled(Outcome, Duration),
}

/// What is on its way.
#[derive(Default)]
pub(super) struct Flights {
    items: VecDeque<Item>,
    bytes: u64,
    /// How many entries are not handed over yet.
    here: usize,
    /// Whether one has to be sent again: until then none is handed over, or it would overtake that.
    broken: bool,
}

impl Flights {
    pub(super) fn has_room(&self) -> bool {
        self.items.len() < MOST && self.bytes < MOST_BYTES && self.here == 0 && !self.broken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// When the first of them came.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.items.iter().find_map(|item| match item {
            Item::Entry(entry, ..) => Some(entry.time),
            Item::Passed(_) => None,
        })
    }

    pub(super) fn add(&mut self, entry: Box<Entry>, end: Place) {
        self.bytes += entry.record.size();
        self.here += 1;
        self.items.push_back(Item::Entry(entry, end, State::Here));
    }

    /// Adds one that turned out to be sent.
    pub(super) fn add_sent(&mut self, entry: Box<Entry>, end: Place) {
        self.bytes += entry.record.size();
        let state = State::Settled(Outcome::Delivered, Duration::ZERO);
        self.items.push_back(Item::Entry(entry, end, state));
    }

    pub(super) fn pass(&mut self, segment: u64) {
        self.items.push_back(Item::Passed(segment));
    }

    /// Hands over what is still here, in its order, as far as there is room. Whether all is on its way.
    pub(super) fn send(&mut self, sink: &mut impl Sink) -> bool {
        if self.here == 0 || self.broken {
            return true;
        }
        for item in &mut self.items {
            let Item::Entry(entry, _, state @ State::Here) = item else {
                continue;
            };
            *state = match sink.send(&entry.record) {
                Sent::Taken(delivery) => State::Sent(delivery, Instant::now()),
                Sent::Not(outcome) => {
                    self.broken = matches!(outcome, Outcome::Again(_));
                    State::Settled(outcome, Duration::ZERO)
                }
                Sent::Busy => return false,
            };
            self.here -= 1;
            if self.broken {
                break;
            }
        }
        true
    }

    /// Ready once the first is settled.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.items.front_mut() {
            Some(Item::Passed(_)) => Poll::Ready(()),
            Some(Item::Entry(_, _, state)) => state.poll(cx),
            None => Poll::Pending,
        }
    }

    /// The first, if that is settled.
    pub(super) fn settled(&self) -> Option<&Item> {
        self.items.front().filter(|item| match item {
            Item::Passed(_) => true,
            Item::Entry(_, _, state) => matches!(state, State::Settled(..)),
        })
    }

    /// The first is done with.
    pub(super) fn finish(&mut self) {
        if let Some(Item::Entry(entry, ..)) = self.items.pop_front() {
            self.bytes -= entry.record.size();
        }
    }

    /// Ready once nothing is on its way.
    pub(super) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ready = Poll::Ready(());
        for item in &mut self.items {
            if let Item::Entry(_, _, state @ State::Sent(..)) = item
                && state.poll(cx).is_pending()
            {
                ready = Poll::Pending;
            }
        }
        ready
    }

    /// All of which it is not known what became.
    pub(super) fn doubtful(&self) -> Vec<Doubtful> {
        let doubtful = |item: &Item| match item {
            Item::Entry(entry, _, state) if state.is_doubtful() => Some(Doubtful::new(entry)),
            _ => None,
        };
        self.items.iter().filter_map(doubtful).collect()
    }

    /// Takes them back, but for those that turned out to be sent.
    pub(super) fn take_back(&mut self, sent: &HashSet<Id>) {
        self.broken = false;
        for item in &mut self.items {
            let Item::Entry(entry, _, state) = item else {
                continue;
            };
            if sent.contains(&entry.id) {
                *state = State::Settled(Outcome::Delivered, Duration::ZERO);
            } else if state.is_doubtful() {
                *state = State::Here;
                self.here += 1;
            }
        }
    }
}

impl State {
    fn is_doubtful(&self) -> bool {
        matches!(self, Self::Sent(..) | Self::Settled(Outcome::Again(_), _))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Here => Poll::Pending,
            Self::Settled(..) => Poll::Ready(()),
            Self::Sent(delivery, since) => {
                let outcome = std::task::ready!(delivery.as_mut().poll(cx));
                *self = Self::Settled(outcome, since.elapsed());
                Poll::Ready(())
            }
        }
    }
}
