//! What a provider's failures are to our callers, and whether somebody else is asked after one.

use std::time::SystemTime;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http::{HeaderName, HeaderValue, StatusCode};
use pingora_http::ResponseHeader;
use weir_protocols::llm::Error;
use weir_protocols::llm::error::Kind;
use weir_telemetry::Code;
use weir_telemetry::code::Fault;

use super::api::Outbound;
use crate::error::GatewayError;
use crate::upstream::Stop;
use crate::upstream::retry_after;

/// Why one target gave no answer.
pub(super) enum Failed {
    /// It is the target's: somebody else may do better.
    Next(GatewayError),
    /// It would be no better with anybody else, or the caller has been sent something.
    Final(GatewayError),
}

impl Failed {
    /// What went wrong.
    pub(super) const fn error(&self) -> &GatewayError {
        match self {
            Self::Next(error) | Self::Final(error) => error,
        }
    }
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Upstream(_) => Self::Next(stop.into()),
            Stop::Client(error) => Self::Final(error),
        }
    }
}

/// What is answered by ourselves fails for good.
impl From<GatewayError> for Failed {
    fn from(error: GatewayError) -> Self {
        Self::Final(error)
    }
}

/// A call that never came to an answer's head.
pub(super) fn uncalled(error: GatewayError) -> Failed {
    match error.code.fault() {
        Fault::Upstream => Failed::Next(error),
        Fault::Client | Fault::Policy | Fault::Gateway if error.code == Code::BreakerOpen => {
            Failed::Next(error)
        }
        _ => Failed::Final(error),
    }
}

/// What a provider's status says, if the failure is the provider's. Other 4xx are about the
/// request.
pub(super) fn of_status(status: StatusCode, headers: &HeaderMap) -> Option<GatewayError> {
    let code = match status.as_u16() {
        429 => Code::ProviderRateLimited,
        401 | 403 => Code::ProviderCredentialRejected,
        503 | 529 => Code::ProviderOverloaded,
        408 | 500..=599 => Code::ProviderError,
        // No API of these sends its callers elsewhere.
        300..=399 => Code::ProviderResponseInvalid,
        _ => return None,
    };
    let error =
        GatewayError::new(code).source(format!("the provider answered {}", status.as_u16()));
    Some(match retry_after::of(headers, SystemTime::now()) {
        Some(after) => error.retry_after(after),
        None => error,
    })
}

/// What a provider says where an answer should be, or amid a stream.
pub(super) fn said(error: &Error<'_>) -> GatewayError {
    let code = match error.kind {
        Kind::RateLimited => Code::ProviderRateLimited,
        Kind::Overloaded => Code::ProviderOverloaded,
        Kind::Authentication | Kind::Permission => Code::ProviderCredentialRejected,
        Kind::InvalidRequest | Kind::NotFound | Kind::TooLarge | Kind::Internal | Kind::Timeout => {
            Code::ProviderError
        }
    };
    let said: String = error.message.chars().take(256).collect();
    GatewayError::new(code).source(format!("the provider broke off: {said}"))
}

/// What a provider says of a request whose caller did not write it.
pub(super) fn refused(status: StatusCode, error: &Error<'_>) -> GatewayError {
    let said: String = error.message.chars().take(256).collect();
    GatewayError::new(Code::ProviderError)
        .source(format!("the provider answered {}: {said}", status.as_u16()))
}

/// Why the head of an answer says that it is none a caller could read. A provider that does not
/// say what it sends is believed to send what was asked for.
pub(super) fn unreadable(
    headers: &HeaderMap,
    provider: Outbound,
    stream: bool,
) -> Option<GatewayError> {
    let invalid = |why: String| Some(GatewayError::new(Code::ProviderResponseInvalid).source(why));
    if let Some(coding) = headers
        .get(CONTENT_ENCODING)
        .filter(|v| v.as_bytes() != b"identity")
    {
        return invalid(format!(
            "the provider answered in the coding {coding:?}, and was asked for none"
        ));
    }
    let sent = headers.get(CONTENT_TYPE)?;
    let said = sent.to_str().unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    let expected = match (stream, provider) {
        (true, Outbound::Converse) => "application/vnd.amazon.eventstream",
        (true, _) => "text/event-stream",
        (false, _) => "application/json",
    };
    if essence.eq_ignore_ascii_case(expected) {
        return None;
    }
    invalid(format!(
        "the provider answered with {sent:?} instead of {expected}"
    ))
}

/// The head of an answer that we write.
pub(super) fn head(
    status: StatusCode,
    fields: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> Result<Box<ResponseHeader>, GatewayError> {
    let broken = |e| GatewayError::new(Code::InternalError).source(e);
    let mut head = ResponseHeader::build_no_case(status, Some(8)).map_err(broken)?;
    for (name, value) in fields {
        head.insert_header(name, value).map_err(broken)?;
    }
    Ok(Box::new(head))
}
