//! The ledger: an account for every key, and reservations over several of them at once.
//!
//! Accounts are found through sharded maps, whose locks are held for a look-up only. Each
//! account has a lock of its own. A reservation locks all the accounts it needs in one global
//! order (their addresses), so that no two can wait for each other; checks all of them; and
//! takes from all or from none before it unlocks any. What has to be asked of a store is asked
//! with nothing locked, and then all is looked at again.
//!
//! Counts outlive a reload: they are keyed by what [`Quota`] says, and the definition comes
//! with each call.
//!
//! A shard that grew to twice what was last worth keeping sweeps itself as a key is added, so
//! keys whose use is over never outnumber the others for long. An account that a reservation
//! still holds is never swept. Callers choose some keys; beyond [`MOST_KEYS`], new ones share
//! a count.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Once};
use std::time::SystemTime;

use ahash::RandomState;
use parking_lot::{Mutex, MutexGuard};
use smallvec::{SmallVec, smallvec};

use super::account::{Account, Cell};
#[cfg(test)]
use super::book::Standing;
use super::book::Terms;
use super::definition::{Quota, Subject};
use super::desk::{Demand, Desk, Verdict};
use super::key::{AsHashed, Identity, Key, Sought};
use super::leases::Leases;
use super::purse::{Holder, Purse};
use super::refusal::Refused;
use super::reservation::{Hold, Place, Reservation};
use super::spenders::Caller;
use super::window::{Micros, SECOND};

/// A power of two, well above the number of threads that reserve at the same time.
const SHARDS: usize = 64;

/// A shard with fewer keys than this is not worth sweeping.
const SWEEP_FROM: usize = 64;

/// So many keys are told apart, at about 1.4 KB each.
const MOST_KEYS: usize = 1 << 20;

/// A shard that is full looks at most so often whether it still is.
const SWEEP_EVERY: Micros = SECOND;

/// One for each of the quotas that a request falls under: rarely more than can be kept in place.
pub(crate) type Few<T> = SmallVec<[T; 4]>;

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

impl Claim<'_> {
    fn demand(&self) -> Demand<'_> {
        Demand {
            quota: self.quota,
            terms: self.terms(),
            amount: self.bound,
        }
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            window: self.quota.window,
            limit: self.quota.limit_for(&self.subject),
        }
    }
}

/// Counts every quota's use by key.
#[derive(Debug)]
pub struct Ledger {
    shards: Box<[Mutex<Shard>]>,
    hashing: RandomState,
    /// How many keys a shard takes.
    most: usize,
    full: Once,
}

/// Accounts, and how much each lacks.
type Lacking = Vec<(Arc<Cell>, u64)>;

/// What came of looking at all accounts at once.
enum Outcome {
    /// Everything fits, or is let through: which, is told.
    Fits(Few<bool>),
    /// Stores have to be asked for so much, by account.
    Lacking(Lacking),
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::of_at_most(MOST_KEYS)
    }

    pub(super) fn of_at_most(keys: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hashing: RandomState::new(),
            most: keys / SHARDS,
            full: Once::new(),
        }
    }

    /// Takes what every claim asks, or nothing. Claims on the same count add up. `holder` is who
    /// operators see holding it. Waits only for a store.
    ///
    /// # Errors
    /// [`Refused`] when one of the quotas has no room or its store no answer; no other has then
    /// changed.
    pub async fn reserve(
        &self,
        claims: &[Claim<'_>],
        holder: Option<&Holder>,
    ) -> Result<Reservation, Refused> {
        self.reserve_at(claims, holder, SystemTime::now).await
    }

    /// As [`reserve`](Self::reserve), by another clock.
    pub(super) async fn reserve_at(
        &self,
        claims: &[Claim<'_>],
        holder: Option<&Holder>,
        clock: impl Fn() -> SystemTime,
    ) -> Result<Reservation, Refused> {
        let cells: Few<_> = claims
            .iter()
            .map(|claim| self.open(claim, &clock))
            .collect();
        let demands: Few<_> = claims.iter().map(Claim::demand).collect();
        let take = |desks: &mut [Desk<'_>], over: Few<bool>| {
            let all = || demands.iter().zip(&cells);
            let tickets: Few<_> = all()
                .map(|(demand, cell)| {
                    let account = &mut Desk::of(cell, desks).account;
                    let ticket = account.purse.reserve(demand.amount, holder.cloned());
                    account.note(cell, false);
                    ticket
                })
                .collect();
            // Claims on the same count add up, and each is told how it stands after all of them.
            let each = claims.iter().zip(all()).zip(tickets.iter().zip(over));
            let holds = each.map(|((claim, (demand, cell)), (ticket, over))| {
                let account = &Desk::of(cell, desks).account;
                let caller = Caller::of(claim.quota, &claim.subject);
                let spender = caller.map(|caller| account.spender(caller));
                let place = Place::new(Arc::clone(cell), *ticket, demand.amount, spender);
                Hold {
                    quota: Arc::clone(demand.quota),
                    terms: demand.terms,
                    state: account.state(),
                    over,
                    places: smallvec![place],
                }
            });
            Reservation {
                holds: holds.collect(),
                holder: holder.cloned(),
            }
        };
        decide(&demands, &cells, &clock, take).await
    }

    /// Adds to a reservation, to all of its amounts or to none: `more` says by how much.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve); the reservation stays as it is.
    pub async fn top_up(
        &self,
        reservation: &mut Reservation,
        more: impl Fn(&Quota) -> u64,
    ) -> Result<(), Refused> {
        let holder = reservation.holder.clone();
        let cells: Few<_> = reservation.holds.iter().map(Hold::cell).collect();
        let amounts: Few<_> = reservation
            .holds
            .iter()
            .map(|hold| (Arc::clone(&hold.quota), hold.terms, more(&hold.quota)))
            .collect();
        let demands: Few<_> = amounts
            .iter()
            .map(|(quota, terms, amount)| Demand {
                quota,
                terms: *terms,
                amount: *amount,
            })
            .collect();
        let holds = &mut reservation.holds;
        decide(&demands, &cells, &SystemTime::now, |desks, over| {
            for ((hold, over), (demand, cell)) in
                holds.iter_mut().zip(over).zip(demands.iter().zip(&cells))
            {
                let account = &mut *Desk::of(cell, desks).account;
                hold.over |= over;
                hold.grow(account, demand.amount, holder.clone());
                account.note(cell, false);
            }
        })
        .await
    }

    /// The account of a claim's key, made if there is none. Where there are too many already, it
    /// is that of everybody without values.
    pub(super) fn open(&self, claim: &Claim<'_>, clock: impl Fn() -> SystemTime) -> Arc<Cell> {
        let sought = Sought::new(claim.quota, &claim.subject, &self.hashing);
        let open = |sought: Sought<'_>, most: usize| {
            let mut shard = self.shard(&sought);
            if let Some(cell) = shard.find(&sought) {
                return Some(cell);
            }
            let now = claim.quota.store.clock(clock());
            if !shard.has_room(most, now) {
                return None;
            }
            let keeper = claim.quota.store.keeper(|| sought.name());
            let account = Account {
                purse: Purse::new(claim.terms(), now),
                keeper,
                spenders: None,
            };
            Some(shard.add(sought.to_key(), account))
        };
        open(sought, self.most).unwrap_or_else(|| {
            self.full.call_once(|| {
                let (name, most) = (&claim.quota.name, self.most * SHARDS);
                log::warn!("quota {name}: {most} keys are counted; new ones share a count");
            });
            let nobody = Subject::default();
            let shared = Sought::new(claim.quota, &nobody, &self.hashing);
            open(shared, usize::MAX).expect("there is always room for it")
        })
    }

    /// How a key of a store in memory stands; keeps no account of a key never seen.
    #[cfg(test)]
    pub(super) fn standing(&self, claim: &Claim<'_>, now: SystemTime) -> Option<Standing> {
        let sought = Sought::new(claim.quota, &claim.subject, &self.hashing);
        let (terms, now) = (claim.terms(), claim.quota.store.clock(now));
        let known = self.shard(&sought).find(&sought);
        match known {
            Some(cell) => cell.lock().standing(terms, now),
            None => {
                let mut book = super::book::Book::default();
                book.advance(terms, now);
                Some(book.standing(terms, now))
            }
        }
    }

    fn shard(&self, key: &Sought<'_>) -> MutexGuard<'_, Shard> {
        // From the middle of the hash: the maps inside use its lowest and its highest bits.
        let index = (key.hashed() >> 32) as usize % SHARDS;
        self.shards[index].lock()
    }

    /// The account of a claim's key, if there is one.
    pub(super) fn find(&self, claim: &Claim<'_>) -> Option<Arc<Cell>> {
        let sought = Sought::new(claim.quota, &claim.subject, &self.hashing);
        self.shard(&sought).find(&sought)
    }

    /// What its book is called where several processes keep theirs, and the root beside it.
    pub(super) fn name(&self, claim: &Claim<'_>) -> (Arc<str>, Arc<str>) {
        Sought::new(claim.quota, &claim.subject, &self.hashing).name()
    }

    /// Picks from all accounts. Each part of them is locked only while it is gone through.
    pub(super) fn collect<T>(&self, pick: impl Fn(&Key, &Arc<Cell>) -> Option<T>) -> Vec<T> {
        let mut picked = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            picked.extend(shard.cells.iter().filter_map(|(key, cell)| pick(key, cell)));
        }
        picked
    }

    /// How many keys are kept.
    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().cells.len())
            .sum()
    }
}

/// Looks at all accounts at once until each has said yes, and then has `take` take from them while
/// they are locked; or gives up with all of them as they were.
async fn decide<T>(
    demands: &[Demand<'_>],
    cells: &[Arc<Cell>],
    clock: &impl Fn() -> SystemTime,
    take: impl FnOnce(&mut [Desk<'_>], Few<bool>) -> T,
) -> Result<T, Refused> {
    let mut turn = 0;
    loop {
        let lacking = {
            let mut desks = Desk::lock(cells, demands, clock());
            match look(demands, cells, &mut desks, turn) {
                Ok(Outcome::Lacking(lacking)) => lacking,
                Ok(Outcome::Fits(over)) => {
                    decided(&desks, turn > 0);
                    return Ok(take(&mut desks, over));
                }
                Err(refused) => {
                    decided(&desks, turn > 0);
                    return Err(refused);
                }
            }
        };
        ask(lacking).await;
        turn += 1;
    }
}

/// Tells each store that shares in a decision whether that had to wait.
fn decided(desks: &[Desk<'_>], waited: bool) {
    for (index, desk) in desks.iter().enumerate() {
        let Some(leases) = desk.shared() else {
            continue;
        };
        let same = |other: &Desk<'_>| {
            other
                .shared()
                .is_some_and(|other| Arc::ptr_eq(other, leases))
        };
        if !desks[..index].iter().any(same) {
            leases.decided(waited);
        }
    }
}

fn look(
    demands: &[Demand<'_>],
    cells: &[Arc<Cell>],
    desks: &mut [Desk<'_>],
    turn: usize,
) -> Result<Outcome, Refused> {
    let mut lacking = Lacking::new();
    let mut over = Few::with_capacity(demands.len());
    let mut refusal: Option<Refused> = None;
    for (demand, cell) in demands.iter().zip(cells) {
        let verdict = Desk::of(cell, desks).verdict(demand.quota, turn);
        over.push(matches!(verdict, Verdict::Over));
        match verdict {
            Verdict::Fits | Verdict::Over => {}
            Verdict::Lacks(_) if lacking.iter().any(|(other, _)| Arc::ptr_eq(other, cell)) => {}
            Verdict::Lacks(need) => lacking.push((Arc::clone(cell), need)),
            Verdict::Refused(refused) => refusal = Some(graver(refusal, refused)),
        }
    }
    match refusal {
        Some(refused) => Err(refused),
        None if lacking.is_empty() => Ok(Outcome::Fits(over)),
        None => Ok(Outcome::Lacking(lacking)),
    }
}

/// Of two refusals the one that waiting cannot help, else the one with the longest wait; a store
/// that does not answer is graver than either.
fn graver(one: Option<Refused>, other: Refused) -> Refused {
    let weight = |refused: &Refused| match refused {
        Refused::Exhausted(refusal) => (false, refusal.never, refusal.retry_after),
        Refused::Unavailable(_) => (true, false, std::time::Duration::ZERO),
    };
    match one {
        Some(one) if weight(&one) > weight(&other) => one,
        _ => other,
    }
}

/// Asks each store for what its accounts lack, all stores at once.
pub(super) async fn ask(lacking: Lacking) {
    let mut by_store: Vec<(Arc<Leases>, Lacking)> = Vec::new();
    for (cell, need) in lacking {
        let Some(leases) = cell.lock().leases() else {
            continue;
        };
        match by_store.iter_mut().find(|(of, _)| Arc::ptr_eq(of, &leases)) {
            Some((_, cells)) => cells.push((cell, need)),
            None => by_store.push((leases, vec![(cell, need)])),
        }
    }
    let asks = by_store.iter().map(|(leases, cells)| leases.ask(cells));
    futures_util::future::join_all(asks).await;
}

/// Aligned so that no two shards' locks share a cache line.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Shard {
    cells: HashMap<Key, Arc<Cell>, BuildHasherDefault<AsHashed>>,
    /// How many keys the last sweep kept, and when that was.
    kept: usize,
    swept: Micros,
}

impl Shard {
    fn find(&self, key: &Sought<'_>) -> Option<Arc<Cell>> {
        let key: &dyn Identity = key;
        self.cells.get(key).map(Arc::clone)
    }

    /// Whether one more is fewer than too many, once those whose use is over are gone.
    fn has_room(&mut self, most: usize, now: Micros) -> bool {
        let grown = self.cells.len() >= (2 * self.kept).max(SWEEP_FROM);
        let full = self.cells.len() >= most;
        if grown || (full && now >= self.swept.saturating_add(SWEEP_EVERY)) {
            self.sweep(now);
        }
        self.cells.len() < most
    }

    fn add(&mut self, key: Key, account: Account) -> Arc<Cell> {
        let cell = Arc::new(Mutex::new(account));
        self.cells.insert(key, Arc::clone(&cell));
        cell
    }

    /// Forgets accounts that nobody holds and in which nothing counts any more.
    fn sweep(&mut self, now: Micros) {
        // Only the ledger holds an account that can be had mutably, and with this shard locked
        // nobody can come by it.
        self.cells
            .retain(|_, cell| Arc::get_mut(cell).is_none_or(|cell| !cell.get_mut().is_idle(now)));
        self.kept = self.cells.len();
        self.swept = now;
        self.cells.shrink_to(2 * self.kept);
    }
}
