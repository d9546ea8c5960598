//! The ledger: an account for every key, and reservations over several of them at once.
//!
//! Accounts are found through sharded maps, whose locks are held for a look-up only. Each
//! account has a lock of its own. A reservation locks all the accounts it needs in one global
//! order (their addresses), so that no two can wait for each other; checks all of them; and
//! takes from all or from none before it unlocks any.
//!
//! Counts outlive a reload: they are keyed by what [`Quota`] says, and the definition comes
//! with each call. This kind lives in memory and forgets on restart.
//!
//! A shard that grew to twice what was last worth keeping sweeps itself as a key is added, so
//! keys whose use is over never outnumber the others for long. An account that a reservation
//! still holds is never swept.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, MutexGuard};

use super::account::{Account, State};
use super::definition::{Quota, Subject};
use super::key::{AsHashed, Identity, Key, Sought};
use super::refusal::Refusal;
use super::reservation::{Hold, Place, Reservation};
use super::window::since_epoch;

/// A power of two, well above the number of threads that reserve at the same time.
const SHARDS: usize = 64;

/// A shard with fewer keys than this is not worth sweeping.
const SWEEP_FROM: usize = 64;

/// One key's account. While anybody else shares it, the ledger keeps it.
pub(super) type Cell = Mutex<Account>;

/// An amount asked of one quota.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Its definition.
    pub quota: &'a Arc<Quota>,
    /// For whom.
    pub subject: Subject<'a>,
    /// The most that will be used, in the quota's unit.
    pub bound: u64,
}

/// Counts every quota's use by key.
#[derive(Debug)]
pub struct Ledger {
    shards: Box<[Mutex<Shard>]>,
    hashing: RandomState,
}

impl Ledger {
    /// A ledger that lives in memory and forgets on restart.
    pub fn memory() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hashing: RandomState::new(),
        }
    }

    /// Takes what every claim asks, or nothing. Claims on the same count add up.
    ///
    /// # Errors
    /// A [`Refusal`] when one of the quotas has no room; no other has then changed.
    pub fn reserve(&self, claims: &[Claim<'_>], now: SystemTime) -> Result<Reservation, Refusal> {
        let now = since_epoch(now);
        let cells: Vec<_> = claims.iter().map(|claim| self.open(claim, now)).collect();
        let mut desks = Desk::lock(&cells, claims, now);
        let pairs = || claims.iter().zip(&cells);
        let refusals =
            pairs().filter_map(|(claim, cell)| Desk::of(cell, &desks).refusal(claim, now));
        if let Some(refusal) = refusals.max_by_key(|refusal| (refusal.never, refusal.retry_after)) {
            return Err(refusal);
        }
        for desk in &mut desks {
            desk.account.reserve(desk.asked);
        }
        let holds = pairs().map(|(claim, cell)| {
            let account = &Desk::of(cell, &desks).account;
            Hold {
                quota: Arc::clone(claim.quota),
                state: account.state(now),
                place: Place::new(Arc::clone(cell), account.slip(), claim.bound),
            }
        });
        Ok(Reservation::new(holds.collect()))
    }

    /// How a quota stands for a subject. Keeps no account for a subject never seen.
    #[cfg(test)]
    pub fn state(&self, quota: &Quota, subject: &Subject<'_>, now: SystemTime) -> State {
        let now = since_epoch(now);
        let (step, limit) = (quota.window.step(now), quota.limit_for(subject));
        let sought = Sought::new(quota, subject, &self.hashing);
        let known = self.shard(&sought).find(&sought);
        match known {
            Some(cell) => {
                let mut account = cell.lock();
                account.advance(step, limit);
                account.state(now)
            }
            None => Account::new(quota.window, limit, step).state(now),
        }
    }

    fn open(&self, claim: &Claim<'_>, now: Duration) -> Arc<Cell> {
        let sought = Sought::new(claim.quota, &claim.subject, &self.hashing);
        let mut shard = self.shard(&sought);
        shard
            .find(&sought)
            .unwrap_or_else(|| shard.add(sought.to_key(), claim, now))
    }

    fn shard(&self, key: &Sought<'_>) -> MutexGuard<'_, Shard> {
        // From the middle of the hash: the maps inside use its lowest and its highest bits.
        let index = (key.hashed() >> 32) as usize % SHARDS;
        self.shards[index].lock()
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().cells.len())
            .sum()
    }
}

/// Aligned so that no two shards' locks share a cache line.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Shard {
    cells: HashMap<Key, Arc<Cell>, BuildHasherDefault<AsHashed>>,
    /// How many keys the last sweep kept.
    kept: usize,
}

impl Shard {
    fn find(&self, key: &Sought<'_>) -> Option<Arc<Cell>> {
        let key: &dyn Identity = key;
        self.cells.get(key).map(Arc::clone)
    }

    fn add(&mut self, key: Key, claim: &Claim<'_>, now: Duration) -> Arc<Cell> {
        if self.cells.len() >= (2 * self.kept).max(SWEEP_FROM) {
            self.sweep(now);
        }
        let window = claim.quota.window;
        let limit = claim.quota.limit_for(&claim.subject);
        let cell = Arc::new(Mutex::new(Account::new(window, limit, window.step(now))));
        self.cells.insert(key, Arc::clone(&cell));
        cell
    }

    /// Forgets accounts that nobody holds and in which nothing counts any more.
    fn sweep(&mut self, now: Duration) {
        // Only the ledger holds an account that can be had mutably, and with this shard locked
        // nobody can come by it.
        self.cells
            .retain(|_, cell| Arc::get_mut(cell).is_none_or(|cell| !cell.get_mut().is_idle(now)));
        self.kept = self.cells.len();
        self.cells.shrink_to(2 * self.kept);
    }
}

/// A locked account and all that one reservation asks of it.
struct Desk<'a> {
    cell: &'a Arc<Cell>,
    account: MutexGuard<'a, Account>,
    asked: u64,
}

impl<'a> Desk<'a> {
    /// Locks each account once, in the global order, and brings it to the present.
    fn lock(cells: &'a [Arc<Cell>], claims: &[Claim<'_>], now: Duration) -> Vec<Self> {
        let mut order: Vec<_> = cells.iter().zip(claims).collect();
        order.sort_unstable_by_key(|(cell, _)| Arc::as_ptr(cell));
        let mut desks: Vec<Self> = Vec::with_capacity(order.len());
        for (cell, claim) in order {
            match desks.last_mut().filter(|desk| Arc::ptr_eq(desk.cell, cell)) {
                Some(desk) => desk.asked = desk.asked.saturating_add(claim.bound),
                None => {
                    let mut account = cell.lock();
                    let limit = claim.quota.limit_for(&claim.subject);
                    account.advance(claim.quota.window.step(now), limit);
                    desks.push(Self {
                        cell,
                        account,
                        asked: claim.bound,
                    });
                }
            }
        }
        desks
    }

    /// The desk of a cell that [`lock`](Self::lock) was given; there are a handful.
    fn of<'d>(cell: &Arc<Cell>, desks: &'d [Self]) -> &'d Self {
        desks
            .iter()
            .find(|desk| Arc::ptr_eq(desk.cell, cell))
            .expect("every cell of the reservation was locked")
    }

    /// Why this account refuses, if it does.
    fn refusal(&self, claim: &Claim<'_>, now: Duration) -> Option<Refusal> {
        if self.account.fits(self.asked) {
            return None;
        }
        let State {
            limit,
            remaining,
            reset,
            ..
        } = self.account.state(now);
        let fits_at = self.account.fits_at(self.asked);
        Some(Refusal {
            quota: Arc::clone(claim.quota),
            limit,
            remaining,
            requested: self.asked,
            retry_after: fits_at.map_or(reset, |at| at.saturating_sub(now)),
            never: fits_at.is_none(),
        })
    }
}
