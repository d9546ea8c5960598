//! What an answer of a receiver means, or that there was none.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use weir_telemetry::Code;
use weir_telemetry::metrics::webhook::Pause;

use crate::config::webhooks::Retries;
use crate::error::GatewayError;
use crate::upstream::retry_after;

/// Nobody is waited for longer than this without being asked again.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Nobody is asked again sooner than this.
const SHORTEST: Duration = Duration::from_millis(100);

/// What came of sending a record once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// The receiver has it.
    Delivered,
    /// Trying again may help.
    Failed(Failure),
    /// It never will.
    Refused(Failure),
    /// Nothing can be sent now; this was no try.
    NotNow {
        after: Duration,
        pause: Pause,
        failure: Failure,
    },
}

/// Why a record was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// One of ours, if the receiver did not answer.
    pub(super) code: Option<Code>,
    /// The slug of that, or the status of its answer.
    pub(super) error: String,
    /// In words, for operators.
    pub(super) detail: String,
}

impl Failure {
    fn status(status: StatusCode) -> Self {
        Self {
            code: None,
            error: status.as_u16().to_string(),
            detail: format!("the receiver answered {}", status.as_u16()),
        }
    }

    fn of(error: &GatewayError) -> Self {
        Self {
            code: Some(error.code),
            error: error.code.slug().to_owned(),
            detail: error.to_string(),
        }
    }
}

/// What an answer with this head means.
pub(super) fn of_answer(status: StatusCode, headers: &HeaderMap) -> Fate {
    if status.is_success() {
        return Fate::Delivered;
    }
    let failure = Failure::status(status);
    let asked = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            retry_after::of(headers, SystemTime::now())
        }
        _ => None,
    };
    if let Some(after) = asked {
        return not_now(Some(after), Pause::Receiver, failure);
    }
    let passing = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    match passing || status.is_server_error() {
        true => Fate::Failed(failure),
        // A redirect too: what was signed for one place is not sent to another.
        false => Fate::Refused(failure),
    }
}

/// What it means that there was none; `sent` if an endpoint was asked at all.
pub(super) fn of_error(error: &GatewayError, sent: bool) -> Fate {
    let failure = Failure::of(error);
    match error.code {
        Code::BreakerOpen | Code::DestinationUnavailable | Code::ConnectionLimitReached
            if !sent =>
        {
            not_now(error.retry_after, Pause::Destination, failure)
        }
        // It is about to end, and the record is given out again.
        Code::Draining => not_now(None, Pause::Reload, failure),
        _ => Fate::Failed(failure),
    }
}

/// What it means that a quota did not let it through.
pub(super) fn of_quota(error: &GatewayError) -> Fate {
    let failure = Failure::of(error);
    match error.retry_after {
        Some(after) => not_now(Some(after), Pause::Quota, failure),
        // It is more than the quota ever has.
        None => Fate::Refused(failure),
    }
}

/// What it means that a record is not what is to be sent.
pub(super) fn unfit(why: impl std::fmt::Display) -> Fate {
    Fate::Refused(Failure {
        code: None,
        error: "not_a_cloud_event".to_owned(),
        detail: format!("the record is no CloudEvent: {why}"),
    })
}

fn not_now(after: Option<Duration>, pause: Pause, failure: Failure) -> Fate {
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

    fn fate(status: u16, retry_after: Option<&'static str>) -> Fate {
        let mut headers = HeaderMap::new();
        if let Some(after) = retry_after {
            headers.insert("retry-after", http::HeaderValue::from_static(after));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        of_answer(status, &headers)
    }

    #[test]
    fn an_answer_is_final_passing_or_a_request_to_wait() {
        for status in [200, 202, 204] {
            assert_eq!(fate(status, None), Fate::Delivered);
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(fate(status, None), Fate::Failed(_)), "{status}");
        }
        for status in [301, 302, 400, 401, 404, 410, 422] {
            assert!(
                matches!(fate(status, Some("1")), Fate::Refused(_)),
                "{status}"
            );
        }
        for status in [429, 503] {
            let Fate::NotNow { after, pause, .. } = fate(status, Some("7")) else {
                panic!("{status} asks to wait");
            };
            assert_eq!((after, pause), (Duration::from_secs(7), Pause::Receiver));
        }
        let Fate::NotNow { after, .. } = fate(503, Some("999999")) else {
            panic!("it asks to wait");
        };
        assert_eq!(after, LONGEST);
    }

    #[test]
    fn what_was_never_sent_is_no_try() {
        let open = GatewayError::new(Code::BreakerOpen).retry_after(Duration::from_secs(3));
        assert!(matches!(
            of_error(&open, false),
            Fate::NotNow { pause: Pause::Destination, after, .. } if after == Duration::from_secs(3)
        ));
        let refused = GatewayError::new(Code::ConnectionRefused);
        assert!(matches!(of_error(&refused, true), Fate::Failed(_)));
        let never = GatewayError::new(Code::QuotaExhausted);
        assert!(matches!(of_quota(&never), Fate::Refused(_)));
    }

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
