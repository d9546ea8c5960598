//! Messages added to a call, and members taken out of one, at byte ranges.
//!
//! A body that is not what its dialect says stays as it is: its reader refuses it.

use std::ops::Range;

use bytes::Bytes;

use super::{Dialect, Role, apply, escape};
use crate::json::{is_string, pick, range_in};

/// Where a message is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before everything of its kind.
    Start,
    /// After everything of its kind.
    End,
}

/// Adds a text to a call: to its instructions if the `role` is [`Role::System`], else as a turn of
/// its own. Instructions of a chat are messages too; embeddings and
/// JSON of the caller's own have neither.
pub fn insert(body: &Bytes, dialect: Dialect, at: At, role: Role, text: &str) -> Bytes {
    let edit = std::str::from_utf8(body).ok().and_then(|body| {
        let edit = match role {
            _ if matches!(dialect, Dialect::Embeddings | Dialect::Made) => None,
            Role::System if dialect != Dialect::Chat => instruct(body, dialect, at, text),
            _ => turn(body, dialect, at, role, text),
        };
        Some(apply(body, vec![edit?]))
    });
    edit.map_or_else(|| body.clone(), Bytes::from)
}

type Edited = Option<(Range<usize>, String)>;

fn turn(body: &str, dialect: Dialect, at: At, role: Role, text: &str) -> Edited {
    let string = escape::string(text);
    let word = match (role, dialect) {
        (Role::System, _) => "system",
        (Role::Assistant, Dialect::Gemini) => "model",
        (Role::Assistant, _) => "assistant",
        (Role::User | Role::Tool, _) => "user",
    };
    let turn = match dialect {
        Dialect::Gemini => format!(r#"{{"role":"{word}","parts":[{{"text":{string}}}]}}"#),
        _ => format!(r#"{{"role":"{word}","content":{string}}}"#),
    };
    let key = match dialect {
        Dialect::Chat | Dialect::Messages => "messages",
        Dialect::Responses => "input",
        Dialect::Gemini => "contents",
        Dialect::Embeddings | Dialect::Made => return None,
    };
    let [turns] = pick(body.trim_ascii(), [key])?;
    match turns {
        Some(turns) if is_string(turns) => {
            let said = format!(r#"{{"role":"user","content":{turns}}}"#);
            let both = match at {
                At::Start => format!("[{turn},{said}]"),
                At::End => format!("[{said},{turn}]"),
            };
            Some((range_in(body, turns), both))
        }
        Some(turns) if turns.starts_with('[') => Some(element(body, turns, at, &turn)),
        Some("null") | None => member(body, turns, key, &format!("[{turn}]")),
        Some(_) => None,
    }
}

fn instruct(body: &str, dialect: Dialect, at: At, text: &str) -> Edited {
    let key = match dialect {
        Dialect::Responses => "instructions",
        Dialect::Gemini => "systemInstruction",
        _ => "system",
    };
    let [found, other] = pick(body.trim_ascii(), [key, "system_instruction"])?;
    let found = match dialect {
        Dialect::Gemini => found.or(other),
        _ => found,
    };
    let part = match dialect {
        Dialect::Gemini => format!(r#"{{"text":{}}}"#, escape::string(text)),
        _ => format!(r#"{{"type":"text","text":{}}}"#, escape::string(text)),
    };
    match found {
        Some("null") | None => {
            let value = match dialect {
                Dialect::Gemini => format!(r#"{{"parts":[{part}]}}"#),
                _ => escape::string(text),
            };
            member(body, found, key, &value)
        }
        Some(value) if is_string(value) => {
            let said = escape::text(&value[1..value.len() - 1]);
            let both = match at {
                At::Start => format!("{text}\n\n{said}"),
                At::End => format!("{said}\n\n{text}"),
            };
            Some((range_in(body, value), escape::string(&both)))
        }
        Some(value) if value.starts_with('[') => Some(element(body, value, at, &part)),
        Some(value) => {
            let [parts] = pick(value, ["parts"])?;
            let parts = parts.filter(|parts| parts.starts_with('['))?;
            Some(element(body, parts, at, &part))
        }
    }
}

/// One more element of an array.
fn element(body: &str, array: &str, at: At, json: &str) -> (Range<usize>, String) {
    let range = range_in(body, array);
    let is_empty = array[1..array.len() - 1].trim_ascii().is_empty();
    let (place, json) = match at {
        _ if is_empty => (range.start + 1, json.to_owned()),
        At::Start => (range.start + 1, format!("{json},")),
        At::End => (range.end - 1, format!(",{json}")),
    };
    (place..place, json)
}

/// A member of the body, which has none of that key or `null`.
fn member(body: &str, null: Option<&str>, key: &str, json: &str) -> Edited {
    if let Some(null) = null {
        return Some((range_in(body, null), json.to_owned()));
    }
    let object = body.trim_ascii();
    let at = range_in(body, object).start + 1;
    let is_empty = object[1..].trim_ascii_start().starts_with('}');
    let comma = if is_empty { "" } else { "," };
    Some((at..at, format!("{}:{json}{comma}", escape::string(key))))
}

/// The member `key` of a body, as JSON, and the body without it. `None` if it has none; `key` is
/// written without escapes.
pub fn take(body: &Bytes, key: &str) -> Option<(String, Bytes)> {
    let text = std::str::from_utf8(body).ok()?;
    let object = text.trim_ascii();
    let [value] = pick(object, [key])?;
    let value = value?;
    let at = range_in(text, value);
    let before = text[..at.start].trim_ascii_end().strip_suffix(':')?;
    // Written with escapes it is another's: nobody would read it twice.
    let before = before
        .trim_ascii_end()
        .strip_suffix(&*escape::string(key))?;
    let before = before.trim_ascii_end();
    let rest = &text[at.end..];
    let (start, end) = match rest.trim_ascii_start().strip_prefix(',') {
        Some(rest) => (before.len(), text.len() - rest.len()),
        None => (before.strip_suffix(',').unwrap_or(before).len(), at.end),
    };
    let without = format!("{}{}", &text[..start], &text[end..]);
    Some((value.to_owned(), without.into()))
}
