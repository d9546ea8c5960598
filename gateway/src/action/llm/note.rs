//! What a call used, written down where it is settled, recorded and learned from.

use weir_protocols::openai::usage;

use super::spend;
use crate::policy::quota::Usage;
use crate::proxy::Request;
use crate::quota::Provenance;

/// The provider said what was used.
pub(super) fn told(request: &mut Request, usage: &usage::Usage) {
    let spent = spend::told(request.price.as_ref(), usage);
    note(request, spent, usage.prompt_tokens, usage.completion_tokens);
}

/// It was counted here.
pub(super) fn counted(request: &mut Request, prompt: u64, output: u64) {
    spent(request, prompt, output, Provenance::Counted);
}

/// Nobody said: no token is shorter than a byte, so that this is never too little.
pub(super) fn estimated(request: &mut Request, prompt: u64, output: u64) {
    spent(request, prompt, output, Provenance::Estimated);
}

fn spent(request: &mut Request, prompt: u64, output: u64, provenance: Provenance) {
    let spent = spend::of(request.price.as_ref(), prompt, output, provenance);
    note(request, spent, prompt, output);
}

fn note(request: &mut Request, spent: Usage, prompt: u64, output: u64) {
    request.usage = Some(spent);
    if let Some(llm) = &mut request.record.llm {
        llm.prompt_tokens = Some(prompt);
        llm.completion_tokens = Some(output);
        llm.provenance = match spent.provenance {
            Provenance::Provider => "provider",
            Provenance::Counted => "counted",
            Provenance::Estimated => "estimated",
        };
    }
}

/// Notes why the model stopped, unless that is known: `reason` is not asked for then.
pub(super) fn stopped<'a>(request: &mut Request, reason: impl FnOnce() -> Option<&'a str>) {
    if let Some(llm) = &mut request.record.llm
        && llm.finish_reason.is_none()
    {
        llm.finish_reason = reason().map(str::to_owned);
    }
}

/// Whether an answer that ended for this reason is as long as the model wanted it.
pub(super) fn is_whole(reason: &str) -> bool {
    matches!(reason, "stop" | "tool_calls" | "function_call")
}

/// Learns how long an answer was that ended by itself, each of its `choices`.
pub(super) fn learn(request: &Request, choices: u64) {
    let Some(llm) = &request.record.llm else {
        return;
    };
    if let Some(tokens) = llm
        .completion_tokens
        .filter(|_| llm.provenance != "estimated")
    {
        let consumer = request.consumer.as_ref().map(|consumer| &consumer.name);
        let each = tokens.div_ceil(choices);
        request
            .gateway
            .learned
            .learn(consumer, &llm.requested_model, each);
    }
}
