//! Counting anew from records of use: what the records of a key come to, and a store that learns it.
//!
//! Where records are kept, and how they are read, is not known here.

use std::time::SystemTime;

use super::book::{Amendment, Book, Terms};
use super::change::{Changed, amend_here};
use super::definition::{Quota, Subject};
use super::ledger::{Claim, Ledger};
use super::survey::claim;
use super::window::{Micros, Window, micros};
use std::sync::Arc;

/// Where an amount counts that was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Who counts it: a process has one for each key, and no two have the same.
    pub holder: u64,
    /// When the window, or the step of one that slides or drains, begins in which it counts: in
    /// microseconds since the Unix epoch.
    pub since: Micros,
    /// What was used of what had been reserved.
    pub settled: u64,
    /// What was used beyond.
    pub debt: u64,
}

/// What the records of one key come to. It takes up as much as a book does, however many there are.
#[derive(Debug)]
pub struct Recount {
    book: Box<Book>,
    terms: Terms,
}

impl Recount {
    /// Nothing yet.
    pub fn new(quota: &Arc<Quota>, subject: &Subject<'_>) -> Self {
        Self {
            book: Box::default(),
            terms: claim(quota, subject).terms(),
        }
    }

    /// Counts a part of a settlement that was made then, in microseconds since the Unix epoch.
    pub fn add(&mut self, at: Micros, part: &Part) {
        self.book.recount(self.terms, at, part);
    }
}

impl Quota {
    /// Before this moment nothing was taken that still counts now, debt apart; `None` where
    /// nothing that is over counts at all.
    pub fn counts_since(&self, now: SystemTime) -> Option<Micros> {
        let now = self.store.clock(now);
        let window = self.window;
        match window {
            Window::Held => None,
            Window::Fixed { .. } => Some(window.start(window.step(now))),
            Window::Sliding { .. } => {
                let first = (window.step(now) + 1).saturating_sub(window.length());
                Some(window.start(first))
            }
            Window::TokenBucket { every, burst, .. } => {
                // A full bucket is empty after that; the slowest limit drains longest.
                let limits = self.limit.overrides.values().chain([&self.limit.default]);
                let limit = limits.copied().filter(|limit| *limit > 0).min()?;
                let drains = u128::from(micros(every)) * u128::from(burst) / u128::from(limit);
                let drains = u64::try_from(drains).unwrap_or(u64::MAX);
                let step = window.granule().saturating_mul(2);
                Some(now.saturating_sub(drains.saturating_add(step)))
            }
        }
    }
}

impl Ledger {
    /// Has one key learn what its records come to: how it stood, and how it stands then; or would,
    /// if it is only `tried`. Nothing that is known already is forgotten, and doing it twice changes
    /// nothing.
    ///
    /// # Errors
    /// Why the store failed. It may have learnt it all the same.
    pub async fn recount(
        &self,
        quota: &Arc<Quota>,
        subject: &Subject<'_>,
        recount: Recount,
        tried: bool,
    ) -> Result<Changed, Arc<str>> {
        let claim = claim(quota, subject);
        let amendment = Amendment::Recount(recount.book);
        match quota.store.leases() {
            Some(leases) if tried => {
                let (key, _) = self.name(&claim);
                let kept = leases.books().read(&key).await?;
                let book = kept.map(|kept| kept.book).unwrap_or_default();
                Ok(try_out(book, &claim, leases.now(), &amendment))
            }
            Some(leases) => self.amend_book(leases, &claim, amendment).await,
            None => {
                let cell = self.open(&claim, SystemTime::now);
                let now = quota.store.clock(SystemTime::now());
                if tried {
                    let mut account = cell.lock();
                    let book = account.own_book(claim.terms(), now).unwrap_or_default();
                    return Ok(try_out(book, &claim, now, &amendment));
                }
                Ok(amend_here(&cell, &claim, now, &amendment))
            }
        }
    }
}

fn try_out(mut book: Book, claim: &Claim<'_>, now: Micros, amendment: &Amendment) -> Changed {
    let terms = claim.terms();
    book.advance(terms, now);
    let before = book.standing(terms, now);
    book.amend(terms, now, amendment);
    Changed {
        before,
        after: book.standing(terms, now),
    }
}
