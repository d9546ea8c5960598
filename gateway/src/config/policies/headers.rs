//! `headers`, checked.

use http::{HeaderName, HeaderValue};

use crate::config::check::{At, Checker};
use crate::config::raw::policies as raw;

/// Sets, adds and removes header fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// On the request, before the action.
    pub request: Edits,
    /// On the answer, before it is sent.
    pub response: Edits,
}

/// Changes to header fields: removed, then set, then added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// Removed.
    pub remove: Vec<HeaderName>,
    /// Replaced, or made if they are missing.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Added beside those of the same name.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

/// Fields that say where a message ends or which connection it is on.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields by which upstreams are told who calls.
const IDENTITY: &[&str] = &["weir-consumer", "weir-team"];

/// Checks `headers`.
pub(in crate::config) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Headers,
) -> Option<Config> {
    let request = check_edits(cx, &at.key("request"), &raw.request);
    let response = check_edits(cx, &at.key("response"), &raw.response);
    let config = Config { request, response };
    if raw_is_empty(&raw.request) && raw_is_empty(&raw.response) {
        cx.fault(
            at,
            "this changes nothing",
            "say what to set, add or remove, or leave the policy out",
        );
        return None;
    }
    Some(config)
}

fn raw_is_empty(raw: &raw::HeaderEdits) -> bool {
    raw.set.is_empty() && raw.add.is_empty() && raw.remove.is_empty()
}

fn check_edits(cx: &mut Checker<'_>, at: &At, raw: &raw::HeaderEdits) -> Edits {
    let mut edits = Edits::default();
    for (index, name) in raw.remove.iter().enumerate() {
        edits
            .remove
            .extend(check_name(cx, &at.key("remove").index(index), name));
    }
    for (key, from, to) in [
        ("set", &raw.set, &mut edits.set),
        ("add", &raw.add, &mut edits.add),
    ] {
        for (name, value) in from {
            to.extend(check_field(cx, &at.key(key).key(name), name, value));
        }
    }
    edits
}

/// Checks a field of a message that Weir writes.
pub(in crate::config) fn check_field(
    cx: &mut Checker<'_>,
    at: &At,
    name: &str,
    value: &str,
) -> Option<(HeaderName, HeaderValue)> {
    let name = check_name(cx, at, name)?;
    match HeaderValue::from_str(value) {
        Ok(value) => Some((name, value)),
        Err(_) => {
            cx.fault(
                at,
                "the value cannot be sent in a header",
                "leave out control characters",
            );
            None
        }
    }
}

fn check_name(cx: &mut Checker<'_>, at: &At, text: &str) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        cx.fault(
            at,
            format!("\"{text}\" is no header name"),
            "write it as x-request-source",
        );
        return None;
    };
    if FRAMING.contains(&name.as_str()) {
        let hint = if name == "host" {
            "use `rewrite.host` of `forward`"
        } else {
            "leave it out"
        };
        cx.fault(
            at,
            format!("\"{name}\" belongs to the connection, not to the message"),
            hint,
        );
        return None;
    }
    if IDENTITY.contains(&name.as_str()) {
        cx.fault(
            at,
            format!("\"{name}\" is set by Weir, from the consumer"),
            "leave it out",
        );
        return None;
    }
    Some(name)
}
