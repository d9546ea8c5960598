//! The book of one key: who may count how much of the limit, and what is owed.
//!
//! **Shares.** A *holder* counts on its own, within what was booked for it: it decides thousands of
//! times between two entries here. Its share says, step by step, how much is booked and how much
//! of that it is known to have used. Each entry replaces the share as a whole and has a turn of its
//! own, so that one made twice, or late, changes nothing.
//!
//! **Marks.** An amount counts in the step it is booked in until that [expires](Window::expiry); a
//! late report corrects it there, and once the step is over there is nothing left to correct.
//!
//! **Debt.** What was used beyond what was reserved counts from the moment it is known. As far as
//! the limit has room, it is charged to the present step. The rest is *owed*: it waits, and is
//! charged first as soon as anything expires or is given back. So use beyond a window's limit is
//! paid in the windows after it, at no more than the limit in each, once and in full. While
//! anything is owed nothing more is booked. A token bucket knows no windows: debt fills it above
//! its brim, and it drains.
//!
//! **Holders that are gone.** Of a share whose holder is not heard of in time only what it is known
//! to have used goes on counting; what it had reserved, or kept to spend, is free again. A holder
//! that cannot be heard does not spend beyond that time either; what it settles late counts when it
//! is told, and what it left unsaid is told by [`Bequest`].
//!
//! **Credit.** What an operator gives back counts against what is booked, in the step it is given
//! in, and expires with it.
//!
//! **Clock.** A time before the book's own leaves it where it is. Only a clock set back by more
//! than a window and more than an hour is followed, so that one that ran ahead for a while does not
//! lock the key until that time comes; what counts then counts for one window from there.
//!
//! Knows one key only: no locks, no names, no places where it is kept.

mod amend;
mod bucket;
mod marks;
mod merge;
mod recount;
mod wait;

use serde::{Deserialize, Serialize};

pub(super) use amend::{Amendment, Bequest};
pub(super) use marks::{Mark, Marks};

use super::window::{Micros, SECOND, Window};

/// A time this much before the book's own is a late caller or a clock being corrected.
const LATE: Micros = 3_600 * SECOND;

/// How long a holder is waited for whose time was said by another clock.
const UNSURE: Micros = 60 * SECOND;

/// What a key is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) window: Window,
    /// Per window, in the quota's unit.
    pub(super) limit: u64,
}

impl Terms {
    pub(super) const fn capacity(self) -> u64 {
        self.window.capacity(self.limit)
    }
}

/// What a holder tells, and asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Whose share it is.
    pub(super) holder: u64,
    /// Greater than in any entry of this holder before.
    pub(super) turn: u64,
    /// All that is booked for it and still counts, what it keeps to spend included.
    pub(super) marks: Marks,
    /// All it ever used beyond its reservations.
    pub(super) overrun: u64,
    /// What it would like beside.
    pub(super) want: u64,
    /// What would do; less is of no use.
    pub(super) least: u64,
    /// How many steps ahead of use that may be booked.
    pub(super) ahead: u64,
    /// How long to wait for its next entry.
    pub(super) patience: Micros,
}

/// What an entry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// What is booked beside: what was wanted, or less, but never less than would do unless none.
    pub(super) granted: u64,
    /// The step it is booked in.
    pub(super) booked_in: u64,
    /// No step before this one counts any more.
    pub(super) since: u64,
    /// How the key stands now.
    pub(super) standing: Standing,
}

/// How a key stands, in the quota's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// The most that can be taken at once.
    pub limit: u64,
    /// What nobody has booked.
    pub room: u64,
    /// What is known to be used.
    pub settled: u64,
    /// What holders have booked and not yet said to be used: reserved, or kept to spend.
    pub reserved: u64,
    /// What was used beyond reservations and still counts, what is owed included.
    pub debt: u64,
    /// What an operator gave back and still counts.
    pub credit: u64,
    /// When something comes back: a fixed window ends, the oldest use leaves a sliding one, a
    /// bucket is full. The present if nothing is in use.
    pub reset: Micros,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Share {
    holder: u64,
    turn: u64,
    /// Given up if nothing is heard until then.
    until: Micros,
    overrun: u64,
    marks: Marks,
}

/// The book of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Book {
    /// The step it stands in.
    step: u64,
    /// Debt not yet charged to any step; positive only while what is booked fills the limit.
    owed: u64,
    /// Debt by the step it is charged to.
    debt: Marks,
    /// What operators gave back, by step.
    credit: Marks,
    shares: Vec<Share>,
    /// All debt there ever was, and how often something was changed by hand: of two copies of a
    /// book, the one where that is greater has heard of more.
    version: u64,
}

impl Book {
    /// Enters what a holder says and books what it asks for, if there is room.
    pub(super) fn enter(&mut self, terms: Terms, now: Micros, entry: &Entry) -> Answer {
        let heard = self.hear(terms, now, entry);
        self.grant(terms, now, entry, heard)
    }

    /// Enters what a holder says, and returns how much of what it asks for there is room for:
    /// nothing, if that would not do.
    pub(super) fn hear(&mut self, terms: Terms, now: Micros, entry: &Entry) -> u64 {
        self.advance(terms, now);
        let fresh = self.report(terms, now, entry);
        self.pay(terms);
        let room = self.room(terms, now);
        match fresh && entry.least <= room && self.owed == 0 {
            true => entry.want.min(room),
            false => 0,
        }
    }

    /// Books what was [heard](Self::hear) to have room.
    pub(super) fn grant(
        &mut self,
        terms: Terms,
        now: Micros,
        entry: &Entry,
        granted: u64,
    ) -> Answer {
        let booked_in = terms.window.ahead(self.step, entry.ahead);
        if granted > 0
            && let Some(share) = self.shares.iter_mut().find(|s| s.holder == entry.holder)
        {
            share.marks.at(booked_in).booked += granted;
        }
        Answer {
            granted,
            booked_in,
            since: self.since(terms, now),
            standing: self.standing(terms, now),
        }
    }

    /// Brings it to the present: what is over expires, and what is owed is charged.
    pub(super) fn advance(&mut self, terms: Terms, now: Micros) {
        let to = terms.window.step(now);
        if to < self.step {
            self.step_back(terms.window, to, now);
        }
        if terms.window != Window::Held {
            for share in self.shares.iter_mut().filter(|s| s.until <= now) {
                share.marks.release();
            }
        }
        match terms.window {
            Window::Held => self.shares.retain(|share| share.until > now),
            Window::TokenBucket { .. } => {
                self.step = self.step.max(to);
                self.forget_before(self.drained(terms, now));
            }
            Window::Fixed { .. } | Window::Sliding { .. } => self.turn(terms, to),
        }
        self.shares
            .retain(|share| share.until > now || !share.marks.is_empty());
    }

    /// How the key stands at a moment the book was brought to.
    pub(super) fn standing(&self, terms: Terms, now: Micros) -> Standing {
        let mut standing = Standing {
            limit: terms.capacity(),
            room: self.room(terms, now),
            debt: self.debt(),
            credit: self.credit.booked(),
            reset: self.resets_at(terms, now),
            ..Standing::default()
        };
        for share in &self.shares {
            let (booked, settled) = (share.marks.booked(), share.marks.settled());
            standing.settled = standing.settled.saturating_add(settled);
            let rest = booked.saturating_sub(settled);
            standing.reserved = standing.reserved.saturating_add(rest);
        }
        standing
    }

    /// What was used beyond reservations and still counts.
    pub(super) fn debt(&self) -> u64 {
        self.debt.booked().saturating_add(self.owed)
    }

    /// Whether forgetting it would change nothing.
    pub(super) fn is_blank(&self) -> bool {
        self.owed == 0
            && self.debt.is_empty()
            && self.credit.is_empty()
            && self.shares.iter().all(|s| s.marks.is_empty())
    }

    /// When it is sure to be blank if nobody enters anything: until then it has to be kept.
    pub(super) fn blank_at(&self, terms: Terms, now: Micros) -> Micros {
        let heard = self.shares.iter().map(|share| share.until).max();
        let empty = wait::empty_at(self, terms, now);
        empty.max(heard.unwrap_or_default())
    }

    /// The first moment at which `amount` is sure to fit if nothing else is booked. `None` if it
    /// never will.
    pub(super) fn fits_at(&self, terms: Terms, now: Micros, amount: u64) -> Option<Micros> {
        wait::fits_at(self, terms, now, amount)
    }

    fn room(&self, terms: Terms, now: Micros) -> u64 {
        let counted = self.level(terms, now).saturating_add(self.owed);
        let credit = match terms.window {
            // It has been taken out of the bucket.
            Window::TokenBucket { .. } => 0,
            Window::Fixed { .. } | Window::Sliding { .. } | Window::Held => self.credit.booked(),
        };
        let capacity = terms.capacity().saturating_add(credit);
        capacity.saturating_sub(counted)
    }

    /// What counts against the limit, without what is owed.
    fn level(&self, terms: Terms, now: Micros) -> u64 {
        match terms.window {
            Window::TokenBucket { .. } => self.bucket(terms, now).level,
            Window::Fixed { .. } | Window::Sliding { .. } | Window::Held => self.booked(),
        }
    }

    fn booked(&self) -> u64 {
        let booked = self.shares.iter().map(|share| share.marks.booked());
        booked.fold(self.debt.booked(), u64::saturating_add)
    }

    /// Replaces the holder's share, and says whether the entry was news.
    fn report(&mut self, terms: Terms, now: Micros, entry: &Entry) -> bool {
        let at = self.shares.iter().position(|s| s.holder == entry.holder);
        let share = match at {
            Some(at) => &mut self.shares[at],
            None => {
                self.shares.push(Share {
                    holder: entry.holder,
                    turn: 0,
                    until: 0,
                    overrun: 0,
                    marks: Marks::default(),
                });
                self.shares.last_mut().expect("it was just pushed")
            }
        };
        if entry.turn <= share.turn {
            return false;
        }
        let over = entry.overrun.saturating_sub(share.overrun);
        share.turn = entry.turn;
        share.until = now.saturating_add(entry.patience);
        share.overrun = share.overrun.max(entry.overrun);
        share.marks.clone_from(&entry.marks);
        let (window, step) = (terms.window, self.step);
        share.marks.retain(|of| window.expiry(of) > step);
        self.charge(terms, over);
        true
    }

    /// Charges what was used beyond a reservation.
    fn charge(&mut self, terms: Terms, over: u64) {
        self.version = self.version.saturating_add(over);
        match terms.window {
            Window::TokenBucket { .. } if over > 0 => self.debt.at(self.step).booked += over,
            Window::TokenBucket { .. } | Window::Held => {}
            Window::Fixed { .. } | Window::Sliding { .. } => {
                self.owed = self.owed.saturating_add(over);
            }
        }
    }

    /// Charges to the present step what is owed, as far as there is room.
    fn pay(&mut self, terms: Terms) {
        if self.owed > 0 {
            let limit = terms.limit.saturating_add(self.credit.booked());
            let charged = self.owed.min(limit.saturating_sub(self.booked()));
            if charged > 0 {
                self.owed -= charged;
                self.debt.at(self.step).booked += charged;
            }
        }
    }

    /// Moves a window's book on to a step.
    fn turn(&mut self, terms: Terms, to: u64) {
        while let Some(expiry) = self
            .next_expiry(terms.window)
            .filter(|expiry| *expiry <= to)
        {
            if self.owed == 0 {
                self.expire(terms, to);
                return;
            }
            let windows = to.saturating_sub(self.step) / terms.window.length();
            if windows == 0 || self.repay(terms, windows) == 0 {
                self.expire(terms, expiry);
            }
        }
        self.step = self.step.max(to);
        self.pay(terms);
    }

    /// Lets everything that expires until `step` do so, and charges there what is owed.
    fn expire(&mut self, terms: Terms, step: u64) {
        let counts = |of| terms.window.expiry(of) > step;
        self.debt.retain(counts);
        self.credit.retain(counts);
        for share in &mut self.shares {
            share.marks.retain(counts);
        }
        self.step = self.step.max(step);
        self.pay(terms);
    }

    /// The first step that may still count.
    pub(super) fn since(&self, terms: Terms, now: Micros) -> u64 {
        match terms.window {
            Window::TokenBucket { .. } => self.drained(terms, now),
            window => (self.step + 1).saturating_sub(window.length()),
        }
    }

    fn forget_before(&mut self, step: u64) {
        self.debt.retain(|of| of >= step);
        self.credit.retain(|of| of >= step);
        for share in &mut self.shares {
            share.marks.retain(|of| of >= step);
        }
    }

    /// When the oldest mark expires.
    fn next_expiry(&self, window: Window) -> Option<u64> {
        let oldest = self.shares.iter().filter_map(|share| share.marks.oldest());
        let others = self.debt.oldest().into_iter().chain(self.credit.oldest());
        let oldest = oldest.chain(others).min()?;
        Some(window.expiry(oldest))
    }

    fn resets_at(&self, terms: Terms, now: Micros) -> Micros {
        let window = terms.window;
        match window {
            Window::Fixed { .. } => window.start(window.expiry(self.step)),
            Window::Sliding { .. } => self
                .next_expiry(window)
                .map_or(now, |expiry| window.start(expiry)),
            Window::TokenBucket { .. } => wait::empty_at(self, terms, now),
            Window::Held => now,
        }
    }

    /// Passes over whole windows, `windows` at most, in each of which the limit's worth of what
    /// is owed takes the place of what expires; returns how many. The same as letting mark after
    /// mark expire, but takes no longer for a large debt or a long absence.
    fn repay(&mut self, terms: Terms, windows: u64) -> u64 {
        let full = self.booked();
        if full == 0 || full != terms.limit || !self.credit.is_empty() {
            return 0;
        }
        let windows = windows.min(self.owed / full);
        if windows > 0 {
            let steps = windows.saturating_mul(terms.window.length());
            let mut debt = Marks::default();
            for (step, amount) in self.by_step() {
                debt.at(step.saturating_add(steps)).booked += amount;
            }
            self.debt = debt;
            for share in &mut self.shares {
                share.marks = Marks::default();
            }
            self.step = self.step.saturating_add(steps);
            self.owed -= windows * full;
        }
        windows
    }

    /// What is booked, by step, oldest first; steps in which something was given back included.
    fn by_step(&self) -> Vec<(u64, u64)> {
        let shares = self.shares.iter().flat_map(|share| share.marks.iter());
        let credit = self.credit.iter().map(|(step, _)| (step, 0));
        let mut all: Vec<(u64, u64)> = shares
            .chain(self.debt.iter())
            .map(|(step, mark)| (step, mark.booked))
            .chain(credit)
            .collect();
        all.sort_unstable();
        all.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        all
    }

    /// Follows a clock that was set far back.
    fn step_back(&mut self, window: Window, to: u64, now: Micros) {
        if is_set_back(window, self.step, to) {
            self.debt.gather(to);
            self.credit.gather(to);
            for share in &mut self.shares {
                share.marks.gather(to);
                // It was said by the other clock.
                share.until = share.until.min(now.saturating_add(UNSURE));
            }
            self.step = to;
        }
    }
}

/// Whether a clock that says `to` was set back, and is not just late, where one said `step`.
pub(super) fn is_set_back(window: Window, step: u64, to: u64) -> bool {
    let length = match window {
        Window::Fixed { .. } | Window::Sliding { .. } => window.length(),
        Window::TokenBucket { .. } => 60,
        Window::Held => return false,
    };
    let [from, back] = [step, to].map(|step| window.start(step));
    step.saturating_sub(to) > length && from.saturating_sub(back) > LATE
}
