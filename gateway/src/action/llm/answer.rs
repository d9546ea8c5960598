//! A model's answer on its way to the caller: what its head says, and who passes its body on.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use weir_telemetry::Code;

use super::budget::Budget;
use super::stream::{self, Ended, Meter};
use super::whole;
use crate::error::GatewayError;
use crate::policy::quota::Usage;
use crate::proxy::{Downstream, Request, respond};
use crate::upstream::{Answer, Body};

/// What the caller asked for.
pub(super) struct Wishes<'a> {
    /// A stream.
    pub(super) stream: bool,
    /// Usage at its end.
    pub(super) usage: bool,
    /// So many choices, at least one.
    pub(super) choices: u64,
    /// What is reserved for it, if it is counted.
    pub(super) budget: Option<Budget<'a>>,
}

/// Passes an answer on.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    answer: Answer,
    body: &mut Body,
    wishes: Wishes<'_>,
) -> Result<(), GatewayError> {
    let Answer {
        mut head,
        mut exchange,
    } = answer;
    if let Some(error) = provider_fault(head.status, &head.headers) {
        request.usage = Some(Usage::nothing());
        exchange.abandon(request, &error);
        return Err(error);
    }
    let ok = head.status == StatusCode::OK;
    if ok && let Some(error) = unreadable(&head.headers, wishes.stream) {
        // Whatever it is, it may have cost what was reserved.
        exchange.abandon(request, &error);
        return Err(error);
    }
    let is_stream = ok && wishes.stream;
    if is_stream {
        // An event may be hidden or added, so that it has no length known before.
        head.remove_header(&CONTENT_LENGTH);
    }
    if let Some(reply) = respond::head(request, down, head, false).await? {
        return crate::proxy::reply::send(request, down, reply).await;
    }
    let (usage, counted) = (wishes.usage, (wishes.budget, wishes.choices));
    let passed = if is_stream {
        let meter = counted.0.map(|budget| Meter::new(budget, counted.1));
        stream::pass(request, down, &mut exchange, body, usage, meter).await
    } else {
        let passed = whole::pass(request, down, &mut exchange, body, ok, counted).await;
        passed.map(|()| Ended::Whole)
    };
    match passed {
        Ok(Ended::Whole) => {
            exchange.finish(request);
            Ok(())
        }
        Ok(Ended::Cut(cut, mut meter)) => {
            // It was not read to its end, so that this closes it: the provider shall stop before
            // the caller, who may be slow, is told.
            exchange.finish(request);
            cut.tell(request, down, &mut meter, usage).await
        }
        Err(error) => {
            exchange.abandon(request, &error);
            Err(error)
        }
    }
}

/// What a provider's refusal is to our caller. Other 4xx are about the request and pass as they
/// are.
fn provider_fault(status: StatusCode, headers: &HeaderMap) -> Option<GatewayError> {
    let code = match status.as_u16() {
        429 => Code::ProviderRateLimited,
        401 | 403 => Code::ProviderCredentialRejected,
        503 | 529 => Code::ProviderOverloaded,
        500..=599 => Code::ProviderError,
        // No API of this dialect sends its callers elsewhere.
        300..=399 => Code::ProviderResponseInvalid,
        _ => return None,
    };
    let error =
        GatewayError::new(code).source(format!("the provider answered {}", status.as_u16()));
    let after = headers
        .get(RETRY_AFTER)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    Some(match after {
        Some(seconds) => error.retry_after(Duration::from_secs(seconds)),
        None => error,
    })
}

/// Why the head of a completion says that it is none a caller could read. A provider that does not
/// say what it sends is believed to send what was asked for.
fn unreadable(headers: &HeaderMap, stream: bool) -> Option<GatewayError> {
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
    let essence = sent
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let expected = if stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    if essence.eq_ignore_ascii_case(expected) {
        return None;
    }
    invalid(format!(
        "the provider answered with {sent:?} instead of {expected}"
    ))
}
