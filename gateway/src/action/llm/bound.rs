//! How many tokens a call may use at most, and setting them aside.
//!
//! Bytes bound tokens from above and cost nothing to count, so they are tried first. Only when
//! that bound does not fit is the prompt counted exactly; and where the caller set no limit on the
//! output, what is left of the quota becomes one.

use std::sync::Arc;

use weir_protocols::openai::chat;

use super::count;
use crate::error::GatewayError;
use crate::policy::quota::{Bound, Quotas};
use crate::proxy::Request;
use crate::quota::Refusal;

/// The output set aside for callers who set no limit, in tokens per choice.
const DEFAULT_OUTPUT: u64 = 4096;
/// Less room than this for an answer is none.
const LEAST_OUTPUT: u64 = 16;

/// Reserves what the call may use. `Some` is the limit on output that must go upstream with it, so
/// that the reservation cannot be exceeded.
pub(super) async fn reserve(
    request: &mut Request,
    chat: &chat::Request<'_>,
    model: &str,
) -> Result<Option<u64>, GatewayError> {
    let Some(quotas) = request.deferred_quotas.take() else { return Ok(None) };
    let asked = chat.output_limit.as_ref().map(|limit| limit.tokens);
    let output = asked.unwrap_or(DEFAULT_OUTPUT);
    let try_with = |request: &mut Request, prompt: u64, output: u64| {
        let tokens = prompt.saturating_add(output.saturating_mul(chat.n));
        request.prompt_bound = Some(prompt);
        quotas.reserve(request, Bound { tokens, model: Some(model) })
    };

    let Err(refusal) = try_with(request, chat.text_bytes() as u64, output) else {
        return Ok(limit(&quotas, output));
    };
    if !about_tokens(&refusal) {
        return Err(quotas.error(&refusal));
    }
    let prompt = count::exact(chat).await;
    let Err(refusal) = try_with(request, prompt, output) else {
        return Ok(limit(&quotas, output));
    };
    let room = refusal.remaining.saturating_sub(prompt) / chat.n;
    if asked.is_some() || !about_tokens(&refusal) || room < LEAST_OUTPUT {
        return Err(quotas.error(&refusal));
    }
    match try_with(request, prompt, room.min(output)) {
        Ok(()) => Ok(limit(&quotas, room.min(output))),
        Err(refusal) => Err(quotas.error(&refusal)),
    }
}

/// Only a quota in tokens needs the provider to keep to a limit.
fn limit(quotas: &Arc<Quotas>, output: u64) -> Option<u64> {
    quotas.count_tokens().then_some(output)
}

fn about_tokens(refusal: &Refusal) -> bool {
    refusal.quota.unit == crate::quota::Unit::Tokens
}
