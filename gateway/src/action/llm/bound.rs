//! How many tokens a call may use at most, and setting them aside.
//!
//! Bytes bound tokens from above and cost nothing to count, so they are tried first. Only when
//! that bound does not fit is the prompt counted exactly; and where what the caller allows for the
//! answer does not fit either, what is left of the quota becomes its limit.

use std::sync::Arc;

use weir_protocols::openai::chat;
use weir_telemetry::Code;

use super::count;
use crate::error::GatewayError;
use crate::policy::quota::{Bound, Quotas};
use crate::proxy::Request;
use crate::quota::{Refusal, Unit};

/// The output set aside for callers who set no limit, in tokens per choice.
const DEFAULT_OUTPUT: u64 = 4096;
/// Less room than this for an answer is none, unless the caller wants less.
const LEAST_OUTPUT: u64 = 16;
/// What an image, a sound or a file is taken to cost, in tokens: no count of bytes says it. This
/// is above what most models bill for a large image; what a provider bills beyond becomes debt.
const ATTACHMENT: u64 = 4096;

/// The most tokens the prompt can be, from its bytes: no token is shorter than one.
pub(super) fn by_bytes(chat: &chat::Request<'_>) -> u64 {
    (chat.text_bytes() as u64).saturating_add(attachments(chat))
}

/// What the parts of the prompt that are no text are taken to cost.
pub(super) fn attachments(chat: &chat::Request<'_>) -> u64 {
    ATTACHMENT.saturating_mul(chat.attachments as u64)
}

/// Reserves what the call may use. `Some` is the limit on output that must go upstream with it, so
/// that the reservation cannot be exceeded.
pub(super) async fn reserve(
    request: &mut Request,
    chat: &chat::Request<'_>,
    model: &str,
) -> Result<Option<u64>, GatewayError> {
    let Some(quotas) = request.deferred_quotas.take() else {
        return Ok(None);
    };
    let mut output = chat
        .output_limit
        .as_ref()
        .map_or(DEFAULT_OUTPUT, |limit| limit.tokens);
    let least = LEAST_OUTPUT.min(output);
    let try_with = |request: &mut Request, prompt: u64, output: u64| {
        let tokens = prompt.saturating_add(output.saturating_mul(chat.n));
        request.prompt_bound = Some(prompt);
        quotas.reserve(
            request,
            Bound {
                tokens,
                model: Some(model),
            },
        )
    };

    match try_with(request, by_bytes(chat), output) {
        Ok(()) => return Ok(limit(&quotas, output)),
        Err(refusal) if !about_tokens(&refusal) => return Err(quotas.refused(&refusal)),
        Err(_) => {}
    }
    let prompt = count::exact(chat).await;
    // Each turn leaves less for the answer, so that even a quota others draw from ends this; and a
    // refusal is about the least that would do.
    loop {
        match try_with(request, prompt, output) {
            Ok(()) => return Ok(limit(&quotas, output)),
            Err(refusal) if output == least || !about_tokens(&refusal) => {
                return Err(quotas.refused(&refusal));
            }
            Err(refusal) => {
                let room = refusal.remaining.saturating_sub(prompt) / chat.n;
                output = room.clamp(least, output - 1);
            }
        }
    }
}

/// Counts a request that did not come to a model: it was one all the same. An error of its own,
/// `failed`, gives way to a refusal.
pub(super) fn without_model(
    request: &mut Request,
    failed: Option<&GatewayError>,
) -> Result<(), GatewayError> {
    if failed.is_some_and(|error| error.code == Code::ClientDisconnected) {
        return Ok(());
    }
    let Some(quotas) = request.deferred_quotas.take() else {
        return Ok(());
    };
    let reserved = quotas.reserve(
        request,
        Bound {
            tokens: 0,
            model: None,
        },
    );
    reserved.map_err(|refusal| quotas.refused(&refusal))
}

/// Only a quota in tokens needs the provider to keep to a limit.
fn limit(quotas: &Arc<Quotas>, output: u64) -> Option<u64> {
    quotas.count_tokens().then_some(output)
}

fn about_tokens(refusal: &Refusal) -> bool {
    refusal.quota.unit == Unit::Tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_costs_a_flat_sum_and_not_its_bytes() {
        let payload = "A".repeat(100_000);
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[
                {{"type":"text","text":"What is this?"}},
                {{"type":"image_url","image_url":{{"url":"data:image/png;base64,{payload}"}}}}]}}]}}"#
        );
        let chat = chat::Request::parse(body.as_bytes()).expect("a request");
        let bound = by_bytes(&chat);
        assert!((ATTACHMENT..ATTACHMENT + 1000).contains(&bound), "{bound}");
    }
}
