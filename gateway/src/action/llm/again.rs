//! Whether the target that failed last is asked once more, when nobody else is left, and the wait
//! before that.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use weir_telemetry::Code;

use super::model::Target;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};

/// The wait before the first retry where the provider does not say; twice that before the next.
const FIRST: Duration = Duration::from_millis(200);

/// How long to wait before `target`, which failed like this, is asked once more; `None` if it is
/// not. What it allows is paid for out of the provider's retry budget.
pub(super) fn after(
    request: &Request,
    target: &Target,
    error: &GatewayError,
    deadline: Instant,
) -> Option<Duration> {
    if !may_help(error.code) {
        return None;
    }
    let upstream = &target.provider.upstream;
    let attempts = upstream.attempts(request);
    let wait = error.retry_after.unwrap_or_else(|| backoff(attempts));
    let in_time = wait <= target.provider.longest_wait && Instant::now() + wait < deadline;
    (in_time && upstream.may_retry(attempts)).then_some(wait)
}

/// The word for why, in records and metrics.
pub(super) const fn reason(error: &GatewayError) -> &'static str {
    match error.code {
        Code::ProviderRateLimited => "rate_limited",
        Code::ProviderOverloaded => "overloaded",
        Code::ProviderError => "provider_error",
        _ => "network",
    }
}

/// Whether the same call can fare better soon. A provider that kept it waiting until a deadline has
/// had its time.
const fn may_help(code: Code) -> bool {
    matches!(
        code,
        Code::ProviderRateLimited
            | Code::ProviderOverloaded
            | Code::ProviderError
            | Code::ConnectionRefused
            | Code::ConnectionTimeout
            | Code::ConnectionTerminated
            | Code::ConnectionLimitReached
            | Code::DestinationUnroutable
            | Code::DestinationUnavailable
            | Code::BreakerOpen
            | Code::DnsError
            | Code::StreamRefused
            | Code::HttpResponseIncomplete
    )
}

/// Longer each time, and not the same for calls that failed together: up to a half more.
fn backoff(attempts: usize) -> Duration {
    let doubled = FIRST * (1 << attempts.saturating_sub(1).min(6));
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let chance = since.map_or(0, |since| since.subsec_nanos() % 1000);
    doubled + doubled / 2 * chance / 1000
}

/// Waits so long, unless the caller leaves or the gateway has to end.
///
/// # Errors
/// If one of them did.
pub(super) async fn wait(
    request: &mut Request,
    down: &mut Downstream,
    time: Duration,
) -> Result<(), GatewayError> {
    let began = Instant::now();
    let ended = tokio::select! {
        biased;
        () = request.gateway.drain.must_end() => Err(
            GatewayError::new(Code::Draining).source("it waited for a provider's Retry-After"),
        ),
        gone = gone(down) => Err(gone),
        () = tokio::time::sleep(time) => Ok(()),
    };
    request.waits.upstream += began.elapsed();
    // A route may read answers on without their callers, but asks for none that nobody waits for.
    match down.left() {
        true => Err(GatewayError::new(Code::ClientDisconnected)),
        false => ended,
    }
}

/// Waits until the caller leaves: all of its request is read.
async fn gone(down: &mut Downstream) -> GatewayError {
    loop {
        if let Err(error) = down.read().await {
            return error;
        }
    }
}
