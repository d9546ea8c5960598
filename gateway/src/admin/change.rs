//! What can be changed by hand, by its path.

use super::audit::Person;
use super::{Answer, quotas, usage, workers};
use crate::gateway::Gateway;

/// A change.
pub(super) enum Change {
    Quotas(quotas::Change),
    Usage(usage::Replay),
    Worker(workers::Turn),
}

impl Change {
    /// The change that a path asks for.
    pub(super) fn of(path: &str) -> Option<Self> {
        let worker = workers::Turn::of(path).map(Self::Worker);
        let usage = || usage::Replay::of(path).map(Self::Usage);
        worker
            .or_else(usage)
            .or_else(|| quotas::Change::of(path).map(Self::Quotas))
    }

    /// Makes it, as the body says.
    pub(super) async fn make(&self, gateway: &Gateway, person: Person, body: &[u8]) -> Answer {
        quotas::answer(match self {
            Self::Quotas(change) => change.make(gateway, person, body).await,
            Self::Usage(replay) => replay.make(gateway, person, body).await,
            Self::Worker(turn) => turn.make(gateway, person, body),
        })
    }
}
