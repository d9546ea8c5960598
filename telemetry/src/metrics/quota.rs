//! What a quota decided and moved. It knows nothing of the ledger.

use super::Families;
use super::cache::Cache;
use prometheus::IntCounter;
use std::sync::Arc;

/// The series of one quota.
pub struct Quota {
    families: Arc<Families>,
    name: Box<str>,
    allowed: IntCounter,
    refused: IntCounter,
    units: Cache<Units>,
}

impl Quota {
    pub(super) fn resolve(families: &Arc<Families>, name: &str) -> Self {
        Self {
            allowed: families.quota_decisions.with(&[name, "allowed"]),
            refused: families.quota_decisions.with(&[name, "refused"]),
            units: Cache::new(super::SERIES_BUDGET),
            families: Arc::clone(families),
            name: name.into(),
        }
    }

    /// The quota let a request pass, or did not.
    pub fn decided(&self, allowed: bool) {
        if allowed {
            self.allowed.inc();
        } else {
            self.refused.inc();
        }
    }

    /// The units a team moves. May be asked per request: it hashes the name
    /// and takes a shared lock, no more.
    pub fn units(&self, team: &str) -> Arc<Units> {
        let series = |state| self.families.quota_units.with(&[&self.name, team, state]);
        self.units.get(&[team], || Units {
            reserved: series("reserved"),
            settled: series("settled"),
            refunded: series("refunded"),
            debt: series("debt"),
        })
    }
}

/// Units of one quota moved by one team, in the quota's own unit.
pub struct Units {
    reserved: IntCounter,
    settled: IntCounter,
    refunded: IntCounter,
    debt: IntCounter,
}

impl Units {
    /// Set aside before a request went upstream.
    pub fn reserved(&self, units: u64) {
        self.reserved.inc_by(units);
    }

    /// A reservation became use: what was really `used` is settled, what is
    /// left of the reservation is refunded, and what went beyond it is debt.
    pub fn settled(&self, reserved: u64, used: u64) {
        self.settled.inc_by(used);
        self.refunded.inc_by(reserved.saturating_sub(used));
        self.debt.inc_by(used.saturating_sub(reserved));
    }
}
