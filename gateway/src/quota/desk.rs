//! The accounts of one reservation, locked together: all are looked at before any is changed.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::account::{Account, Cell, Keeper};
use super::book::Terms;
use super::definition::{OnStoreFailure, Quota};
use super::leases::Leases;
use super::ledger::Few;
use super::purse::State;
use super::refusal::{Refusal, Refused, Unavailable};
use super::window::Micros;

/// How often others may be quicker before a claim gives up.
const TURNS: usize = 32;

/// An amount asked of one account.
pub(super) struct Demand<'a> {
    pub(super) quota: &'a Arc<Quota>,
    pub(super) terms: Terms,
    pub(super) amount: u64,
}

/// A locked account and all that one reservation asks of it.
pub(super) struct Desk<'a> {
    pub(super) cell: &'a Arc<Cell>,
    pub(super) account: MutexGuard<'a, Account>,
    pub(super) asked: u64,
    terms: Terms,
    now: Micros,
}

/// What an account says to what is asked of it.
pub(super) enum Verdict {
    /// It fits.
    Fits,
    /// It does not, but the quota lets it through.
    Over,
    /// The store has to be asked.
    Lacks(u64),
    /// It does not.
    Refused(Refused),
}

impl<'a> Desk<'a> {
    /// Locks each account once, in one order for all, and brings it to the present.
    pub(super) fn lock(
        cells: &'a [Arc<Cell>],
        demands: &[Demand<'_>],
        now: std::time::SystemTime,
    ) -> Few<Self> {
        let mut order: Few<_> = cells.iter().zip(demands).collect();
        order.sort_unstable_by_key(|(cell, _)| Arc::as_ptr(cell));
        let mut desks: Few<Self> = Few::with_capacity(order.len());
        for (cell, demand) in order {
            match desks.last_mut().filter(|desk| Arc::ptr_eq(desk.cell, cell)) {
                Some(desk) => desk.asked = desk.asked.saturating_add(demand.amount),
                None => {
                    let (terms, now) = (demand.terms, demand.quota.store.clock(now));
                    let mut account = cell.lock();
                    account.advance(terms, now);
                    desks.push(Self {
                        cell,
                        account,
                        asked: demand.amount,
                        terms,
                        now,
                    });
                }
            }
        }
        desks
    }

    /// The desk of a cell that [`lock`](Self::lock) was given; there are a handful.
    pub(super) fn of<'d>(cell: &Arc<Cell>, desks: &'d mut [Self]) -> &'d mut Self {
        desks
            .iter_mut()
            .find(|desk| Arc::ptr_eq(desk.cell, cell))
            .expect("every cell of the reservation was locked")
    }

    /// The leases of the store that keeps the book, if that is shared.
    pub(super) fn shared(&self) -> Option<&Arc<Leases>> {
        self.account.shared()
    }

    /// Whether a demand can be met. `turn` is how often the store has been asked on its behalf.
    pub(super) fn verdict(&mut self, quota: &Arc<Quota>, turn: usize) -> Verdict {
        if self.account.fits(self.terms, self.now, self.asked) {
            return Verdict::Fits;
        }
        let lacks = self.asked - self.account.purse.free();
        let room = self.account.purse.room();
        if let Keeper::Shared(lease) = &self.account.keeper {
            if turn == 0 {
                return Verdict::Lacks(lacks);
            }
            if let Some(why) = lease.failure() {
                return match quota.on_store_failure {
                    OnStoreFailure::Allow => Verdict::Over,
                    OnStoreFailure::Deny if !quota.enforce => Verdict::Over,
                    OnStoreFailure::Deny => Verdict::Refused(Refused::Unavailable(Unavailable {
                        quota: Arc::clone(quota),
                        why: Arc::clone(why),
                    })),
                };
            }
            // Others were quicker, or it was asked before this was known to be needed.
            if lacks <= room && turn < TURNS {
                return Verdict::Lacks(lacks);
            }
        }
        if !quota.enforce {
            return Verdict::Over;
        }
        Verdict::Refused(Refused::Exhausted(self.refusal(quota)))
    }

    fn refusal(&self, quota: &Arc<Quota>) -> Refusal {
        let State {
            limit,
            remaining,
            reset,
            ..
        } = self.account.state();
        let fits_at = self.account.fits_at(self.terms, self.now, self.asked);
        Refusal {
            quota: Arc::clone(quota),
            limit,
            remaining,
            requested: self.asked,
            retry_after: fits_at.map_or(reset, |at| {
                Duration::from_micros(at.saturating_sub(self.now))
            }),
            never: fits_at.is_none(),
        }
    }
}
