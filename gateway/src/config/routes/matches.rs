//! What a request has to look like.

use std::sync::Arc;

use http::{HeaderName, Method};
use weir_protocols::grpc::path as rpc;

use crate::config::check::{At, Checker};
use crate::config::raw::routes as raw;

/// What a request has to look like: everything said here at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Match {
    /// The path.
    pub path: Path,
    /// Methods; any, if empty.
    pub methods: Vec<Method>,
    /// Header fields, all of them.
    pub headers: Vec<(HeaderName, Test)>,
    /// Query parameters by their decoded names, all of them.
    pub query: Vec<(Arc<str>, Test)>,
}

/// A path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Path {
    /// This path and no other.
    Exact(Arc<str>),
    /// This path and all below it, by whole segments. Without a slash at the
    /// end; every path, if empty.
    Prefix(Arc<str>),
    /// A path with captures.
    Template(PathTemplate),
}

/// A path with captures, as `/events/{topic}` or `/files/{*rest}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathTemplate {
    /// As written, in the syntax of `matchit`.
    pub text: Arc<str>,
    /// The names captured, in order.
    pub captures: Vec<Arc<str>>,
}

/// A test on a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// The whole value.
    Exact(Arc<str>),
    /// How it begins.
    Prefix(Arc<str>),
    /// It is there.
    Present,
}

/// The matches of a route, as far as they can be read.
pub(in crate::config) struct Checked {
    /// The path of each, so that the rest of the route can be checked; `None` where it is faulty.
    pub paths: Vec<Option<Path>>,
    /// The matches, unless any of them is faulty.
    pub matches: Option<Vec<Match>>,
}

/// Checks the matches of a route; without any, it matches everything.
pub(in crate::config) fn check(cx: &mut Checker<'_>, at: &At, raw: &[raw::Match]) -> Checked {
    let everything = [raw::Match::default()];
    let raw = if raw.is_empty() { &everything } else { raw };
    let mut paths = Vec::new();
    let mut matches = Vec::new();
    for (index, raw) in raw.iter().enumerate() {
        let at = at.index(index);
        let path = match (&raw.path, &raw.rpc) {
            (Some(path), None) => check_path(cx, &at.key("path"), path),
            (None, Some(rpc)) => check_rpc(cx, &at.key("rpc"), rpc),
            (None, None) => Some(Path::Prefix("".into())),
            (Some(_), Some(_)) => {
                let message = "a call is matched by its path or by what it calls, not by both";
                cx.fault(&at.key("rpc"), message, "leave out `path` or `rpc`");
                None
            }
        };
        matches.extend(check_one(cx, &at, raw, path.clone()));
        paths.push(path);
    }
    Checked {
        matches: (matches.len() == paths.len()).then_some(matches),
        paths,
    }
}

/// Checks what a match says besides its path.
fn check_one(cx: &mut Checker<'_>, at: &At, raw: &raw::Match, path: Option<Path>) -> Option<Match> {
    let mut methods = Vec::new();
    for (index, text) in raw.methods.iter().enumerate() {
        let at = at.key("methods").index(index);
        let Some(method) = check_method(cx, &at, text) else {
            continue;
        };
        if methods.contains(&method) {
            cx.fault(&at, "this is given twice", "leave one out");
        }
        methods.push(method);
    }
    let mut headers = Vec::new();
    for (index, field) in raw.headers.iter().enumerate() {
        let at = at.key("headers").index(index);
        let test = check_test(cx, &at, field);
        match HeaderName::from_bytes(field.name.as_bytes()) {
            Ok(name) => headers.extend(test.map(|test| (name, test))),
            Err(_) => cx.fault(
                &at.key("name"),
                format!("\"{}\" is no header name", field.name),
                "",
            ),
        }
    }
    let mut query = Vec::new();
    for (index, field) in raw.query.iter().enumerate() {
        let test = check_test(cx, &at.key("query").index(index), field);
        query.extend(test.map(|test| (field.name.as_str().into(), test)));
    }
    let complete = methods.len() == raw.methods.len()
        && headers.len() == raw.headers.len()
        && query.len() == raw.query.len();
    let path = path?;
    complete.then_some(Match {
        path,
        methods,
        headers,
        query,
    })
}

/// Reads a method; they are upper case, and a lower-case one would never match.
pub(in crate::config) fn check_method(cx: &mut Checker<'_>, at: &At, text: &str) -> Option<Method> {
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(text.as_bytes()) {
        Ok(_) if text != upper => {
            cx.fault(
                at,
                format!("\"{text}\" is no method"),
                format!("did you mean \"{upper}\"?"),
            );
            None
        }
        Ok(method) if method == Method::CONNECT => {
            cx.fault(at, "CONNECT is never served", "leave it out");
            None
        }
        Ok(method) => Some(method),
        Err(_) => {
            cx.fault(at, format!("\"{text}\" is no method"), "write it as GET");
            None
        }
    }
}

fn check_test(cx: &mut Checker<'_>, at: &At, raw: &raw::Field) -> Option<Test> {
    match (&raw.exact, &raw.prefix, raw.present) {
        (Some(value), None, None) => Some(Test::Exact(value.as_str().into())),
        (None, Some(start), None) => Some(Test::Prefix(start.as_str().into())),
        (None, None, Some(true)) => Some(Test::Present),
        _ => {
            let hint = "give one of `exact`, `prefix` and `present: true`";
            cx.fault(at, "a field is matched in exactly one way", hint);
            None
        }
    }
}

fn check_path(cx: &mut Checker<'_>, at: &At, raw: &raw::Path) -> Option<Path> {
    let (key, checked) = match (&raw.exact, &raw.prefix, &raw.template) {
        (Some(text), None, None) => (
            "exact",
            literal_path(text).map(|path| Path::Exact(path.into())),
        ),
        (None, Some(text), None) => (
            "prefix",
            literal_path(text).map(|path| Path::Prefix(path.trim_end_matches('/').into())),
        ),
        (None, None, Some(text)) => ("template", PathTemplate::parse(text).map(Path::Template)),
        _ => {
            cx.fault(
                at,
                "a path is matched in exactly one way",
                "give one of exact, prefix and template",
            );
            return None;
        }
    };
    match checked {
        Ok(path) => Some(path),
        Err((message, hint)) => {
            cx.fault(&at.key(key), message, hint);
            None
        }
    }
}

/// The path of calls of a service, of a method, or of both.
fn check_rpc(cx: &mut Checker<'_>, at: &At, raw: &raw::Rpc) -> Option<Path> {
    let mut name = |key: &str, text: &Option<String>| {
        let Some(text) = text else {
            return Some(());
        };
        if rpc::parse(&format!("/{text}/{text}")).is_ok() {
            return Some(());
        }
        let hint = "write a service as helloworld.Greeter and a method as SayHello";
        cx.fault(&at.key(key), format!("\"{text}\" is no name"), hint);
        None
    };
    let (service, method) = (name("service", &raw.service), name("method", &raw.method));
    service.and(method)?;
    match (&raw.service, &raw.method) {
        (Some(service), Some(method)) => Some(Path::Exact(format!("/{service}/{method}").into())),
        (Some(service), None) => Some(Path::Prefix(format!("/{service}").into())),
        (None, Some(method)) => {
            let path = PathTemplate::parse(&format!("/{{service}}/{method}"));
            path.ok().map(Path::Template)
        }
        (None, None) => {
            let hint = "give a service, a method or both; leave `rpc` out to match every call";
            cx.fault(at, "this says nothing of what is called", hint);
            None
        }
    }
}

/// What is wrong with a path, and how to mend it.
type Malformed = (String, String);

/// Reads a path without captures.
pub(in crate::config) fn literal_path(text: &str) -> Result<&str, Malformed> {
    let wrong = |message: &str, hint: &str| Err((format!("\"{text}\" {message}"), hint.to_owned()));
    if !text.starts_with('/') {
        return wrong("is no path", "begin it with \"/\"");
    }
    if text.contains(['{', '}']) {
        return wrong("has braces in it", "use `template` for captures");
    }
    if text.contains("//") || text.split('/').any(|segment| matches!(segment, "." | "..")) {
        return wrong(
            "has empty or dot segments",
            "requests are matched without them",
        );
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    if !text.bytes().all(allowed) {
        return wrong(
            "holds characters that no path has",
            "percent-encode them; queries are matched by `query`",
        );
    }
    Ok(text)
}

impl PathTemplate {
    /// Reads `/events/{topic}` or `/files/{*rest}`.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, Malformed> {
        let wrong = |message: String, hint: &str| Err((message, hint.to_owned()));
        let mut captures: Vec<Arc<str>> = Vec::new();
        let mut literal = String::new();
        let segments: Vec<&str> = text.split('/').collect();
        for (index, segment) in segments.iter().enumerate() {
            let Some(name) = segment
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'))
            else {
                literal.push_str(segment);
                literal.push('/');
                continue;
            };
            literal.push_str("x/");
            let (name, rest) = match name.strip_prefix('*') {
                Some(name) => (name, true),
                None => (name, false),
            };
            let plain = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if name.is_empty() || !plain {
                return wrong(
                    format!("\"{segment}\" captures under no name"),
                    "names are letters, digits and \"_\"",
                );
            }
            if rest && index + 1 != segments.len() {
                return wrong(
                    format!("\"{segment}\" is not at the end"),
                    "what captures the rest comes last",
                );
            }
            if captures.iter().any(|other| **other == *name) {
                return wrong(
                    format!("\"{name}\" is captured twice"),
                    "give each capture its own name",
                );
            }
            captures.push(name.into());
        }
        literal.pop();
        if literal.contains(['{', '}']) {
            return wrong(
                format!("\"{text}\" captures part of a segment"),
                "a capture stands for a whole segment, as /events/{topic}",
            );
        }
        literal_path(&literal)
            .map_err(|(message, hint)| (message.replace(&literal, text), hint))?;
        if captures.is_empty() {
            return wrong(format!("\"{text}\" captures nothing"), "use `exact`");
        }
        Ok(Self {
            text: text.into(),
            captures,
        })
    }
}

impl Path {
    /// The names it captures.
    pub fn captures(&self) -> &[Arc<str>] {
        match self {
            Self::Exact(_) | Self::Prefix(_) => &[],
            Self::Template(template) => &template.captures,
        }
    }

    /// Whether every path it matches is `prefix` or below it, by whole segments.
    /// `prefix` has no slash at its end.
    pub fn is_below(&self, prefix: &str) -> bool {
        let text = match self {
            Self::Exact(path) | Self::Prefix(path) => &**path,
            // a capture is no literal segment, so a template's braces never match one
            Self::Template(template) => &*template.text,
        };
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_capture_whole_segments() {
        let template = PathTemplate::parse("/a/{b}/c/{*d}").expect("a template");
        assert_eq!(
            template
                .captures
                .iter()
                .map(|name| &**name)
                .collect::<Vec<_>>(),
            ["b", "d"]
        );
        for (bad, message) in [
            ("/a/{b}x", "\"/a/{b}x\" captures part of a segment"),
            ("/{*a}/b", "\"{*a}\" is not at the end"),
            ("/{a}/{a}", "\"a\" is captured twice"),
            ("/{}", "\"{}\" captures under no name"),
            ("/{a b}", "\"{a b}\" captures under no name"),
            ("/a", "\"/a\" captures nothing"),
            ("a/{b}", "\"a/{b}\" is no path"),
            ("/a//{b}", "\"/a//{b}\" has empty or dot segments"),
        ] {
            assert_eq!(PathTemplate::parse(bad).expect_err(bad).0, message);
        }
    }

    #[test]
    fn below_goes_by_whole_segments() {
        assert!(Path::Prefix("/a/b".into()).is_below("/a"));
        assert!(Path::Prefix("/a".into()).is_below("/a"));
        assert!(Path::Exact("/a".into()).is_below(""));
        assert!(!Path::Exact("/ab".into()).is_below("/a"));
        let template = PathTemplate::parse("/a/{b}").expect("a template");
        assert!(Path::Template(template.clone()).is_below("/a"));
        assert!(!Path::Template(template).is_below("/a/x"));
    }
}
