//! What spans say of language models, in the words of OpenTelemetry's GenAI conventions; ours begin
//! with `weir.`. A CLIENT span tells the call as the provider got it; what callers wrote for the
//! model's name is `weir.model`.

use super::{name, number, seconds, text};
use crate::content::Content;
use crate::record::{Attempt, Llm, Record, Sampling, Target};
use opentelemetry::{Array, KeyValue, Value};

/// The name of the span of a call.
pub(super) fn span_name(llm: &Llm, target: &Target) -> String {
    format!("{} {}", llm.operation, target.model)
}

/// What any span of the call says: what its caller asked for.
pub(super) fn wanted(llm: &Llm) -> Vec<KeyValue> {
    vec![
        KeyValue::new("gen_ai.operation.name", llm.operation),
        name("weir.model", &llm.requested_model),
    ]
}

/// Whether the answer had been kept, where the route keeps any: said on the span of the request.
pub(super) fn cached(llm: &Llm) -> impl Iterator<Item = KeyValue> {
    let cache = llm
        .cache
        .map(|cache| KeyValue::new("weir.llm.cache", cache));
    let similarity = llm
        .similarity
        .map(|similarity| KeyValue::new("weir.llm.cache.similarity", similarity));
    cache.into_iter().chain(similarity)
}

/// What one target was asked.
pub(super) fn asked(llm: &Llm, target: &Target) -> Vec<KeyValue> {
    let mut attributes = wanted(llm);
    attributes.extend([
        text("gen_ai.provider.name", target.provider_name()),
        name("gen_ai.request.model", &target.model),
        name("weir.provider", &target.provider),
    ]);
    if llm.stream {
        attributes.push(KeyValue::new("gen_ai.request.stream", true));
    }
    if llm.choices != 1 {
        attributes.push(number("gen_ai.request.choice.count", llm.choices));
    }
    attributes.extend(
        llm.limit
            .map(|tokens| number("gen_ai.request.max_tokens", tokens)),
    );
    if let Some(sampling) = &llm.sampling {
        attributes.extend(sampled(sampling));
    }
    attributes
}

fn sampled(sampling: &Sampling) -> Vec<KeyValue> {
    let numbers = [
        ("gen_ai.request.temperature", sampling.temperature),
        ("gen_ai.request.top_p", sampling.top_p),
        // A double in the conventions.
        ("gen_ai.request.top_k", sampling.top_k.map(|k| k as f64)),
        (
            "gen_ai.request.frequency_penalty",
            sampling.frequency_penalty,
        ),
        ("gen_ai.request.presence_penalty", sampling.presence_penalty),
    ];
    let said = |(key, value): (&'static str, Option<f64>)| Some(KeyValue::new(key, value?));
    let mut attributes: Vec<KeyValue> = numbers.into_iter().filter_map(said).collect();
    attributes.extend(
        sampling
            .seed
            .map(|seed| KeyValue::new("gen_ai.request.seed", seed)),
    );
    if !sampling.stop.is_empty() {
        attributes.push(list("gen_ai.request.stop_sequences", &sampling.stop));
    }
    if sampling.json {
        attributes.push(KeyValue::new("gen_ai.output.type", "json"));
    }
    attributes
}

/// What the target that was asked last answered and used. Tokens are summed over spans: this may
/// stand on one span of a call only.
pub(super) fn answered(record: &Record, llm: &Llm) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    if let Some(id) = &llm.response_id {
        attributes.push(text("gen_ai.response.id", id));
    }
    if let Some(model) = &llm.response_model {
        attributes.push(text("gen_ai.response.model", model));
    }
    let reasons: Vec<String> = match &llm.finish_reasons[..] {
        [] => llm.finish_reason.iter().cloned().collect(),
        all => all.iter().map(|reason| (*reason).to_owned()).collect(),
    };
    if !reasons.is_empty() {
        attributes.push(list("gen_ai.response.finish_reasons", &reasons));
    }
    if let (Some(first), Some(attempt)) = (llm.first_chunk, record.attempts.last()) {
        let since = first.saturating_sub(attempt.started);
        attributes.push(seconds("gen_ai.response.time_to_first_chunk", since));
    }
    let tokens = &llm.tokens;
    for (key, tokens) in [
        ("gen_ai.usage.input_tokens", tokens.input),
        ("gen_ai.usage.output_tokens", tokens.output),
        ("gen_ai.usage.cache_read.input_tokens", tokens.cache_read),
        (
            "gen_ai.usage.cache_creation.input_tokens",
            tokens.cache_written,
        ),
        ("gen_ai.usage.reasoning.output_tokens", tokens.reasoning),
    ] {
        attributes.extend(tokens.map(|tokens| number(key, tokens)));
    }
    if tokens.input.or(tokens.output).is_some() {
        attributes.push(KeyValue::new("weir.llm.provenance", llm.provenance));
    }
    if let Some(nanos) = llm.cost {
        let dollars = nanos as f64 / 1e9;
        attributes.push(KeyValue::new("weir.llm.cost_dollars", dollars));
    }
    attributes
}

/// Which of several targets this attempt asked, where one was asked before.
pub(super) fn instead(llm: &Llm, index: usize, attempts: &[Attempt]) -> Vec<KeyValue> {
    let Some(before) = index.checked_sub(1).and_then(|at| llm.targets.get(at)) else {
        return Vec::new();
    };
    let mut attributes = vec![
        number("weir.llm.fallback.count", index as u64),
        name("weir.llm.fallback.from", &before.provider),
    ];
    // Somebody may have been asked in vain without an attempt: what could not be put in its words.
    let first = llm.targets[index].first_attempt;
    let failed = first.checked_sub(1).and_then(|last| attempts.get(last));
    if let Some(why) = failed.and_then(super::error_of) {
        attributes.push(text("weir.llm.fallback.reason", &why));
    }
    attributes
}

/// What was said, where that is to be seen.
pub(super) fn said(content: &Content) -> Vec<KeyValue> {
    let texts = [
        ("gen_ai.system_instructions", content.system_instructions()),
        ("gen_ai.input.messages", content.input_messages()),
        ("gen_ai.output.messages", content.output_messages()),
    ];
    let some = |(key, json): (&'static str, Option<String>)| Some(KeyValue::new(key, json?));
    let mut attributes: Vec<KeyValue> = texts.into_iter().filter_map(some).collect();
    if content.is_cut() {
        attributes.push(KeyValue::new("weir.llm.content.truncated", true));
    }
    attributes
}

fn list(key: &'static str, texts: &[String]) -> KeyValue {
    let texts = texts.iter().map(|text| text.clone().into()).collect();
    KeyValue::new(key, Value::Array(Array::String(texts)))
}
