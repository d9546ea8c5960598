//! `key_auth`, checked.

use std::sync::Arc;

use http::HeaderName;

use crate::config::check::{At, Checker, Noun};
use crate::config::fault::suggest;
use crate::config::raw::policies as raw;

/// Lets in who presents a key of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the key is looked for, in this order; at least one.
    pub sources: Vec<Source>,
    /// Whether the key is taken out of what upstreams see.
    pub hide: bool,
    /// Who may pass. `None` lets every consumer in.
    pub allow: Option<Allow>,
}

/// Who may pass: a consumer named, or one in a group named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Consumers; they exist.
    pub consumers: Vec<Arc<str>>,
    /// Groups; each has a consumer.
    pub groups: Vec<Arc<str>>,
}

/// Where a key is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A header field that holds the key alone.
    Header(HeaderName),
    /// A parameter of the query.
    Query(Arc<str>),
    /// A subprotocol that a WebSocket is asked for with.
    Subprotocol,
}

/// Checks `key_auth`. `groups` are those that consumers are in.
pub(in crate::config) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::KeyAuth,
    team: Option<&Arc<str>>,
    groups: &[Arc<str>],
) -> Option<Config> {
    let mut sources = Vec::new();
    for (index, source) in raw.sources.iter().enumerate() {
        let at = at.key("sources").index(index);
        let Some(source) = check_source(cx, &at, source) else {
            continue;
        };
        if sources.contains(&source) {
            cx.fault(&at, "this is given twice", "leave one out");
        }
        sources.push(source);
    }
    let mut allow = Allow {
        consumers: Vec::new(),
        groups: Vec::new(),
    };
    for (index, name) in raw.consumers.iter().enumerate() {
        let at = at.key("consumers").index(index);
        allow
            .consumers
            .extend(cx.resolve(&at, Noun::Consumer, &name.0, team));
    }
    for (index, name) in raw.groups.iter().enumerate() {
        match groups.iter().find(|group| ***group == *name.0) {
            Some(group) => allow.groups.push(group.clone()),
            None => {
                let hint = suggest(&name.0, groups.iter().map(|group| &**group));
                let at = at.key("groups").index(index);
                cx.fault(
                    &at,
                    format!("no consumer is in a group \"{}\"", name.0),
                    hint,
                );
            }
        }
    }
    let open = raw.consumers.is_empty() && raw.groups.is_empty();
    Some(Config {
        sources,
        hide: raw.hide,
        allow: (!open).then_some(allow),
    })
}

fn check_source(cx: &mut Checker<'_>, at: &At, raw: &raw::KeySource) -> Option<Source> {
    match raw {
        raw::KeySource::Bearer => Some(Source::Bearer),
        raw::KeySource::Subprotocol => Some(Source::Subprotocol),
        raw::KeySource::Header { name } => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Some(Source::Header(name)),
            Err(_) => {
                cx.fault(
                    &at.key("name"),
                    format!("\"{name}\" is no header name"),
                    "write it as x-api-key",
                );
                None
            }
        },
        raw::KeySource::Query { name } if name.is_empty() => {
            cx.fault(&at.key("name"), "this is empty", "write it as api_key");
            None
        }
        raw::KeySource::Query { name } => Some(Source::Query(name.as_str().into())),
    }
}
