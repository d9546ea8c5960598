//! What one request settled of its quotas, piece by piece. What is charged again and again, as the
//! messages of a connection are, is added up: a request that lasts takes up no more for it.

use std::sync::Arc;

use crate::quota::{Part, Provenance, Quota, Settled};

/// What was settled of one key of a quota.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) quota: Arc<Quota>,
    /// The key, as operators write it.
    pub(super) key: Arc<str>,
    pub(super) reserved: u64,
    pub(super) used: u64,
    pub(super) debt: u64,
    pub(super) provenance: Provenance,
    /// Where it counts.
    pub(super) parts: Vec<Part>,
}

/// All that a request settled.
#[derive(Debug, Default)]
pub(crate) struct Tally(Vec<Settlement>);

impl Tally {
    /// Adds what was settled of a key.
    pub(crate) fn add(&mut self, settled: &Settled, key: &Arc<str>) {
        let same = |known: &&mut Settlement| {
            known.quota.name == settled.quota.name
                && known.key == *key
                && known.provenance == settled.used.provenance
        };
        let known = match self.0.iter_mut().find(same) {
            Some(known) => known,
            None => {
                self.0.push(Settlement {
                    quota: Arc::clone(&settled.quota),
                    key: Arc::clone(key),
                    reserved: 0,
                    used: 0,
                    debt: 0,
                    provenance: settled.used.provenance,
                    parts: Vec::new(),
                });
                self.0.last_mut().expect("it was just pushed")
            }
        };
        known.reserved = known.reserved.saturating_add(settled.bound);
        known.used = known.used.saturating_add(settled.used.amount);
        known.debt = known.debt.saturating_add(settled.overrun);
        for part in &settled.parts {
            known.count(part);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Settlement> {
        self.0.iter()
    }
}

impl Settlement {
    fn count(&mut self, part: &Part) {
        if part.settled == 0 && part.debt == 0 {
            return;
        }
        let same = |known: &&mut Part| (known.holder, known.since) == (part.holder, part.since);
        match self.parts.iter_mut().find(same) {
            Some(known) => {
                known.settled = known.settled.saturating_add(part.settled);
                known.debt = known.debt.saturating_add(part.debt);
            }
            None => self.parts.push(*part),
        }
    }
}
