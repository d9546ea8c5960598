//! What one process may count of one key without asking anybody: the lots that were booked for it,
//! what it has reserved and settled of them, and what it owes.
//!
//! Every amount reserved comes out of a lot, so that the book always shows at least as much as is
//! in use; what the book does not know yet is that some of it was not needed.
//!
//! Knows no locks, no stores and no definitions.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use slab::Slab;

use super::book::{Answer, Entry, Mark, Marks, Standing, Terms, is_set_back};
use super::receipts::{Holding, Record};
use super::window::{Micros, Window, micros};

/// Who reserved, as operators know it.
pub type Holder = Arc<str>;

/// An amount reserved and not yet settled.
#[derive(Debug, Clone)]
pub(super) struct Open {
    step: u64,
    era: u32,
    pub(super) bound: u64,
    /// What of that no lot had.
    beyond: u64,
    /// What of it is known to be used already.
    used: u64,
    pub(super) since: Micros,
    /// The request's identifier.
    pub(super) request: Option<Holder>,
}

/// Finds an [`Open`] amount again.
pub(super) type Ticket = usize;

/// An amount that may be spent until a step is over.
#[derive(Debug, Clone, Copy)]
struct Lot {
    until: u64,
    amount: u64,
}

/// A number that no other purse has, in this process or another. Stores count to 2^53.
fn new_holder() -> u64 {
    static FIRST: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(()));
    static MADE: AtomicU64 = AtomicU64::new(0);
    FIRST.wrapping_add(MADE.fetch_add(1, Ordering::Relaxed)) & ((1 << 53) - 1)
}

#[derive(Debug)]
pub(super) struct Purse {
    /// Tells this purse from every other that ever counted on the key.
    holder: u64,
    turn: u64,
    /// The last turn that was answered.
    answered: u64,
    /// Until when what is kept to spend may be spent: the book waits no longer for word of it.
    /// First as of the last answer, then as it will be after the next.
    good_until: Micros,
    asked_until: Micros,
    /// How much of the overrun the book has heard of, and how much it was last told.
    told: u64,
    telling: u64,
    lots: Vec<Lot>,
    /// What is in use, reserved or settled, by the step that took it.
    marks: Marks,
    open: Slab<Open>,
    /// All that was ever used beyond reservations.
    overrun: u64,
    terms: Terms,
    /// The step it stands in, and the moment the next one begins.
    step: u64,
    next: Micros,
    now: Micros,
    /// How often the clock was set back; what was opened in an earlier era names steps of another
    /// time.
    era: u32,
    /// As of the last answer.
    standing: Standing,
    /// Whether the book would learn something.
    changed: bool,
    spent_at: Micros,
}

/// Where a key stands, in the quota's unit; what `RateLimit` headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The most that could be taken at once.
    pub limit: u64,
    /// What may still be reserved now.
    pub remaining: u64,
    /// What was used beyond reservations and still counts against the limit.
    pub debt: u64,
    /// Until something comes back: a fixed window ends, the oldest use leaves a sliding one, a
    /// bucket is full (zero when nothing is in use).
    pub reset: Duration,
}

impl Purse {
    pub(super) fn new(terms: Terms, now: Micros) -> Self {
        let step = terms.window.step(now);
        Self {
            holder: new_holder(),
            turn: 0,
            answered: 0,
            good_until: 0,
            asked_until: 0,
            told: 0,
            telling: 0,
            lots: Vec::new(),
            marks: Marks::default(),
            open: Slab::new(),
            overrun: 0,
            terms,
            step,
            next: terms.window.start(step.saturating_add(1)),
            now,
            era: 0,
            standing: Standing::default(),
            changed: false,
            spent_at: 0,
        }
    }

    pub(super) const fn terms(&self) -> Terms {
        self.terms
    }

    /// Brings it to a moment: lots that are over, or were booked under another limit, go back.
    pub(super) fn advance(&mut self, terms: Terms, now: Micros) {
        self.now = now;
        if terms != self.terms || (now >= self.good_until && !self.lots.is_empty()) {
            self.terms = terms;
            self.return_lots();
        }
        let window = terms.window;
        if window == Window::Held {
            return;
        }
        if now >= self.next || now < window.start(self.step) {
            let to = window.step(now);
            if to > self.step {
                self.stand_in(to);
            } else if is_set_back(window, self.step, to) {
                self.marks.gather(to);
                self.era = self.era.wrapping_add(1);
                self.return_lots();
                self.stand_in(to);
            }
        }
    }

    fn stand_in(&mut self, step: u64) {
        self.step = step;
        self.next = self.terms.window.start(step.saturating_add(1));
        let before = self.lots.len();
        self.lots.retain(|lot| lot.until >= step);
        self.changed |= self.lots.len() < before;
    }

    /// What may be reserved without asking.
    pub(super) fn free(&self) -> u64 {
        let lots = self.lots.iter().map(|lot| lot.amount);
        lots.fold(0, u64::saturating_add)
    }

    /// Reserves an amount, out of what is free as far as that goes.
    pub(super) fn reserve(&mut self, amount: u64, request: Option<Holder>) -> Ticket {
        let beyond = self.spend(amount);
        self.open.insert(Open {
            step: self.step,
            era: self.era,
            bound: amount,
            beyond,
            used: 0,
            since: self.now,
            request,
        })
    }

    /// Adds to an open reservation, unless its step is over: then what it takes now is another.
    pub(super) fn grow(&mut self, ticket: Ticket, amount: u64) -> bool {
        let (step, era) = (self.step, self.era);
        let here = |open: &&mut Open| open.step == step && open.era == era;
        if self.open.get_mut(ticket).filter(here).is_none() {
            return false;
        }
        let beyond = self.spend(amount);
        if let Some(open) = self.open.get_mut(ticket) {
            open.bound = open.bound.saturating_add(amount);
            open.beyond = open.beyond.saturating_add(beyond);
        }
        true
    }

    /// Takes from the lots, as far as they go, what counts from now on; returns what they lacked,
    /// where a quota lets through what it would refuse.
    fn spend(&mut self, amount: u64) -> u64 {
        let mut left = amount;
        for lot in &mut self.lots {
            let taken = lot.amount.min(left);
            lot.amount -= taken;
            left -= taken;
        }
        self.lots.retain(|lot| lot.amount > 0);
        self.spent_at = self.now;
        self.changed |= left > 0;
        let mark = self.marks.at(self.step);
        mark.booked = mark.booked.saturating_add(amount);
        left
    }

    /// Counts what is known to be used of a reservation that stays open; whether that is news.
    pub(super) fn declare(&mut self, ticket: Ticket, used: u64) -> bool {
        let Some(open) = self.open.get_mut(ticket) else {
            return false;
        };
        let used = used.min(open.bound);
        if used <= open.used || self.terms.window == Window::Held || open.era != self.era {
            return false;
        }
        if let Some(mark) = self.marks.find(open.step) {
            mark.settled = mark
                .settled
                .saturating_add(used - open.used)
                .min(mark.booked);
        }
        open.used = used;
        self.changed = true;
        true
    }

    /// Replaces a reservation by what was used, and returns by how much that was over.
    pub(super) fn settle(&mut self, ticket: Ticket, used: u64) -> u64 {
        let Some(open) = self.open.try_remove(ticket) else {
            return 0;
        };
        let held = self.terms.window == Window::Held;
        let within = if held { 0 } else { used.min(open.bound) };
        let overrun = if held { 0 } else { used - within };
        let back = open.bound - within;
        let known = open.era == self.era;
        if let Some(mark) = known.then(|| self.marks.find(open.step)).flatten() {
            let back = back.min(mark.booked - mark.settled);
            mark.booked -= back;
            let before = mark.settled.saturating_sub(open.used);
            mark.settled = before.saturating_add(within).min(mark.booked);
            // What no lot had is nobody's to spend again.
            let again = back.saturating_sub(open.beyond);
            if again > 0 && open.step == self.step && self.spends_again() {
                self.put(self.step, again);
            }
        }
        if overrun > 0 {
            self.overrun = self.overrun.saturating_add(overrun);
            self.return_lots();
        }
        self.changed = true;
        overrun
    }

    /// Whether what is given back in a step may be spent again in it without asking: it is booked
    /// to count at least as long as anything taken now.
    fn spends_again(&self) -> bool {
        match self.terms.window {
            Window::Fixed { .. } | Window::Held => true,
            Window::Sliding { .. } | Window::TokenBucket { .. } => {
                self.lots.iter().all(|lot| lot.until == self.step)
            }
        }
    }

    /// What the book is to know, with what is wanted beside: at least `least`, or nothing.
    pub(super) fn entry(&mut self, want: u64, least: u64, ahead: u64, patience: Micros) -> Entry {
        let (window, step) = (self.terms.window, self.step);
        self.marks.retain(|of| window.expiry(of) > step);
        self.turn += 1;
        self.changed = false;
        self.telling = self.overrun;
        // A little less than the book waits: no two clocks are the same.
        self.asked_until = self.now.saturating_add(patience - patience / 8);
        let lot = |lot: &Lot| {
            let mark = Mark {
                booked: lot.amount,
                settled: 0,
            };
            (lot.until, mark)
        };
        let marks = self.marks.iter().chain(self.lots.iter().map(lot)).collect();
        Entry {
            holder: self.holder,
            turn: self.turn,
            marks,
            overrun: self.overrun,
            want,
            least,
            ahead,
            patience,
        }
    }

    /// Takes what was granted.
    pub(super) fn take(&mut self, answer: &Answer) {
        self.standing = answer.standing;
        self.answered = self.turn;
        self.good_until = self.asked_until;
        self.told = self.telling;
        self.marks.retain(|step| step >= answer.since);
        if answer.granted > 0 && answer.booked_in >= self.step {
            self.put(answer.booked_in, answer.granted);
        }
    }

    fn put(&mut self, until: u64, amount: u64) {
        match self.lots.iter_mut().find(|lot| lot.until == until) {
            Some(lot) => lot.amount = lot.amount.saturating_add(amount),
            None => self.lots.push(Lot { until, amount }),
        }
    }

    /// Gives back what is free, all but `keep`. Until somebody else has it, it can be had again:
    /// who was granted it may not have come to spend it yet.
    pub(super) fn give_back(&mut self, keep: u64) {
        let over = self.let_go(keep);
        self.standing.room = self.standing.room.saturating_add(over);
    }

    /// Holds no more of what is free than `keep`; returns how much that is less.
    fn let_go(&mut self, keep: u64) -> u64 {
        let all = self.free().saturating_sub(keep);
        let mut over = all;
        self.changed |= over > 0;
        for lot in &mut self.lots {
            let back = lot.amount.min(over);
            lot.amount -= back;
            over -= back;
        }
        self.lots.retain(|lot| lot.amount > 0);
        all
    }

    fn return_lots(&mut self) {
        self.let_go(0);
    }

    pub(super) fn state(&self) -> State {
        let reset = self.standing.reset.saturating_sub(self.now);
        State {
            limit: self.terms.capacity(),
            remaining: self.free().saturating_add(self.standing.room),
            debt: self.standing.debt,
            reset: Duration::from_micros(reset),
        }
    }

    /// What is reserved here and not yet settled.
    pub(super) fn reserved(&self) -> u64 {
        self.open
            .iter()
            .filter(|(_, open)| open.era == self.era && self.counts(open.step))
            .map(|(_, open)| open.bound)
            .fold(0, u64::saturating_add)
    }

    fn counts(&self, step: u64) -> bool {
        self.terms.window.expiry(step) > self.step
    }

    /// Reservations not yet settled.
    pub(super) fn open(&self) -> impl Iterator<Item = &Open> {
        self.open.iter().map(|(_, open)| open)
    }

    pub(super) const fn was_spent_since(&self, moment: Micros) -> bool {
        self.spent_at >= moment
    }

    pub(super) const fn now(&self) -> Micros {
        self.now
    }

    /// Whether anything used beyond reservations counted when that was last heard.
    pub(super) const fn is_in_debt(&self) -> bool {
        self.standing.debt > 0
    }

    /// What nobody had booked when that was last heard.
    pub(super) const fn room(&self) -> u64 {
        self.standing.room
    }

    /// The turn of the last entry that was answered.
    pub(super) const fn answered(&self) -> u64 {
        self.answered
    }

    /// How the key stood when that was last heard, as far as it can still be so: once all that was
    /// in use then is over, nothing is.
    pub(super) fn last_heard(&self) -> Standing {
        let over_at = match self.terms.window {
            Window::Fixed { .. } | Window::TokenBucket { .. } => self.standing.reset,
            // The oldest of it leaves then; the rest no later than a window after.
            Window::Sliding { every } => self.standing.reset.saturating_add(micros(every)),
            Window::Held => Micros::MAX,
        };
        match self.now < over_at {
            true => self.standing,
            false => Standing {
                limit: self.terms.capacity(),
                ..Standing::default()
            },
        }
    }

    /// Whether the book would miss anything if it had never heard of this purse.
    pub(super) fn counts_anything(&self) -> bool {
        !self.marks.is_empty() || !self.open.is_empty() || self.overrun > 0
    }

    /// Everything that was settled here and may still count.
    pub(super) fn holding(&self, key: &str, root: &str) -> Holding {
        let settled = self.marks.iter().map(|(step, mark)| (step, mark.settled));
        Holding {
            key: key.to_owned(),
            root: root.to_owned(),
            terms: self.terms.into(),
            holder: self.holder,
            settled: settled.filter(|(_, settled)| *settled > 0).collect(),
            overrun: self.overrun,
            told: self.told,
        }
    }

    /// What was settled in a step so far; the identifier is for the file to say.
    pub(super) fn receipt(&self, step: u64) -> Record {
        Record {
            id: 0,
            step,
            settled: self.marks.settled_in(step),
            overrun: self.overrun,
        }
    }

    /// The step in which a reservation counts.
    pub(super) fn step_of(&self, ticket: Ticket) -> u64 {
        self.open.get(ticket).map_or(self.step, |open| open.step)
    }

    /// Tells it from every other that ever counted on the key.
    pub(super) const fn holder(&self) -> u64 {
        self.holder
    }

    /// The last entry was not answered: it has to be made again.
    pub(super) const fn unheard(&mut self) {
        self.changed = true;
    }

    pub(super) fn has_changed(&self) -> bool {
        self.changed
    }

    /// Whether the book has anything booked for it that it may still have to correct.
    pub(super) fn is_engaged(&self) -> bool {
        !self.open.is_empty() || !self.lots.is_empty() || self.changed
    }
}
