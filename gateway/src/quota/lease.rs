//! A lease: how one account gets what it spends from a book that others share.
//!
//! Asking takes a while, so it is done ahead of need, for more than is needed, and once for
//! everybody who waits. How much more follows use: what lasted long was enough, what was spent at
//! once was too little. What is not spent in time goes back.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::account::Cell;
use super::book::{Book, Entry, Terms};
use super::leases::{Asked, Leases};
use super::purse::Purse;
use super::receipts::{Batch, Drawer};
use super::store::Answered;
use super::window::{Micros, SECOND};

/// A lease that lasts this long is large enough.
const ENOUGH: Micros = 2 * SECOND;

/// How many steps of a sliding window or a token bucket a lease is booked ahead.
const AHEAD: u64 = 6;

/// Which time of asking somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking(u64);

/// The account's side of a lease.
#[derive(Debug)]
pub(super) struct Lease {
    /// Everything this process holds of the same store.
    leases: Arc<Leases>,
    /// The name of the book.
    pub(super) key: Arc<str>,
    /// What is kept in one place with it.
    pub(super) root: Arc<str>,
    /// How much to ask for beyond need.
    size: u64,
    /// When it was last asked.
    asked_at: Micros,
    /// There while an answer is awaited: told when it is here.
    asking: Option<Arc<Notify>>,
    /// What those who wait need, all together, and the one who needs least.
    waiting: u64,
    least: u64,
    /// How often it was asked.
    begun: u64,
    /// The book as it was when it had no room, and when that was.
    full: Option<(Book, Micros)>,
    /// Why the last entry came to nothing.
    failure: Option<Arc<str>>,
    /// Whether it is queued because it has something to say.
    pub(super) queued: bool,
    /// Whether it is looked after from time to time.
    pub(super) renews: bool,
    /// Receipts for what the book has not heard of.
    drawer: Drawer,
}

impl Lease {
    pub(super) fn new(leases: Arc<Leases>, key: Arc<str>, root: Arc<str>) -> Self {
        Self {
            leases,
            key,
            root,
            size: 0,
            asked_at: 0,
            asking: None,
            waiting: 0,
            least: u64::MAX,
            begun: 0,
            full: None,
            failure: None,
            queued: false,
            renews: false,
            drawer: Drawer::default(),
        }
    }

    pub(super) const fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    pub(super) const fn leases(&self) -> &Arc<Leases> {
        &self.leases
    }

    /// Joins those who wait for `need` more. `None` if no answer is awaited: then somebody has to
    /// ask.
    pub(super) fn wait(&mut self, need: u64) -> Option<(OwnedNotified, Asking)> {
        self.waiting = self.waiting.saturating_add(need);
        self.least = self.least.min(need);
        Some((self.heard()?, Asking(self.begun)))
    }

    /// Somebody does not wait for `need` any more, if it has not been asked for.
    pub(super) fn leave(&mut self, need: u64, asking: Asking) {
        if asking == Asking(self.begun) {
            self.waiting = self.waiting.saturating_sub(need);
            if self.waiting == 0 {
                self.least = u64::MAX;
            }
        }
    }

    /// Until the answer is here, if one is awaited.
    pub(super) fn heard(&self) -> Option<OwnedNotified> {
        self.asking.clone().map(Notify::notified_owned)
    }

    /// The store is left alone for now.
    pub(super) fn refused_to_ask(&mut self, why: &Arc<str>) {
        self.waiting = 0;
        self.least = u64::MAX;
        self.failure = Some(Arc::clone(why));
    }

    pub(super) fn asked(&self, purse: &Purse, entry: Entry) -> Asked {
        Asked {
            key: Arc::clone(&self.key),
            root: Arc::clone(&self.root),
            terms: purse.terms(),
            entry,
            answered: purse.answered(),
        }
    }

    /// Begins to ask for what those who wait need, and for a lease beside. Nobody else asks until
    /// it is [answered](Self::answered).
    pub(super) fn begin(&mut self, purse: &mut Purse, now: Micros) -> Entry {
        let since = now.saturating_sub(self.asked_at);
        let need = std::mem::take(&mut self.waiting);
        let least = std::mem::replace(&mut self.least, u64::MAX);
        if need > 0 {
            self.size = if since < ENOUGH {
                self.size.saturating_mul(2).saturating_add(need)
            } else {
                // Spent more slowly than it was meant for.
                self.size / 2
            };
            self.asked_at = now;
        }
        self.begun += 1;
        self.asking = Some(Arc::new(Notify::new()));
        let (want, least) = if need > 0 {
            (need.saturating_add(self.spare(purse)), least)
        } else {
            (0, 0)
        };
        purse.entry(want, least, AHEAD, self.leases.patience())
    }

    /// What to ask for beyond need: never more than a sixteenth of what nobody has, so that
    /// what several hold and do not spend is little beside what is left.
    fn spare(&self, purse: &Purse) -> u64 {
        self.size.min(purse.room() / 16)
    }

    /// Whether others may lack what is here: it is more than a lease, and more than what nobody
    /// has.
    pub(super) fn hoards(&self, purse: &Purse) -> bool {
        let free = purse.free();
        free > self.spare(purse) && free > purse.room()
    }

    /// Ends the asking and tells those who wait.
    pub(super) fn answered(&mut self, purse: &mut Purse, now: Micros, answered: Answered) {
        match answered {
            Ok((answer, book)) => {
                purse.take(&answer);
                self.full = book.map(|book| (book, now));
                self.failure = None;
                if !purse.has_changed() {
                    self.drawer.empty();
                }
            }
            Err(why) => {
                purse.unheard();
                self.failure = Some(why);
            }
        }
        if let Some(asking) = self.asking.take() {
            asking.notify_waiters();
        }
    }

    /// Has a receipt written for what was settled in a step.
    pub(super) fn write(&mut self, purse: &Purse, step: u64, batch: &mut Batch) {
        if let Some(receipts) = self.leases.receipts() {
            let who = || purse.holding(&self.key, &self.root);
            self.drawer.put(receipts, batch, purse.receipt(step), who);
        }
    }

    /// Why the last entry came to nothing, if it did.
    pub(super) const fn failure(&self) -> Option<&Arc<str>> {
        self.failure.as_ref()
    }

    pub(super) fn fits_at(&self, terms: Terms, now: Micros, amount: u64) -> Option<Micros> {
        match &self.full {
            Some((book, at)) => book.fits_at(terms, *at, amount),
            None if amount <= terms.capacity() => Some(now),
            None => None,
        }
    }

    /// Gives back what was not spent for a while.
    pub(super) fn relent(&mut self, purse: &mut Purse, now: Micros) {
        let idle = now.saturating_sub(self.asked_at) >= 2 * ENOUGH;
        let keep = if idle && !purse.was_spent_since(now.saturating_sub(ENOUGH)) {
            0
        } else {
            // What was refunded beyond a lease is for others.
            self.spare(purse)
        };
        purse.give_back(keep);
    }

    /// Says that the account has something to tell its book.
    pub(super) fn note(&mut self, cell: &Arc<Cell>, at_once: bool) {
        if !self.queued {
            self.queued = true;
            self.leases.queue(Arc::clone(cell), at_once);
        } else if at_once {
            self.leases.hurry();
        }
    }
}
