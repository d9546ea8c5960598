//! What all keys of a quota come to that this process knows: for gauges, which have no room for
//! keys.
//!
//! Where books are kept elsewhere, this is as it was last heard: nothing is asked of a store. The
//! cost is one look at each account, each locked for that only: tens of milliseconds for a hundred
//! thousand of them. It belongs on a thread that may be kept busy, not in the way of a request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::account::{Cell, Keeper};
use super::book::{Standing, Terms};
use super::definition::Quota;
use super::key::Key;
use super::ledger::Ledger;
use super::survey::{add, counted};

/// All keys of one quota together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Total {
    /// How many are in use.
    pub keys: u64,
    /// Their sum. Its `limit` and `reset` mean nothing.
    pub standing: Standing,
    /// The share of its limit that is used, reserved or owed in the key where it is largest;
    /// above 1 where debt or a lowered limit makes it so.
    pub fullest: f64,
}

impl Ledger {
    /// What the keys of each quota come to, in the order given. Blocks for as long as it takes to
    /// look at every account.
    pub fn totals(&self, quotas: &[Arc<Quota>]) -> Vec<Total> {
        let by_name: HashMap<_, _> = quotas
            .iter()
            .enumerate()
            .map(|(index, quota)| ((quota.store.id(), &*quota.name), index))
            .collect();
        let of_any = |key: &Key, cell: &Arc<Cell>| {
            let index = *by_name.get(&key.whose())?;
            let quota = &quotas[index];
            key.is_of(quota)
                .then(|| (index, key.limit(quota), Arc::clone(cell)))
        };
        let mut totals = vec![Total::default(); quotas.len()];
        let now = SystemTime::now();
        for (index, limit, cell) in self.collect(of_any) {
            let quota = &quotas[index];
            let terms = Terms {
                window: quota.window,
                limit,
            };
            let now = quota.store.clock(now);
            let mut account = cell.lock();
            account.advance(terms, now);
            let standing = match account.keeper {
                Keeper::Own(_) => account.standing(terms, now).unwrap_or_default(),
                Keeper::Shared(_) => account.purse.last_heard(),
            };
            drop(account);
            totals[index].count(&standing);
        }
        totals
    }
}

impl Total {
    fn count(&mut self, standing: &Standing) {
        let counted = counted(standing);
        if counted == 0 {
            return;
        }
        self.keys += 1;
        self.standing = add(self.standing, standing);
        self.fullest = self
            .fullest
            .max(counted as f64 / standing.limit.max(1) as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::tests::quota;
    use crate::quota::window::{Period, Window};
    use crate::quota::{By, Claim, Provenance, Store, Subject, Used};

    #[tokio::test]
    async fn keys_add_up_by_quota_and_the_fullest_is_told() {
        let hour = Window::Fixed {
            every: Period::Hour,
        };
        let named = |name, limit| {
            let mut quota = Quota::clone(&quota(name, limit, hour, &[By::Consumer]));
            quota.store = Store::memory("totals");
            Arc::new(quota)
        };
        let (one, other) = (named("one", 100), named("other", 10));
        let ledger = Ledger::new();
        let mut held = Vec::new();
        for (quota, consumer, bound, used) in [
            (&one, "a", 50, Some(40)),
            (&one, "b", 30, None),
            (&other, "a", 5, Some(12)),
        ] {
            let subject = Subject {
                consumer: Some(consumer),
                ..Subject::default()
            };
            let claim = Claim {
                quota,
                subject,
                bound,
            };
            let reservation = ledger.reserve(&[claim], None).await.expect("room");
            match used {
                Some(amount) => drop(reservation.settle(|_, _| Used {
                    amount,
                    provenance: Provenance::Provider,
                })),
                None => held.push(reservation),
            }
        }
        let stranger = named("stranger", 1);
        let totals = ledger.totals(&[other.clone(), one.clone(), stranger]);
        let of = |total: &Total| {
            let standing = &total.standing;
            let sums = (standing.settled, standing.reserved, standing.debt);
            (total.keys, sums, total.fullest)
        };
        assert_eq!(of(&totals[0]), (1, (5, 0, 7), 1.2));
        assert_eq!(of(&totals[1]), (2, (40, 30, 0), 0.4));
        assert_eq!(totals[2], Total::default());
    }
}
