//! What an answer means, or that there was none.

use std::time::Duration;

use weir_telemetry::Code;
use weir_telemetry::code::Fault;
use weir_telemetry::metrics::worker::Pause;

use crate::error::GatewayError;
use crate::proxy::Asked;
use crate::workers::{Failure, Fate, not_now};

/// What came of asking; `called` if any target was.
pub(super) fn of(asked: &Asked, called: bool) -> Fate {
    if let Some(error) = &asked.error {
        return of_error(error, called);
    }
    let Some(answer) = &asked.answer else {
        let nothing = GatewayError::new(Code::InternalError).source("nothing was answered");
        return Fate::Failed(Failure::of(&nothing));
    };
    let status = answer.head.status;
    if status.is_success() {
        return Fate::Delivered;
    }
    let failure = Failure {
        code: None,
        error: status.as_u16().to_string(),
        detail: format!("the provider answered {}", status.as_u16()),
    };
    match status.is_server_error() {
        true => Fate::Failed(failure),
        false => Fate::Refused(failure),
    }
}

fn of_error(error: &GatewayError, called: bool) -> Fate {
    let failure = Failure::of(error);
    match error.code {
        // One that says no time is more than the quota ever has.
        Code::QuotaExhausted if error.retry_after.is_some() => {
            not_now(error.retry_after, Pause::Quota, failure)
        }
        Code::QuotaStoreUnavailable => not_now(error.retry_after, Pause::Quota, failure),
        Code::ModelLimitReached => not_now(error.retry_after, Pause::Destination, failure),
        Code::BreakerOpen | Code::DestinationUnavailable | Code::ConnectionLimitReached
            if !called =>
        {
            not_now(error.retry_after, Pause::Destination, failure)
        }
        // It is about to end, and the prompt is given out again.
        Code::Draining => not_now(None, Pause::Reload, failure),
        code => match code.fault() {
            Fault::Client | Fault::Policy => Fate::Refused(failure),
            Fault::Gateway | Fault::Upstream => Fate::Failed(failure),
        },
    }
}

/// How long a provider wants not to be asked, within reason.
pub(super) fn asked_to_wait(asked: &Asked) -> Duration {
    const MOST: Duration = Duration::from_secs(15 * 60);
    let wait = asked.error.as_ref().and_then(|error| error.retry_after);
    wait.unwrap_or_default().min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(error: GatewayError) -> Fate {
        let asked = Asked {
            error: Some(error),
            answer: None,
        };
        of(&asked, true)
    }

    #[test]
    fn an_exhausted_quota_is_waited_for_and_one_that_never_suffices_is_not() {
        let error = GatewayError::new(Code::QuotaExhausted);
        assert!(matches!(fate(error.clone()), Fate::Refused(_)));
        let error = error.retry_after(Duration::from_secs(9));
        let Fate::NotNow { after, pause, .. } = fate(error) else {
            panic!("it is waited for");
        };
        assert_eq!((after, pause), (Duration::from_secs(9), Pause::Quota));
    }

    #[test]
    fn whose_fault_it_is_decides_whether_it_is_tried_again() {
        for code in [
            Code::ProviderRateLimited,
            Code::ProviderOverloaded,
            Code::ProviderCredentialRejected,
            Code::HttpResponseTimeout,
            Code::InternalError,
        ] {
            let fate = fate(GatewayError::new(code));
            assert!(matches!(fate, Fate::Failed(_)), "{code}");
        }
        for code in [
            Code::RequestBodyInvalid,
            Code::ModelNotFound,
            Code::ConsumerDenied,
        ] {
            let fate = fate(GatewayError::new(code));
            assert!(matches!(fate, Fate::Refused(_)), "{code}");
        }
    }
}
