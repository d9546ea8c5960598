//! Why a reservation was refused, in numbers; who says it to the caller, and how, is not known
//! here.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::definition::Quota;

/// The quota that refused. When several did, the one that waiting cannot help, else the one
/// with the longest wait.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Its definition.
    pub quota: Arc<Quota>,
    /// The limit that held for the subject.
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

impl Error for Refusal {}
