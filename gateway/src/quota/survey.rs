//! What operators see of quotas: which keys are in use and how each stands.
//!
//! Where books are kept elsewhere, they are read there; this process adds what only it knows: its
//! own open reservations, and who it saw spend. Nothing here changes a count.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::SystemTime;

use super::account::{Account, Cell};
use super::book::{Book, Standing, Terms};
use super::definition::{Quota, Subject};
use super::key::{Shelf, Values};
use super::leases::Leases;
use super::ledger::{Claim, Ledger};
use super::purse::Holder;
use super::spenders::Spent;
use super::window::Micros;

/// How many keys of a store that others share are looked at.
const LOOKED_AT: usize = 10_000;

/// How many open reservations of one key are told.
const TOLD: usize = 100;

/// So many accounts are gone through before others may have the thread.
const AT_ONCE: usize = 512;

/// A quota's keys in use.
#[derive(Debug)]
pub struct Survey {
    /// Those with the least of their limit left, the fullest first.
    pub fullest: Vec<Found>,
    /// How many were found.
    pub keys: usize,
    /// Whether all were looked at.
    pub whole: bool,
    /// All that were found, together. Its `limit` and `reset` mean nothing.
    pub total: Standing,
}

/// One key in use.
#[derive(Debug)]
pub struct Found {
    /// Which.
    pub key: Values,
    /// How it stands.
    pub standing: Standing,
}

/// One key, and what this process knows of it.
#[derive(Debug, Default)]
pub struct Detail {
    /// How it stands.
    pub standing: Standing,
    /// Who spent the most by what was settled here since when, in microseconds since the Unix
    /// epoch; `None` where nobody is counted.
    pub spenders: Option<(Micros, Vec<Spent>)>,
    /// Reservations of this process, oldest first; a hundred at most.
    pub reserved: Vec<Reserved>,
    /// How many reservations it has.
    pub open: usize,
    /// What they hold together, of what still counts.
    pub held: u64,
}

/// A reservation that is open.
#[derive(Debug)]
pub struct Reserved {
    /// The identifier of the request that holds it.
    pub request: Option<Holder>,
    /// How much it holds.
    pub amount: u64,
    /// Since when, in microseconds since the Unix epoch.
    pub since: Micros,
}

impl Ledger {
    /// The keys of a quota that are in use, `most` of them told.
    ///
    /// # Errors
    /// Why the store could not be read.
    pub async fn survey(&self, quota: &Quota, most: usize) -> Result<Survey, Arc<str>> {
        let (mut found, whole) = match quota.store.leases() {
            None => (self.survey_here(quota).await, true),
            Some(leases) => survey_books(leases, quota).await?,
        };
        found.retain(|found| counted(&found.standing) > 0 || found.standing.credit > 0);
        let total = found.iter().fold(Standing::default(), |total, found| {
            add(total, &found.standing)
        });
        let keys = found.len();
        found.sort_by_key(|found| Reverse(fullness(&found.standing)));
        found.truncate(most);
        Ok(Survey {
            fullest: found,
            keys,
            whole,
            total,
        })
    }

    async fn survey_here(&self, quota: &Quota) -> Vec<Found> {
        let of_quota = |key: &super::key::Key, cell: &Arc<Cell>| {
            let values = key.is_of(quota).then(|| key.values(quota))??;
            Some((values, key.limit(quota), Arc::clone(cell)))
        };
        let cells = self.collect(of_quota);
        let now = quota.store.clock(SystemTime::now());
        let mut found = Vec::new();
        for (index, (key, limit, cell)) in cells.into_iter().enumerate() {
            if index % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            let terms = Terms {
                window: quota.window,
                limit,
            };
            let standing = cell.lock().standing(terms, now);
            found.extend(standing.map(|standing| Found { key, standing }));
        }
        found
    }

    /// How one key stands, and what this process knows of it.
    ///
    /// # Errors
    /// Why the store could not be read.
    pub async fn detail(
        &self,
        quota: &Arc<Quota>,
        subject: &Subject<'_>,
    ) -> Result<Detail, Arc<str>> {
        let claim = claim(quota, subject);
        let cell = self.find(&claim);
        let now = quota.store.clock(SystemTime::now());
        let standing = match (quota.store.leases(), &cell) {
            (Some(leases), _) => {
                if let Some(cell) = &cell {
                    tell(leases, cell).await;
                }
                let name = self.name(&claim).0;
                stands(leases, &name, claim.terms()).await?
            }
            (None, Some(cell)) => cell.lock().standing(claim.terms(), now).unwrap_or_default(),
            (None, None) => blank(claim.terms(), now),
        };
        let mut detail = Detail {
            standing,
            ..Detail::default()
        };
        if let Some(cell) = cell {
            detail.know(&mut cell.lock(), now);
        }
        Ok(detail)
    }
}

pub(super) fn claim<'a>(quota: &'a Arc<Quota>, subject: &Subject<'a>) -> Claim<'a> {
    Claim {
        quota,
        subject: *subject,
        bound: 0,
    }
}

/// Has the book of an account know all that the account does.
pub(super) async fn tell(leases: &Arc<Leases>, cell: &Arc<Cell>) {
    let has_news = cell.lock().purse.has_changed();
    if has_news {
        leases.ask(&[(Arc::clone(cell), 0)]).await;
    }
}

/// How the book of that name stands.
pub(super) async fn stands(
    leases: &Leases,
    name: &str,
    terms: Terms,
) -> Result<Standing, Arc<str>> {
    let now = leases.now();
    let kept = leases.books().read(name).await?;
    Ok(kept.map_or_else(
        || blank(terms, now),
        |mut kept| {
            kept.book.advance(terms, now);
            kept.book.standing(terms, now)
        },
    ))
}

fn blank(terms: Terms, now: Micros) -> Standing {
    let mut book = Book::default();
    book.advance(terms, now);
    book.standing(terms, now)
}

async fn survey_books(leases: &Leases, quota: &Quota) -> Result<(Vec<Found>, bool), Arc<str>> {
    let shelf = Shelf::of(quota);
    let books = leases.books();
    let wanted = shelf.clone();
    let kept = books
        .list(&move |name| wanted.holds(name), LOOKED_AT)
        .await?;
    let whole = kept.len() < LOOKED_AT;
    let now = leases.now();
    let mut found = Vec::new();
    for (index, (name, mut kept)) in kept.into_iter().enumerate() {
        if index % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let Some((key, _)) = shelf.read(quota, &name) else {
            continue;
        };
        let terms = Terms {
            window: quota.window,
            limit: quota.limit_of(key.iter()),
        };
        kept.book.advance(terms, now);
        let standing = kept.book.standing(terms, now);
        found.push(Found { key, standing });
    }
    Ok((found, whole))
}

impl Detail {
    fn know(&mut self, account: &mut Account, now: Micros) {
        let Account {
            purse, spenders, ..
        } = account;
        let window = purse.terms().window;
        self.spenders = spenders.as_mut().map(|spenders| spenders.most(window, now));
        let reserved = purse.open().map(|open| Reserved {
            request: open.request.clone(),
            amount: open.bound,
            since: open.since,
        });
        self.reserved = reserved.collect();
        self.held = purse.reserved();
        self.open = self.reserved.len();
        self.reserved.sort_by_key(|reserved| reserved.since);
        self.reserved.truncate(TOLD);
    }
}

/// All that counts against the limit.
pub(super) fn counted(standing: &Standing) -> u64 {
    let Standing {
        settled,
        reserved,
        debt,
        ..
    } = *standing;
    settled.saturating_add(reserved).saturating_add(debt)
}

/// How much of the limit is used, in billionths of it, and how much that is.
fn fullness(standing: &Standing) -> (u128, u64) {
    let counted = counted(standing);
    let share = u128::from(counted) * 1_000_000_000 / u128::from(standing.limit.max(1));
    (share, counted)
}

pub(super) fn add(total: Standing, one: &Standing) -> Standing {
    Standing {
        room: total.room.saturating_add(one.room),
        settled: total.settled.saturating_add(one.settled),
        reserved: total.reserved.saturating_add(one.reserved),
        debt: total.debt.saturating_add(one.debt),
        credit: total.credit.saturating_add(one.credit),
        ..Standing::default()
    }
}

#[cfg(test)]
mod tests;
