//! What a quota decided and moved. It knows nothing of the ledger.

use super::Families;
use super::cache::Cache;
use prometheus::IntCounter;
use std::sync::Arc;

/// What a quota decides about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It fits, and passes.
    Allowed,
    /// It does not, and is refused.
    Refused,
    /// It does not, and passes: the quota is not enforced.
    NotEnforced,
    /// It began, and its answer was ended where no more was to be had.
    Cut,
    /// The store did not answer: it passes, to be counted later.
    Unseen,
    /// The store did not answer: it is refused.
    Unavailable,
}

impl Decision {
    /// Each one, in the order of their numbers.
    const ALL: [Self; 6] = [
        Self::Allowed,
        Self::Refused,
        Self::NotEnforced,
        Self::Cut,
        Self::Unseen,
        Self::Unavailable,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::NotEnforced => "not_enforced",
            Self::Cut => "cut",
            Self::Unseen => "unseen",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The series of one quota.
pub struct Quota {
    families: Arc<Families>,
    name: Box<str>,
    decisions: [IntCounter; Decision::ALL.len()],
    units: Cache<Units>,
}

impl Quota {
    pub(super) fn resolve(families: &Arc<Families>, name: &str) -> Self {
        Self {
            decisions: Decision::ALL
                .map(|decision| families.quota_decisions.with(&[name, decision.as_str()])),
            units: Cache::new(super::SERIES_BUDGET),
            families: Arc::clone(families),
            name: name.into(),
        }
    }

    /// The quota decided about a request.
    pub fn decided(&self, decision: Decision) {
        self.decisions[decision as usize].inc();
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
