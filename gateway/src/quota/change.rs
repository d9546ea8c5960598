//! What operators change by hand: more room for one key, a new beginning for it, or everything
//! this process holds told to a store again.
//!
//! Who may, why, and who hears of it is not known here.

use std::sync::Arc;
use std::time::SystemTime;

use super::account::{Cell, Keeper};
use super::book::{Amendment, Standing};
use super::definition::{Quota, Subject};
use super::leases::{Amend, Leases};
use super::ledger::{Claim, Ledger};
use super::store::Store;
use super::survey::{claim, stands, tell};
use super::window::{Micros, Window};

/// A change to one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// So much, in the quota's unit, may be used beside the limit until what is used now no longer
    /// counts.
    Grant(u64),
    /// What was used until now and debt are forgotten; what is reserved stays.
    Reset,
}

impl From<Change> for Amendment {
    fn from(change: Change) -> Self {
        match change {
            Change::Grant(amount) => Self::Grant(amount),
            Change::Reset => Self::Reset,
        }
    }
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// How the key stood.
    pub before: Standing,
    /// How it stands.
    pub after: Standing,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchanged {
    /// What the quota counts comes back by itself: there is nothing to change.
    Held,
    /// The store failed, and why. It may have been made all the same.
    Store(Arc<str>),
}

impl Ledger {
    /// Changes how one key stands.
    ///
    /// # Errors
    /// [`Unchanged`], with everything as it was.
    pub async fn change(
        &self,
        quota: &Arc<Quota>,
        subject: &Subject<'_>,
        change: Change,
    ) -> Result<Changed, Unchanged> {
        if quota.window == Window::Held {
            return Err(Unchanged::Held);
        }
        let claim = claim(quota, subject);
        match quota.store.leases() {
            Some(leases) => {
                let changed = self.amend_book(leases, &claim, change.into()).await;
                changed.map_err(Unchanged::Store)
            }
            None => {
                let cell = self.open(&claim, SystemTime::now);
                let now = quota.store.clock(SystemTime::now());
                Ok(amend_here(&cell, &claim, now, &change.into()))
            }
        }
    }

    pub(super) async fn amend_book(
        &self,
        leases: &Arc<Leases>,
        claim: &Claim<'_>,
        amendment: Amendment,
    ) -> Result<Changed, Arc<str>> {
        if let Some(cell) = self.find(claim) {
            tell(leases, &cell).await;
        }
        let (key, root) = self.name(claim);
        let before = stands(leases, &key, claim.terms()).await?;
        let amend = Amend {
            key,
            root,
            terms: claim.terms(),
            amendment,
        };
        let after = leases.books().amend(&amend).await?;
        Ok(Changed { before, after })
    }

    /// Has everything that this process holds of a store told to it again, soon, and says of how
    /// many keys. What is told replaces what was told before, so that doing it twice changes
    /// nothing. `None` where the store is this process itself.
    pub fn rebuild(&self, store: &Store) -> Option<usize> {
        let leases = store.leases()?;
        let cells = self.collect(|key, cell| (key.whose().0 == store.id()).then(|| cell.clone()));
        let mut told = 0;
        for cell in &cells {
            let mut account = cell.lock();
            // One that holds nothing and was told of all has nothing in the book to mend.
            if account.purse.counts_anything() {
                account.purse.unheard();
                account.note(cell, false);
                told += 1;
            }
        }
        leases.books().rebuild();
        leases.hurry();
        Some(told)
    }
}

pub(super) fn amend_here(
    cell: &Arc<Cell>,
    claim: &Claim<'_>,
    now: Micros,
    amendment: &Amendment,
) -> Changed {
    let mut account = cell.lock();
    let terms = claim.terms();
    // The purse goes back into the book first, so that the two agree.
    let before = account.standing(terms, now).unwrap_or_default();
    if let Keeper::Own(book) = &mut account.keeper {
        book.amend(terms, now, amendment);
    }
    let after = account.standing(terms, now).unwrap_or_default();
    Changed { before, after }
}
