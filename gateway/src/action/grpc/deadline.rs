//! When a call must be over: whoever has the least patience says so.

use std::time::{Duration, Instant};

use pingora_http::RequestHeader;
use weir_protocols::grpc::timeout;
use weir_telemetry::Code;

use super::GRPC_TIMEOUT;
use crate::error::GatewayError;
use crate::proxy::Request;
use crate::upstream::Call;

/// The latest moment at which a call must be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    /// That moment.
    pub(super) at: Instant,
    /// Whether it is the caller's, and not ours.
    pub(super) callers: bool,
}

/// The deadline of a call. Where neither its caller nor the route says one, there is none: it may be
/// a stream that is to last, as an upgraded connection does.
pub(super) fn of(
    request: &Request,
    head: &RequestHeader,
    route: Option<Duration>,
    total: Duration,
) -> Result<Option<Deadline>, GatewayError> {
    let asked = match head.headers.get(GRPC_TIMEOUT) {
        None => None,
        Some(value) => Some(timeout::parse(value.as_bytes()).map_err(|fault| {
            GatewayError::public(Code::RequestHeadMalformed, format!("In the head, {fault}."))
        })?),
    };
    let Some((time, callers)) = shortest(asked, route, total) else {
        return Ok(None);
    };
    let Some(at) = request.began.checked_add(time) else {
        return Ok(None);
    };
    if Instant::now() >= at {
        return Err(GatewayError::new(Code::RequestDeadlineExceeded)
            .source("the call's deadline had passed before it went upstream"));
    }
    Ok(Some(Deadline { at, callers }))
}

/// The shortest of the times given, and whether it is the caller's; none if neither of them and the
/// route gave one.
fn shortest(
    asked: Option<Duration>,
    route: Option<Duration>,
    total: Duration,
) -> Option<(Duration, bool)> {
    let ours = route.map_or(total, |route| route.min(total));
    match asked {
        Some(asked) if asked <= ours => Some((asked, true)),
        None if route.is_none() => None,
        _ => Some((ours, false)),
    }
}

/// A moment so late that it is none.
pub(super) fn none() -> Instant {
    const ONE_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    Instant::now() + ONE_YEAR
}

/// Names a failure: who still sends at its deadline has not sent too slowly.
pub(super) fn name(error: GatewayError, call: &Call) -> GatewayError {
    if error.code == Code::RequestBodyTimeout && Instant::now() >= call.deadline {
        return GatewayError::new(Code::RequestDeadlineExceeded)
            .source("the call's deadline has passed while its caller was still sending");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_least_patience_says_when_a_call_is_over() {
        let seconds = |n: u64| Some(Duration::from_secs(n));
        for (asked, route, total, expected) in [
            (None, None, 5, None),
            (None, seconds(3), 5, Some((3, false))),
            (None, seconds(9), 5, Some((5, false))),
            (seconds(2), seconds(3), 5, Some((2, true))),
            (seconds(4), seconds(3), 5, Some((3, false))),
            (seconds(9), None, 5, Some((5, false))),
            (seconds(0), None, 5, Some((0, true))),
        ] {
            let total = Duration::from_secs(total);
            let expected = expected.map(|(n, callers)| (Duration::from_secs(n), callers));
            assert_eq!(shortest(asked, route, total), expected);
        }
    }
}
