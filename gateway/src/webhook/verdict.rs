//! What an answer of a receiver means, or that there was none.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use weir_telemetry::Code;
use weir_telemetry::metrics::worker::Pause;

use crate::error::GatewayError;
use crate::upstream::retry_after;
use crate::workers::{Failure, Fate, not_now};

/// How long a registry that does not answer is left alone by a partition.
const REST: Duration = Duration::from_secs(5);

/// A receiver that answered so did not take it.
fn status(status: StatusCode) -> Failure {
    Failure {
        code: None,
        error: status.as_u16().to_string(),
        detail: format!("the receiver answered {}", status.as_u16()),
    }
}

/// What an answer with this head means.
pub(super) fn of_answer(status: StatusCode, headers: &HeaderMap) -> Fate {
    if status.is_success() {
        return Fate::Delivered;
    }
    let failure = self::status(status);
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

/// What it means that the schema of a record cannot be had.
pub(super) fn of_schema(error: &GatewayError) -> Fate {
    let failure = Failure::of(error);
    match error.code {
        Code::SchemaRegistryUnavailable => not_now(Some(REST), Pause::Schema, failure),
        Code::Draining => not_now(None, Pause::Reload, failure),
        // It may be there soon: whoever writes records registers their schemas.
        _ => Fate::Failed(failure),
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
        assert_eq!(
            after,
            Duration::from_secs(15 * 60),
            "nobody is waited for longer"
        );
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
    fn a_registry_that_is_away_is_waited_for_and_one_without_the_schema_is_asked_again() {
        let away = GatewayError::new(Code::SchemaRegistryUnavailable);
        assert!(matches!(
            of_schema(&away),
            Fate::NotNow { pause: Pause::Schema, after, .. } if after == REST
        ));
        let missing = GatewayError::new(Code::SchemaUnusable);
        assert!(matches!(of_schema(&missing), Fate::Failed(_)));
    }
}
