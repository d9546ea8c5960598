//! Why a reservation was refused, in numbers; who says it to the caller, and how, is not known
//! here.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::definition::Quota;

/// Why nothing was reserved.
#[derive(Debug, Clone)]
pub enum Refused {
    /// A quota has no room.
    Exhausted(Refusal),
    /// A quota's store does not answer, and it lets nothing through unseen.
    Unavailable(Unavailable),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted(refusal) => refusal.fmt(f),
            Self::Unavailable(unavailable) => unavailable.fmt(f),
        }
    }
}

impl Error for Refused {}

/// A store that does not answer.
#[derive(Debug, Clone)]
pub struct Unavailable {
    /// The quota that needed it.
    pub quota: Arc<Quota>,
    /// What went wrong, for operators.
    pub why: Arc<str>,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, why } = self;
        write!(f, "quota {}: the store {}: {why}", quota.name, quota.store)
    }
}

/// The quota that refused. When several did, the one that waiting cannot help, else the one
/// with the longest wait.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Its definition.
    pub quota: Arc<Quota>,
    /// The most that could be taken at once.
    pub limit: u64,
    /// What could have been reserved.
    pub remaining: u64,
    /// What was asked of it, all claims on the same count together.
    pub requested: u64,
    /// Until what was asked is sure to fit, if nobody else takes it meanwhile; if `never`,
    /// until something comes back, which will not be enough.
    pub retry_after: Duration,
    /// Waiting cannot help: more was asked than the limit.
    pub never: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            quota,
            limit,
            remaining,
            requested,
            ..
        } = self;
        let unit = quota.unit;
        write!(
            f,
            "quota {}: {requested} {unit} asked, {remaining} of {limit} left",
            quota.name
        )?;
        if self.never {
            f.write_str("; more than the limit, so waiting cannot help")
        } else {
            write!(f, "; retry in {:.0?}", self.retry_after)
        }
    }
}
