//! The account of one key: the purse it is spent from, and who fills that: a book kept right here,
//! or one kept elsewhere, with which a lease is held.

use std::sync::Arc;

use parking_lot::Mutex;

use super::book::{Book, Standing, Terms};
use super::lease::Lease;
use super::leases::Leases;
use super::purse::{Purse, State, Ticket};
use super::receipts::Batch;
use super::replay::Part;
use super::spenders::{Caller, Spender, Spenders};
use super::window::{Micros, Window};

/// One key's account. While anybody else shares it, the ledger keeps it.
pub(super) type Cell = Mutex<Account>;

#[derive(Debug)]
pub(super) struct Account {
    pub(super) purse: Purse,
    pub(super) keeper: Keeper,
    /// Who spent the most, once anybody did whom the key does not name.
    pub(super) spenders: Option<Box<Spenders>>,
}

/// Who fills the purse.
#[derive(Debug)]
pub(super) enum Keeper {
    /// A book of its own: there is no other holder, and all that has room goes into the purse.
    Own(Book),
    /// A book that others share.
    Shared(Box<Lease>),
}

impl Account {
    /// Brings it to a moment.
    pub(super) fn advance(&mut self, terms: Terms, now: Micros) {
        self.purse.advance(terms, now);
    }

    /// Whether `amount` may be reserved, as far as can be told without waiting.
    pub(super) fn fits(&mut self, terms: Terms, now: Micros, amount: u64) -> bool {
        let free = self.purse.free();
        if amount <= free {
            return true;
        }
        let Keeper::Own(book) = &mut self.keeper else {
            return false;
        };
        let entry = self.purse.entry(u64::MAX, amount - free, 0, Micros::MAX);
        self.purse.take(&book.enter(terms, now, &entry));
        amount <= self.purse.free()
    }

    /// The first moment at which `amount` is sure to fit, as far as is known.
    pub(super) fn fits_at(&self, terms: Terms, now: Micros, amount: u64) -> Option<Micros> {
        match &self.keeper {
            Keeper::Own(book) => book.fits_at(terms, now, amount),
            Keeper::Shared(lease) => lease.fits_at(terms, now, amount),
        }
    }

    /// Replaces a reservation by what was used, and charges whoever spent it; says where it counts.
    pub(super) fn settle(
        cell: &Arc<Cell>,
        ticket: Ticket,
        used: u64,
        spender: Option<&Spender>,
        batch: &mut Batch,
    ) -> Part {
        let mut account = cell.lock();
        let step = account.purse.step_of(ticket);
        let before = account.purse.receipt(step);
        let overrun = account.close(ticket, used);
        let part = Part {
            holder: account.purse.holder(),
            since: account.purse.terms().window.start(step),
            settled: used - overrun,
            debt: overrun,
        };
        if account.purse.receipt(step) != before {
            account.write(step, batch);
        }
        if let Some(spender) = spender {
            let (window, now) = (account.purse.terms().window, account.purse.now());
            let spenders = account.spenders.get_or_insert_default();
            spenders.charge(window, now, spender, used);
        }
        let at_once = overrun > 0 || account.hoards();
        account.note(cell, at_once);
        part
    }

    fn hoards(&self) -> bool {
        match &self.keeper {
            Keeper::Own(_) => false,
            Keeper::Shared(lease) => lease.hoards(&self.purse),
        }
    }

    /// Counts what is known to be used of a reservation that stays open.
    pub(super) fn declare(cell: &Arc<Cell>, ticket: Ticket, used: u64, batch: &mut Batch) {
        let mut account = cell.lock();
        if account.purse.declare(ticket, used) {
            let step = account.purse.step_of(ticket);
            account.write(step, batch);
            account.note(cell, false);
        }
    }

    /// Has a receipt written for what was settled in a step, if its book hears of it later.
    fn write(&mut self, step: u64, batch: &mut Batch) {
        if let Keeper::Shared(lease) = &mut self.keeper
            && self.purse.terms().window != Window::Held
        {
            lease.write(&self.purse, step, batch);
        }
    }

    /// A caller as it is kept among those who spent.
    pub(super) fn spender(&self, caller: Caller<'_>) -> Spender {
        match &self.spenders {
            Some(spenders) => spenders.name(caller),
            None => caller.into(),
        }
    }

    /// As [`settle`](Self::settle), of an account that is locked.
    fn close(&mut self, ticket: Ticket, used: u64) -> u64 {
        let overrun = self.purse.settle(ticket, used);
        // Debt counts from the moment it is known, and is paid as soon as there is room.
        if overrun > 0 || self.purse.is_in_debt() {
            let (terms, now) = (self.purse.terms(), self.purse.now());
            let _ = self.standing(terms, now);
        }
        overrun
    }

    /// Has the book told, soon or at once, if there is anything to tell.
    pub(super) fn note(&mut self, cell: &Arc<Cell>, at_once: bool) {
        if let Keeper::Shared(lease) = &mut self.keeper
            && self.purse.has_changed()
        {
            lease.note(cell, at_once);
        }
    }

    /// The leases of the store that keeps the book, if that is shared.
    pub(super) fn leases(&self) -> Option<Arc<Leases>> {
        self.shared().map(Arc::clone)
    }

    /// The same, borrowed.
    pub(super) const fn shared(&self) -> Option<&Arc<Leases>> {
        match &self.keeper {
            Keeper::Own(_) => None,
            Keeper::Shared(lease) => Some(lease.leases()),
        }
    }

    /// Where it stands, for headers.
    pub(super) fn state(&self) -> State {
        self.purse.state()
    }

    /// Where it stands by its own book, if it has one.
    pub(super) fn standing(&mut self, terms: Terms, now: Micros) -> Option<Standing> {
        self.advance(terms, now);
        let Keeper::Own(book) = &mut self.keeper else {
            return None;
        };
        self.purse.give_back(0);
        let entry = self.purse.entry(0, 0, 0, Micros::MAX);
        let answer = book.enter(terms, now, &entry);
        self.purse.take(&answer);
        Some(answer.standing)
    }

    /// A copy of its own book, brought up to date, if it has one.
    pub(super) fn own_book(&mut self, terms: Terms, now: Micros) -> Option<Book> {
        self.standing(terms, now)?;
        match &self.keeper {
            Keeper::Own(book) => Some(book.clone()),
            Keeper::Shared(_) => None,
        }
    }

    /// Whether forgetting it would change nothing.
    pub(super) fn is_idle(&mut self, now: Micros) -> bool {
        if self.purse.open().next().is_some() {
            return false;
        }
        let terms = self.purse.terms();
        match &self.keeper {
            Keeper::Shared(lease) => !self.purse.is_engaged() && !lease.is_asking(),
            Keeper::Own(_) => {
                let _ = self.standing(terms, now);
                matches!(&self.keeper, Keeper::Own(book) if book.is_blank())
            }
        }
    }
}

#[cfg(test)]
mod tests;
