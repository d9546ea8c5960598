//! What came of working on a record once, and when it is tried again.

use std::time::Duration;

use weir_telemetry::Code;
use weir_telemetry::metrics::worker::Pause;

use crate::config::webhooks::Retries;
use crate::error::GatewayError;

/// Nobody is waited for longer than this without being asked again.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Nobody is asked again sooner than this.
const SHORTEST: Duration = Duration::from_millis(100);

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Whoever was to have it has it.
    Delivered,
    /// Trying again may help.
    Failed(Failure),
    /// It never will.
    Refused(Failure),
    /// Nothing can be done now; this was no try.
    NotNow {
        after: Duration,
        pause: Pause,
        failure: Failure,
    },
}

/// Why nothing came of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One of ours, unless somebody else refused it.
    pub(crate) code: Option<Code>,
    /// The slug of that, or the status of its answer.
    pub(crate) error: String,
    /// In words, for operators.
    pub(crate) detail: String,
}

impl Failure {
    /// That is why.
    pub(crate) fn of(error: &GatewayError) -> Self {
        Self {
            code: Some(error.code),
            error: error.code.slug().to_owned(),
            detail: error.to_string(),
        }
    }
}

/// Nothing for that long, if it is known, within reason.
pub(crate) fn not_now(after: Option<Duration>, pause: Pause, failure: Failure) -> Fate {
    let after = after.unwrap_or(Duration::from_secs(1));
    Fate::NotNow {
        after: after.clamp(SHORTEST, LONGEST),
        pause,
        failure,
    }
}

/// How long to wait after so many tries in vain; `chance` is from 0 to 1.
pub(super) fn backoff(retries: &Retries, tries: u32, chance: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    let whole = retries.first.saturating_mul(doubled).min(retries.max);
    whole.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most() {
        let retries = Retries {
            max_attempts: 10,
            max_age: None,
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
        };
        let waits = [1, 2, 3, 7, 40].map(|tries| backoff(&retries, tries, 0.0).as_secs());
        assert_eq!(waits, [1, 2, 4, 60, 60]);
        assert_eq!(backoff(&retries, 2, 1.0), Duration::from_secs(1));
    }
}
