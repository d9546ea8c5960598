//! How the answer is to be: `GenerationConfig`, read. What only Gemini knows of it is told by name,
//! as `generationConfig.mediaResolution`.

use std::borrow::Cow;

use crate::gemini::member::{either, exclusive};
use crate::gemini::schema;
use crate::json::{Fault, Kind, Value};
use crate::llm::{Effort, Format, Reasoning, Request, Sampling};

/// Reads `generationConfig` into `request`.
///
/// # Errors
/// If a member is not what it must be, two exclude each other, or anything but text is asked for.
pub(super) fn read<'a>(config: Value<'a, '_>, request: &mut Request<'a>) -> Result<(), Fault> {
    limits(config, request)?;
    request.sampling = sampling(config)?;
    request.format = format(config)?;
    request.logprobs = logprobs(config)?;
    let [thinking, thinking_, modalities, modalities_] = config.pick([
        "thinkingConfig",
        "thinking_config",
        "responseModalities",
        "response_modalities",
    ])?;
    if let Some(thinking) = either(thinking, thinking_)? {
        request.reasoning = reasoning(thinking)?;
    }
    if let Some(modalities) = either(modalities, modalities_)? {
        modalities.elements(&mut |value| match &*value.text()? {
            "TEXT" | "MODALITY_UNSPECIFIED" => Ok(()),
            _ => Err(value.unknown_word("ask for TEXT; others are only passed through, to Gemini")),
        })?;
    }
    unknown(config, &mut request.unknown)
}

/// Every name that a function of this module reads.
const KNOWN: [&str; 29] = [
    "candidateCount",
    "candidate_count",
    "frequencyPenalty",
    "frequency_penalty",
    "logprobs",
    "maxOutputTokens",
    "max_output_tokens",
    "presencePenalty",
    "presence_penalty",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "response_json_schema",
    "response_logprobs",
    "response_mime_type",
    "response_modalities",
    "response_schema",
    "seed",
    "stopSequences",
    "stop_sequences",
    "temperature",
    "thinkingConfig",
    "thinking_config",
    "topK",
    "topP",
    "top_k",
    "top_p",
];

fn unknown(config: Value<'_, '_>, names: &mut Vec<String>) -> Result<(), Fault> {
    let [] = config.members([], &mut |name| {
        if !KNOWN.contains(&name) {
            names.push(format!("generationConfig.{name}"));
        }
    })?;
    Ok(())
}

fn limits<'a>(config: Value<'a, '_>, request: &mut Request<'a>) -> Result<(), Fault> {
    let [limit, limit_, count, count_, stop, stop_] = config.pick([
        "maxOutputTokens",
        "max_output_tokens",
        "candidateCount",
        "candidate_count",
        "stopSequences",
        "stop_sequences",
    ])?;
    request.limit = either(limit, limit_)?
        .map(|value| value.whole())
        .transpose()?;
    if let Some(count) = either(count, count_)? {
        request.choices = count.whole()?;
        if request.choices == 0 {
            return Err(count.fault(Kind::OutOfRange, "no candidate is asked for", "ask for one"));
        }
    }
    if let Some(stop) = either(stop, stop_)? {
        stop.elements(&mut |text| {
            request.stop.push(text.text()?);
            Ok(())
        })?;
    }
    Ok(())
}

fn sampling<'a>(config: Value<'a, '_>) -> Result<Sampling<'a>, Fault> {
    let [temperature, seed, top_p, top_p_, top_k, top_k_] =
        config.pick(["temperature", "seed", "topP", "top_p", "topK", "top_k"])?;
    let [frequency, frequency_, presence, presence_] = config.pick([
        "frequencyPenalty",
        "frequency_penalty",
        "presencePenalty",
        "presence_penalty",
    ])?;
    let number = |value: Option<Value<'_, '_>>| value.map(|value| value.number()).transpose();
    Ok(Sampling {
        temperature: number(temperature)?,
        top_p: number(either(top_p, top_p_)?)?,
        top_k: either(top_k, top_k_)?.map(top_k_of).transpose()?,
        frequency_penalty: number(either(frequency, frequency_)?)?,
        presence_penalty: number(either(presence, presence_)?)?,
        seed: seed.map(|seed| seed.integer()).transpose()?,
        logit_bias: None,
    })
}

/// Google's Python library has `topK` as a fraction, so that 40 arrives as `40.0`.
fn top_k_of(value: Value<'_, '_>) -> Result<u64, Fault> {
    let Some(whole) = value.raw().strip_suffix(".0") else {
        return value.whole();
    };
    let is_whole = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    match whole.parse() {
        Ok(number) if is_whole => Ok(number),
        _ => value.whole(),
    }
}

fn format<'a>(config: Value<'a, '_>) -> Result<Format<'a>, Fault> {
    let [kind, kind_, own, own_, json, json_] = config.pick([
        "responseMimeType",
        "response_mime_type",
        "responseSchema",
        "response_schema",
        "responseJsonSchema",
        "response_json_schema",
    ])?;
    let (kind, own, json) = (
        either(kind, kind_)?,
        either(own, own_)?,
        either(json, json_)?,
    );
    exclusive(own, json, "send responseSchema or responseJsonSchema")?;
    let word = kind.map_or(Ok(Cow::Borrowed("")), |kind| kind.text())?;
    let is_json = match (&*word, kind) {
        ("application/json", _) => true,
        ("" | "text/plain", _) => false,
        (_, kind) => {
            let at = kind.unwrap_or(config);
            return Err(at.unknown_word("say text/plain or application/json"));
        }
    };
    let schema = match (own, json) {
        (Some(own), _) => schema::read(&own)?,
        (None, Some(json)) => json.json_object()?,
        (None, None) if is_json => return Ok(Format::Json),
        (None, None) => return Ok(Format::Text),
    };
    if !is_json {
        return Err(config.fault(
            Kind::Conflict,
            "a schema stands beside a type that is not JSON",
            "set responseMimeType to application/json",
        ));
    }
    Ok(Format::Schema {
        name: None,
        description: None,
        schema,
        strict: None,
    })
}

fn logprobs(config: Value<'_, '_>) -> Result<Option<u64>, Fault> {
    let [wanted, wanted_, others] =
        config.pick(["responseLogprobs", "response_logprobs", "logprobs"])?;
    let wanted = either(wanted, wanted_)?.map_or(Ok(false), |value| value.boolean())?;
    let count = others.map(|others| others.whole()).transpose()?;
    match (wanted, count, others) {
        (true, count, _) => Ok(Some(count.unwrap_or(0))),
        (false, Some(_), Some(others)) => Err(others.fault(
            Kind::Conflict,
            "logprobs stands without responseLogprobs",
            "set responseLogprobs to true, or leave logprobs out",
        )),
        _ => Ok(None),
    }
}

/// Reads `thinkingConfig`. Whether thoughts are shown is not asked: they are, where there are any.
fn reasoning(value: Value<'_, '_>) -> Result<Option<Reasoning>, Fault> {
    let [budget, budget_, level, level_] = value.pick([
        "thinkingBudget",
        "thinking_budget",
        "thinkingLevel",
        "thinking_level",
    ])?;
    let (budget, level) = (either(budget, budget_)?, either(level, level_)?);
    exclusive(budget, level, "send thinkingLevel or thinkingBudget")?;
    if let Some(budget) = budget {
        return match budget.integer()? {
            0 => Ok(Some(Reasoning::Off)),
            -1 => Ok(Some(Reasoning::Adaptive)),
            tokens => match u64::try_from(tokens) {
                Ok(tokens) => Ok(Some(Reasoning::Budget(tokens))),
                Err(_) => Err(budget.fault(
                    Kind::OutOfRange,
                    "the budget is negative",
                    "send a number of tokens, 0 for none or -1 for as many as fit",
                )),
            },
        };
    }
    let Some(level) = level else { return Ok(None) };
    let effort = match level.text()?.to_ascii_uppercase().as_str() {
        "THINKING_LEVEL_UNSPECIFIED" => return Ok(None),
        "MINIMAL" => Effort::Minimal,
        "LOW" => Effort::Low,
        "MEDIUM" => Effort::Medium,
        "HIGH" => Effort::High,
        "XHIGH" => Effort::Max,
        _ => return Err(level.unknown_word("say MINIMAL, LOW, MEDIUM or HIGH")),
    };
    Ok(Some(Reasoning::Effort(effort)))
}
