//! What a caller holds between `reserve` and `settle`. A reservation owns its place in each
//! account, needs nothing of the ledger to be closed, and is closed exactly once: settled,
//! or, when dropped, settled at its bound. So no path through a request can lose one, and the
//! path that forgets pays in full.
//!
//! Knows nothing of why the request ended.

use std::sync::Arc;

use smallvec::SmallVec;

use super::account::{Account, Cell};
use super::book::Terms;
use super::definition::Quota;
use super::purse::{Holder, State, Ticket};
use super::receipts::Batch;
use super::replay::Part;
use super::spenders::Spender;

/// Where a figure of use comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// Said by whoever did the work and bills for it.
    Provider,
    /// Counted exactly by the gateway.
    Counted,
    /// Estimated by the gateway: a bound, or a guess from bytes.
    Estimated,
}

/// What was really used. An amount of zero is a statement, not a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// How much, in the quota's unit.
    pub amount: u64,
    /// Who says so.
    pub provenance: Provenance,
}

/// One quota's share of a settlement, for metrics and records.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The definition under which it was reserved.
    pub quota: Arc<Quota>,
    /// What had been reserved.
    pub bound: u64,
    /// What was used.
    pub used: Used,
    /// By how much the use was over the bound: the debt this settlement made.
    pub overrun: u64,
    /// Where it counts: one, and one more for each window in which it was added to.
    pub parts: SmallVec<[Part; 1]>,
}

/// Amounts taken from every quota a request falls under.
#[must_use = "a reservation that is dropped is settled at its bound"]
#[derive(Debug)]
pub struct Reservation {
    pub(super) holds: Vec<Hold>,
    /// Who operators see holding it.
    pub(super) holder: Option<Holder>,
}

impl Reservation {
    /// How each quota stood just after this reservation, in the order of the claims.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &Hold> {
        self.holds.iter()
    }

    /// Says what has been used already, whatever comes: it counts even if this process is killed,
    /// while nothing else of a killed process's reservations does.
    pub fn declare(&self, used: impl Fn(&Quota, u64) -> u64) {
        let mut batch = Batch::default();
        // What is counted in memory dies with the process, declared or not.
        let kept = |hold: &&Hold| hold.quota.store.leases().is_some();
        for hold in self.holds.iter().filter(kept) {
            let mut left = used(&hold.quota, hold.bound());
            for place in &hold.places {
                let share = left.min(place.bound);
                left -= share;
                if share > 0 {
                    Account::declare(&place.cell, place.ticket, share, &mut batch);
                }
            }
        }
    }

    /// Takes out what it holds of the quotas that `which` picks.
    #[must_use = "a reservation that is dropped is settled at its bound"]
    pub fn split(&mut self, which: impl Fn(&Quota) -> bool) -> Self {
        let (out, kept) = self.holds.drain(..).partition(|hold| which(&hold.quota));
        self.holds = kept;
        Self {
            holds: out,
            holder: self.holder.clone(),
        }
    }

    /// Takes in what another holds, after its own.
    pub fn join(&mut self, other: Self) {
        self.holds.extend(other.holds);
    }

    /// Gives all of it back: nothing was done under it.
    pub fn release(self) {
        self.settle(|_, _| Used {
            amount: 0,
            provenance: Provenance::Counted,
        });
    }

    /// Replaces each bound by what was used, in the window that reserved it, and says what came
    /// of it in the order of the claims. Use beyond a bound becomes debt; use below it is given
    /// back, unless that window is over.
    pub fn settle(self, used: impl Fn(&Quota, u64) -> Used) -> Vec<Settled> {
        let mut batch = Batch::default();
        let settle = |hold: Hold| {
            let bound = hold.bound();
            let used = used(&hold.quota, bound);
            let quota = Arc::clone(&hold.quota);
            let parts = hold.close(used.amount, &mut batch);
            Settled {
                quota,
                bound,
                used,
                overrun: parts.iter().map(|part| part.debt).sum(),
                parts,
            }
        };
        self.holds.into_iter().map(settle).collect()
    }
}

/// What a reservation holds for one claim.
#[derive(Debug)]
pub struct Hold {
    /// The definition under which it was reserved.
    pub quota: Arc<Quota>,
    /// How it stood just after.
    pub state: State,
    /// Whether it was let through although it did not fit.
    pub over: bool,
    /// What it is counted by.
    pub(super) terms: Terms,
    /// One, and one more for each window in which it was added to.
    pub(super) places: SmallVec<[Place; 1]>,
}

impl Hold {
    /// How much is reserved.
    pub fn bound(&self) -> u64 {
        self.places.iter().map(|place| place.bound).sum()
    }

    pub(super) fn cell(&self) -> Arc<Cell> {
        Arc::clone(self.places[0].cell())
    }

    /// Adds to it, in its account.
    pub(super) fn grow(&mut self, account: &mut Account, amount: u64, holder: Option<Holder>) {
        let grown = self
            .places
            .last_mut()
            .is_some_and(|place| place.grow(account, amount));
        if !grown {
            let ticket = account.purse.reserve(amount, holder);
            let spender = self.places[0].spender.clone();
            self.places
                .push(Place::new(self.cell(), ticket, amount, spender));
        }
        self.state = account.state();
    }

    /// Settles what was used, the oldest place first.
    fn close(mut self, used: u64, batch: &mut Batch) -> SmallVec<[Part; 1]> {
        let mut left = used;
        let mut parts = SmallVec::new();
        let last = self.places.pop();
        for place in self.places.drain(..) {
            let share = left.min(place.bound);
            left -= share;
            parts.push(place.close(share, batch));
        }
        parts.extend(last.map(|last| last.close(left, batch)));
        parts
    }
}

/// An amount reserved in one account, which stays open until this is closed or dropped.
#[derive(Debug)]
pub(super) struct Place {
    cell: Arc<Cell>,
    ticket: Ticket,
    bound: u64,
    /// Who is charged in the end.
    spender: Option<Spender>,
    open: bool,
}

impl Place {
    pub(super) const fn new(
        cell: Arc<Cell>,
        ticket: Ticket,
        bound: u64,
        spender: Option<Spender>,
    ) -> Self {
        Self {
            cell,
            ticket,
            bound,
            spender,
            open: true,
        }
    }

    pub(super) const fn cell(&self) -> &Arc<Cell> {
        &self.cell
    }

    /// Adds to it, in an account that is locked; `false` if it has to be another place.
    pub(super) fn grow(&mut self, account: &mut Account, amount: u64) -> bool {
        let grown = account.purse.grow(self.ticket, amount);
        if grown {
            self.bound += amount;
        }
        grown
    }

    /// Settles, and says where that counts.
    fn close(mut self, used: u64, batch: &mut Batch) -> Part {
        self.open = false;
        self.settle(used, batch)
    }

    fn settle(&self, used: u64, batch: &mut Batch) -> Part {
        let spender = self.spender.as_ref();
        Account::settle(&self.cell, self.ticket, used, spender, batch)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.open {
            self.settle(self.bound, &mut Batch::default());
        }
    }
}
