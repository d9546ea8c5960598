//! What a provider says was used.
//! Reads answers; knows no price and no quota.

use std::sync::LazyLock;

use memchr::memmem::{Finder, FinderRev};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Tokens used, as the provider reports them. An explicit zero is a value;
/// a missing number is not made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub completion_tokens: u64,
    /// The provider's total or, where it gives none, the sum.
    pub total_tokens: u64,
    /// Prompt tokens served from the provider's cache, if it says.
    pub cached_tokens: Option<u64>,
    /// Answer tokens spent on reasoning, if it says.
    pub reasoning_tokens: Option<u64>,
}

/// Usage found in a chunk of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkUsage {
    /// The usage so far.
    pub usage: Usage,
    /// Whether the chunk is nothing but the usage report that
    /// `include_usage` asks for: its `choices` are empty. To callers who did
    /// not ask, it is hidden.
    pub only: bool,
}

/// The `usage` of a whole answer. `None` if there is none, or it lacks prompt
/// or completion tokens.
///
/// Providers write it near the end, where it is found without parsing what
/// stands before it, and whether that is JSON is not looked at; where it stands
/// elsewhere the whole answer is parsed, and is `None` if it is not JSON.
pub fn from_completion(body: &[u8]) -> Option<Usage> {
    if let Some(usage) = outermost_at_end(body) {
        return read(usage);
    }
    let answer: Answer<'_> = object(body)?;
    read(answer.usage?)
}

/// The `usage` of one chunk of a streamed answer, given the event's data.
///
/// Chunks without usage, `"usage":null` included, cost one scan for the key;
/// only others are parsed.
pub fn from_chunk(data: &[u8]) -> Option<ChunkUsage> {
    if !may_hold_usage(data) {
        return None;
    }
    let answer: Answer<'_> = object(data)?;
    let usage = read(answer.usage?)?;
    // An absent list is no empty list: such a chunk is not OpenAI's report.
    let only = answer.choices.is_some_and(|choices| {
        let inner = choices.get().as_bytes();
        inner.starts_with(b"[") && inner[1..].trim_ascii_start().starts_with(b"]")
    });
    Some(ChunkUsage { usage, only })
}

/// Whether an event's data is the `[DONE]` that ends a stream.
pub fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// The value of `usage` where, of the document, nothing but members of the
/// same object follows: then that object is the outermost.
///
/// Inside a JSON string every quote is escaped, so a key in quotes that follows
/// no backslash is a key. The document is taken to be JSON up to there.
fn outermost_at_end(body: &[u8]) -> Option<&RawValue> {
    static KEY: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(b"\"usage\""));
    let at = KEY.rfind(body)?;
    if at > 0 && body[at - 1] == b'\\' {
        return None;
    }
    let value = body[at + KEY.needle().len()..]
        .trim_ascii_start()
        .strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<&RawValue>();
    let usage = values.next()?.ok()?;
    let rest = value[values.byte_offset()..].trim_ascii_start();
    match rest {
        [b'}', end @ ..] => end.trim_ascii_start().is_empty().then_some(usage),
        [b',', ..] => closes_document(&rest[1..]).then_some(usage),
        _ => None,
    }
}

/// Whether `members` are the rest of the outermost object, and of the document.
fn closes_document(members: &[u8]) -> bool {
    let document: Vec<u8> = [b"{", members].concat();
    serde_json::from_slice::<Members>(&document).is_ok()
}

/// An object nobody reads.
#[derive(Deserialize)]
struct Members {}

/// Whether the key `usage` stands anywhere with a value other than `null`.
/// A key written with escapes is missed; no provider writes one.
fn may_hold_usage(data: &[u8]) -> bool {
    static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));
    KEY.find_iter(data).any(|at| {
        let after = data[at + KEY.needle().len()..].trim_ascii_start();
        after
            .strip_prefix(b":")
            .is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
    })
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
}

/// Reads an object. Left to itself, serde takes an array for one as well, its
/// elements for the members in the order they are declared in.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let is_object = json.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(json).ok())?
}

fn read(raw: &RawValue) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Report<'a> {
        prompt_tokens: u64,
        completion_tokens: u64,
        #[serde(borrow)]
        total_tokens: Option<&'a RawValue>,
        #[serde(borrow)]
        prompt_tokens_details: Option<&'a RawValue>,
        #[serde(borrow)]
        completion_tokens_details: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Details {
        cached_tokens: Option<u64>,
        reasoning_tokens: Option<u64>,
    }
    // Details and total are extras: a provider's odd idea of them must not
    // cost the two numbers that are billed.
    let details = |raw: Option<&RawValue>| -> Option<Details> { object(raw?.get().as_bytes()) };
    let report: Report<'_> = object(raw.get().as_bytes())?;
    Some(Usage {
        prompt_tokens: report.prompt_tokens,
        completion_tokens: report.completion_tokens,
        total_tokens: report
            .total_tokens
            .and_then(|total| total.get().parse().ok())
            .unwrap_or_else(|| {
                report
                    .prompt_tokens
                    .saturating_add(report.completion_tokens)
            }),
        cached_tokens: details(report.prompt_tokens_details)
            .and_then(|details| details.cached_tokens),
        reasoning_tokens: details(report.completion_tokens_details)
            .and_then(|details| details.reasoning_tokens),
    })
}

#[cfg(test)]
mod tests;
