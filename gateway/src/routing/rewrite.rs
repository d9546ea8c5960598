//! The path a request has upstream, made from the path it came with.
//!
//! Knows normal paths and captures; knows nothing of routes. Every path it gives is in normal form
//! if the one it got is, so an upstream never sees a dot segment that the gateway did not.

use std::borrow::Cow;

use super::captures::Captures;
use super::normal::{merge_slashes, normalise};
use super::rule::{Fault, PathPattern};
use super::template::{self, Segment};

/// What to make of a path. Make one with the constructors, which bring what is written into normal
/// form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PathRewrite {
    /// Leave it.
    #[default]
    None,
    /// Take a prefix off, by whole segments.
    StripPrefix(String),
    /// Write it anew.
    Template(Template),
}

/// A new path with captures in it: `/internal/{topic}/events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(template::Template);

impl PathRewrite {
    /// Takes `prefix` off: with `/orders`, `/orders/7` becomes `/7` and `/orders` becomes `/`.
    pub fn strip(prefix: &str) -> Result<Self, Fault> {
        Ok(Self::StripPrefix(normal(prefix)?))
    }

    /// Writes the path anew. A capture is a whole segment, `{name}`, and must be captured by each
    /// of `patterns`, the paths that the rewrite is for.
    pub fn template(text: &str, patterns: &[PathPattern]) -> Result<Self, Fault> {
        let template = template::Template::pieces(text)?;
        for pattern in patterns {
            let captured = pattern.captures()?;
            if let Some(name) = template.names.iter().find(|name| !captured.contains(name)) {
                return Err(Fault::CaptureUnknown {
                    name: name.to_string(),
                    pattern: pattern.as_str().to_owned(),
                });
            }
        }
        Ok(Self::Template(Template(template)))
    }

    /// The new target for `target`, a normal path with its query, if any; the query is kept as it
    /// is. A path that is not under the prefix is left alone. Captures go in as they were in the
    /// path, so that an encoded slash stays one.
    pub fn apply<'t>(&self, target: &'t str, captures: &Captures) -> Cow<'t, str> {
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let mut new = match self {
            Self::None => return Cow::Borrowed(target),
            Self::StripPrefix(from) => match strip(path, from) {
                Some(rest) => replaced("", rest),
                None => return Cow::Borrowed(target),
            },
            Self::Template(template) => template.apply(captures),
        };
        new.push_str(query);
        Cow::Owned(new)
    }
}

impl Template {
    fn apply(&self, captures: &Captures) -> String {
        let mut path = String::new();
        let mut names = self.0.names.iter();
        for segment in &self.0.segments {
            path.push('/');
            path.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::Capture | Segment::CatchAll => names
                    .next()
                    .and_then(|name| captures.raw(name))
                    .unwrap_or_default(),
            });
        }
        path
    }
}

fn normal(path: &str) -> Result<String, Fault> {
    normalise(path)
        .map(|path| merge_slashes(&path).into_owned())
        .map_err(Fault::Path)
}

/// What follows `prefix` in `path`: nothing, or something that begins with a slash. Slashes in a
/// row count as one, as they do when rules are matched.
fn strip<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let mut rest = path;
    for segment in prefix.split('/').filter(|segment| !segment.is_empty()) {
        rest = rest.trim_start_matches('/').strip_prefix(segment)?;
        if !(rest.is_empty() || rest.starts_with('/')) {
            return None;
        }
    }
    Some(rest)
}

fn replaced(prefix: &str, rest: &str) -> String {
    if !prefix.is_empty() {
        return [prefix, rest].concat();
    }
    // A path that begins with two slashes can be taken for an authority.
    ["/", rest.trim_start_matches('/')].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::normal::Refused;
    use super::*;

    fn apply(rewrite: &PathRewrite, target: &str) -> String {
        rewrite.apply(target, &Captures::default()).into_owned()
    }

    #[test]
    fn none_borrows() {
        assert!(matches!(
            PathRewrite::None.apply("/a?b", &Captures::default()),
            Cow::Borrowed("/a?b")
        ));
    }

    #[test]
    fn a_prefix_is_stripped_by_whole_segments() {
        for prefix in ["/orders", "/orders/", "//orders"] {
            let strip = PathRewrite::strip(prefix).unwrap();
            assert_eq!(apply(&strip, "/orders/7?x=/orders"), "/7?x=/orders");
            assert_eq!(apply(&strip, "/orders"), "/");
            assert_eq!(apply(&strip, "/orders/"), "/");
            assert_eq!(apply(&strip, "/orders?"), "/?");
            assert_eq!(apply(&strip, "/ordersX"), "/ordersX");
            assert_eq!(apply(&strip, "/x/orders"), "/x/orders");
        }
        assert_eq!(apply(&PathRewrite::strip("/").unwrap(), "/a/b"), "/a/b");
    }

    #[test]
    fn doubled_slashes_hide_no_prefix_and_make_no_authority() {
        let strip = PathRewrite::strip("/a/b").unwrap();
        assert_eq!(apply(&strip, "//a//b/c//d"), "/c//d");
        assert_eq!(apply(&strip, "/a/b//evil.example/x"), "/evil.example/x");
        assert_eq!(
            apply(&PathRewrite::strip("/").unwrap(), "//evil.example"),
            "/evil.example"
        );
    }

    #[test]
    fn a_template_takes_captures_as_they_were() {
        let pattern = PathPattern::Template("/events/{topic}/{*rest}".into());
        let rewrite = PathRewrite::template("/t/{topic}/all/{rest}/{topic}/", &[pattern]).unwrap();
        let names: [Arc<str>; 2] = ["topic".into(), "rest".into()];
        let captures = Captures::new(&names, ["a%2Fb", "c/d"].into_iter()).unwrap();
        assert_eq!(
            rewrite.apply("/events/a%2Fb/c/d?q={topic}", &captures),
            "/t/a%2Fb/all/c/d/a%2Fb/?q={topic}"
        );
        assert_eq!(
            apply(&PathRewrite::template("/", &[]).unwrap(), "/a?b"),
            "/?b"
        );
    }

    #[test]
    fn faults_are_found_when_it_is_made() {
        let patterns = [
            PathPattern::Template("/{a}".into()),
            PathPattern::Prefix("/x".into()),
        ];
        assert_eq!(
            PathRewrite::template("/y/{a}", &patterns),
            Err(Fault::CaptureUnknown {
                name: "a".into(),
                pattern: "/x".into()
            })
        );
        assert_eq!(
            PathRewrite::template("/v{a}", &patterns[..1]),
            Err(Fault::PartialCapture("v{a}".into()))
        );
        assert_eq!(
            PathRewrite::strip("orders"),
            Err(Fault::Path(Refused::NotAbsolute))
        );
        assert_eq!(
            PathRewrite::strip("/b?c"),
            Err(Fault::Path(Refused::Delimiter))
        );
    }
}
