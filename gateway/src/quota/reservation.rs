//! What a caller holds between `reserve` and `settle`. A reservation owns its place in each
//! account, needs nothing of the ledger any more, and is closed exactly once: settled, released,
//! or, when dropped, settled at its bound. So no path through a request can lose one, and the
//! path that forgets pays in full.
//!
//! Knows nothing of why the request ended.

use std::sync::Arc;

use super::account::{Slip, State};
use super::definition::Quota;
use super::ledger::Cell;

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
}

/// Amounts taken from every quota a request falls under.
#[must_use = "a reservation that is dropped is settled at its bound"]
#[derive(Debug)]
pub struct Reservation {
    holds: Vec<Hold>,
}

impl Reservation {
    pub(super) const fn new(holds: Vec<Hold>) -> Self {
        Self { holds }
    }

    /// How each quota stood just after this reservation, in the order of the claims.
    pub fn states(&self) -> impl ExactSizeIterator<Item = (&Arc<Quota>, State)> {
        self.holds.iter().map(|hold| (&hold.quota, hold.state))
    }

    /// Replaces each bound by what was used, in the window that reserved it, and says what came
    /// of it in the order of the claims. Use beyond a bound becomes debt; use below it is given
    /// back, unless that window is over.
    pub fn settle(self, used: impl Fn(&Quota) -> Used) -> Vec<Settled> {
        let settle = |Hold { quota, place, .. }: Hold| {
            let used = used(&quota);
            let (bound, overrun) = (place.bound, place.close(used.amount));
            Settled {
                quota,
                bound,
                used,
                overrun,
            }
        };
        self.holds.into_iter().map(settle).collect()
    }

    /// Gives everything back, as settling at nothing does.
    #[cfg(test)]
    pub fn release(self) {
        for hold in self.holds {
            hold.place.close(0);
        }
    }
}

/// What a reservation holds for one claim.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) quota: Arc<Quota>,
    pub(super) state: State,
    pub(super) place: Place,
}

/// An amount reserved in one account, which stays open until this is closed or dropped.
#[derive(Debug)]
pub(super) struct Place {
    cell: Arc<Cell>,
    slip: Slip,
    bound: u64,
    open: bool,
}

impl Place {
    pub(super) const fn new(cell: Arc<Cell>, slip: Slip, bound: u64) -> Self {
        Self {
            cell,
            slip,
            bound,
            open: true,
        }
    }

    /// Settles and returns the overrun.
    fn close(mut self, used: u64) -> u64 {
        self.open = false;
        self.cell.lock().settle(self.slip, self.bound, used)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.open {
            self.cell.lock().settle(self.slip, self.bound, self.bound);
        }
    }
}
