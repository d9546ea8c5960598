//! What a provider says was used.
//! Reads answers; knows no price and no quota.

mod report;

use std::sync::LazyLock;

use memchr::memmem::{Finder, FinderRev};

use self::report::Report;
use crate::json;

pub use crate::llm::Usage;

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
    if let Some(Report(usage)) = outermost_at_end(body) {
        return usage;
    }
    let [usage] = json::pick(std::str::from_utf8(body).ok()?, ["usage"])?;
    read(usage?)
}

/// The `usage` of one chunk of a streamed answer, given the event's data.
///
/// Chunks without usage, `"usage":null` included, cost one scan for the key;
/// only others are parsed.
pub fn from_chunk(data: &[u8]) -> Option<ChunkUsage> {
    if !may_hold_usage(data) {
        return None;
    }
    let data = std::str::from_utf8(data).ok()?;
    let [usage, choices] = json::pick(data, ["usage", "choices"])?;
    let usage = read(usage?)?;
    // An absent list is no empty list: such a chunk is not OpenAI's report.
    let only = choices.is_some_and(|choices| {
        let list = choices.strip_prefix('[').map(str::trim_ascii_start);
        list.is_some_and(|list| list.starts_with(']'))
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
fn outermost_at_end(body: &[u8]) -> Option<Report> {
    static KEY: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(b"\"usage\""));
    let at = KEY.rfind(body)?;
    if at > 0 && body[at - 1] == b'\\' {
        return None;
    }
    let after = std::str::from_utf8(&body[at + KEY.needle().len()..]).ok()?;
    let value = after.trim_ascii_start().strip_prefix(':')?;
    let mut values = serde_json::Deserializer::from_str(value).into_iter::<Report>();
    let usage = values.next()?.ok()?;
    let rest = value[values.byte_offset()..].trim_ascii_start();
    match rest.split_at_checked(1)? {
        ("}", end) => end.trim_ascii_start().is_empty().then_some(usage),
        // The rest of the outermost object, and of the document.
        (",", members) => json::pick(&format!("{{{members}"), []).map(|[]| usage),
        _ => None,
    }
}

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

/// The value of `usage`.
pub(super) fn read(report: &str) -> Option<Usage> {
    serde_json::from_str::<Report>(report).ok()?.0
}

#[cfg(test)]
mod tests;
