//! Where a route's requests go: upstreams by weight, and what changes on the way.

use std::sync::Arc;

use http::HeaderValue;

use super::actions::Around;
use super::matches::literal_path;
use crate::config::check::{At, Checker, Noun};
use crate::config::raw::routes as raw;
use crate::config::template::{Segment, Template};

/// Where requests go, and what changes on the way.
#[derive(Debug, Clone)]
pub struct Destination {
    /// At least one, of which at least one has a weight.
    pub backends: Vec<Backend>,
    /// A new path; the query is kept.
    pub path: Option<PathRewrite>,
    /// The Host sent.
    pub host: Option<HeaderValue>,
}

/// An upstream and its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// The upstream's name; it exists.
    pub upstream: Arc<str>,
    /// Its share of requests; 0 takes it out.
    pub weight: u32,
}

/// A new path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRewrite {
    /// Takes these leading segments away; without a slash at the end.
    StripPrefix(Arc<str>),
    /// This path instead.
    Replace(Arc<str>),
    /// A path made of captures; begins with a slash.
    Template(Template),
}

/// Checks where requests go, and what changes on the way.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    backends: &[raw::Backend],
    rewrite: Option<&raw::Rewrite>,
    around: &Around<'_>,
) -> Option<Destination> {
    let backends = check_backends(cx, &at.key("backends"), backends, around);
    let at = at.key("rewrite");
    let path = match rewrite.and_then(|rewrite| rewrite.path.as_ref()) {
        Some(path) => check_rewrite(cx, &at.key("path"), path, around).map(Some),
        None => Some(None),
    };
    let host = match rewrite.and_then(|rewrite| rewrite.host.as_ref()) {
        Some(host) => check_host(cx, &at.key("host"), host).map(Some),
        None => Some(None),
    };
    Some(Destination {
        backends,
        path: path?,
        host: host?,
    })
}

fn check_backends(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &[raw::Backend],
    around: &Around<'_>,
) -> Vec<Backend> {
    let mut backends: Vec<Backend> = Vec::new();
    for (index, backend) in raw.iter().enumerate() {
        let at = at.index(index).key("upstream");
        let name = &backend.upstream.0;
        let Some(upstream) = cx.resolve(&at, Noun::Upstream, name, around.owner()) else {
            continue;
        };
        if backends.iter().any(|other| other.upstream == upstream) {
            cx.fault(
                &at,
                "this upstream is given twice",
                "give it once, with a larger weight",
            );
        }
        backends.push(Backend {
            upstream,
            weight: backend.weight,
        });
    }
    if !raw.is_empty() && raw.iter().all(|backend| backend.weight == 0) {
        cx.fault(
            at,
            "every weight is 0, so none would be called",
            "give at least one a weight",
        );
    }
    backends
}

/// The Host sent instead of the caller's.
fn check_host(cx: &mut Checker<'_>, at: &At, text: &str) -> Option<HeaderValue> {
    let authority = text.parse::<http::uri::Authority>().ok();
    if authority.is_none_or(|authority| authority.as_str().contains('@')) {
        let hint = "write it as orders.internal or orders.internal:8080";
        cx.fault(at, format!("\"{text}\" is no host"), hint);
        return None;
    }
    HeaderValue::from_str(text).ok()
}

fn check_rewrite(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::PathRewrite,
    around: &Around<'_>,
) -> Option<PathRewrite> {
    let mut literal = |key: &str, text: &str| match literal_path(text) {
        Ok(path) => Some(path.to_owned()),
        Err((message, hint)) => {
            cx.fault(&at.key(key), message, hint);
            None
        }
    };
    match (&raw.strip_prefix, &raw.replace, &raw.template) {
        (Some(text), None, None) => {
            let path = literal("strip_prefix", text)?;
            let prefix = path.trim_end_matches('/');
            let mut known = around.paths.iter().flatten();
            if known.any(|path| !path.is_below(prefix)) {
                let message =
                    format!("the route also matches paths that do not begin with \"{text}\"");
                cx.fault(
                    &at.key("strip_prefix"),
                    message,
                    "match only paths below it",
                );
                return None;
            }
            Some(PathRewrite::StripPrefix(prefix.into()))
        }
        (None, Some(text), None) => Some(PathRewrite::Replace(literal("replace", text)?.into())),
        (None, None, Some(text)) => {
            let at = at.key("template");
            let template = cx.template(&at, text)?;
            if !matches!(template.segments().first(), Some(Segment::Literal(start)) if start.starts_with('/'))
            {
                cx.fault(&at, format!("\"{text}\" is no path"), "begin it with \"/\"");
                return None;
            }
            cx.captured(&at, &template, &around.captured())
                .then_some(PathRewrite::Template(template))
        }
        _ => {
            cx.fault(
                at,
                "a path is rewritten in exactly one way",
                "give one of strip_prefix, replace and template",
            );
            None
        }
    }
}
