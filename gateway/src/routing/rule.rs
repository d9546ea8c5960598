//! What a rule is made of. Plain data, written by the caller and compiled by
//! [`Router::build`](super::Router::build).
//!
//! Knows how each part is spelled and what is wrong with a misspelled one; knows nothing of how
//! parts are looked up.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, Method};

use super::normal::{Refused, normalise};
use super::template::Template;

/// One way to reach a route: every part has to hold.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The route's index in the order of declaration; given back by a match and used to break ties.
    pub route: usize,
    /// The listeners the rule is open on, by name; `None` is all of them.
    pub listeners: Option<Vec<Arc<str>>>,
    /// The host.
    pub host: HostPattern,
    /// The path.
    pub path: PathPattern,
    /// The methods; none at all means any. `GET` does not imply `HEAD`.
    pub methods: Vec<Method>,
    /// Conditions on headers, all of which must hold.
    pub headers: Vec<Condition>,
    /// Conditions on query parameters, all of which must hold.
    pub query: Vec<QueryCondition>,
}

/// Which hosts a rule is for. Case and one trailing dot do not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Every host, and requests without one.
    Any,
    /// One host, in lower case, without a port.
    Exact(String),
    /// Every host under the suffix, which is what follows `*.`: `example.com` is for
    /// `a.example.com` and `a.b.example.com`, and not for `example.com` itself.
    Wildcard(String),
}

/// Which paths a rule is for; read in normal form (see [`normalise`]), with runs of slashes as one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// This path; a trailing slash counts.
    Exact(String),
    /// This path and everything under it, by whole segments: `/orders` is for `/orders`, `/orders/`
    /// and `/orders/7`, not for `/ordersX`. A trailing slash does not count. `/` is for every path.
    Prefix(String),
    /// `/events/{topic}/{*rest}`. A capture is a whole segment and never empty; a catch-all is what
    /// is left, at least one character, and comes last.
    Template(String),
}

/// A condition on a header. Of a header given several times, one value that passes is enough.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The header's name.
    pub name: HeaderName,
    /// What its value must be.
    pub test: Test,
}

/// A condition on a query parameter, compared after form-decoding (`%20` and `+` are spaces). Of a
/// parameter given several times, one value that passes is enough.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueryCondition {
    /// The parameter's name, decoded.
    pub name: String,
    /// What its value must be.
    pub test: Test,
}

/// What a value must be. Case matters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// There is a value, an empty one included.
    Present,
    /// It is this.
    Exact(String),
    /// It begins with this.
    Prefix(String),
    /// There is no value at all.
    Absent,
}

/// What is wrong with a pattern as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The path has no normal form.
    Path(Refused),
    /// A literal segment of a template is a dot segment.
    DotSegment,
    /// A segment mixes a capture with other characters, or its braces do not match.
    PartialCapture(String),
    /// A capture's name is empty or has characters other than letters, digits, `_` and `-`.
    CaptureName(String),
    /// Two captures have one name.
    CaptureTwice(String),
    /// A catch-all is not the last segment.
    CatchAllNotLast(String),
    /// A rewrite uses a capture that a path it is for does not have.
    CaptureUnknown {
        /// The capture that is used.
        name: String,
        /// The pattern that does not have it.
        pattern: String,
    },
    /// The host is empty, has an empty label, a port, or a character no host has.
    Host(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(refused) => refused.fmt(f),
            Self::DotSegment => f.write_str("a template cannot have \".\" or \"..\" as a segment"),
            Self::PartialCapture(segment) => write!(
                f,
                "\"{segment}\": a capture is a whole segment, as {{name}}; \
                 write a literal brace as %7B or %7D"
            ),
            Self::CaptureName(name) => {
                write!(
                    f,
                    "\"{name}\" cannot name a capture: use letters, digits, \"_\" and \"-\""
                )
            }
            Self::CaptureTwice(name) => write!(f, "two captures are named \"{name}\""),
            Self::CatchAllNotLast(name) => {
                write!(f, "the catch-all {{*{name}}} must be the last segment")
            }
            Self::CaptureUnknown { name, pattern } => {
                write!(f, "there is no capture \"{name}\" in the path {pattern}")
            }
            Self::Host(host) => write!(
                f,
                "\"{host}\" is not a host: write a name without scheme and port, \"*.\" and a \
                 name, or \"*\" alone"
            ),
        }
    }
}

impl std::error::Error for Fault {}

impl HostPattern {
    /// Reads `*`, `*.example.com` or `api.example.com`, in any case.
    #[cfg(test)]
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let pattern = match text.strip_prefix("*.") {
            Some(suffix) => Self::Wildcard(suffix.to_owned()),
            None => Self::Exact(text.to_owned()),
        };
        pattern.checked().map_err(|_| Fault::Host(text.to_owned()))
    }

    /// The pattern as it is compared: in lower case, without a trailing dot.
    pub(super) fn checked(&self) -> Result<Self, Fault> {
        let name = |text: &str| {
            let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
            if is_host(&host) {
                Ok(host)
            } else {
                Err(Fault::Host(text.to_owned()))
            }
        };
        Ok(match self {
            Self::Any => Self::Any,
            Self::Exact(host) => Self::Exact(name(host)?),
            Self::Wildcard(suffix) if suffix.starts_with('[') => {
                return Err(Fault::Host(suffix.clone()));
            }
            Self::Wildcard(suffix) => Self::Wildcard(name(suffix)?),
        })
    }
}

/// Labels of letters, digits, `-` and `_`, or an IPv6 address in brackets. An internationalised
/// name comes as `xn--`.
fn is_host(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    host.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Any => f.write_str("any host")?,
            host => write!(f, "host {host}")?,
        }
        match &self.path {
            PathPattern::Exact(path) => write!(f, ", path {path}")?,
            PathPattern::Prefix(path) if path == "/" => f.write_str(", any path")?,
            PathPattern::Prefix(path) => write!(f, ", path {path} or below")?,
            PathPattern::Template(path) => write!(f, ", path like {path}")?,
        }
        for (i, method) in self.methods.iter().enumerate() {
            write!(f, "{}{method}", if i == 0 { ", method " } else { " or " })?;
        }
        for condition in &self.headers {
            write!(f, ", header {} {}", condition.name, condition.test.met())?;
        }
        for condition in &self.query {
            write!(f, ", query {} {}", condition.name, condition.test.met())?;
        }
        Ok(())
    }
}

impl Test {
    /// What holds of a value that meets it. What values are compared with is not said: an operator may
    /// have written a secret there.
    fn met(&self) -> &'static str {
        match self {
            Self::Present => "is there",
            Self::Exact(_) => "is as asked",
            Self::Prefix(_) => "begins as asked",
            Self::Absent => "is absent",
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl PathPattern {
    /// The pattern as written, as it appears in metrics and spans.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) | Self::Template(text) => text,
        }
    }

    /// The names a match captures, in order; none unless this is a template.
    pub fn captures(&self) -> Result<Vec<Arc<str>>, Fault> {
        match self {
            Self::Template(text) => Ok(Template::parse(text)?.names),
            Self::Exact(text) | Self::Prefix(text) => {
                normalise(text).map(|_| Vec::new()).map_err(Fault::Path)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_in_any_case_and_with_a_trailing_dot() {
        assert_eq!(HostPattern::parse("*"), Ok(HostPattern::Any));
        assert_eq!(
            HostPattern::parse("API.Example.com."),
            Ok(HostPattern::Exact("api.example.com".into()))
        );
        assert_eq!(
            HostPattern::parse("*.Example.com"),
            Ok(HostPattern::Wildcard("example.com".into()))
        );
        assert_eq!(
            HostPattern::parse("[::1]"),
            Ok(HostPattern::Exact("[::1]".into()))
        );
    }

    #[test]
    fn what_is_not_a_host_is_named() {
        for text in [
            "", "a..b", "a:80", "http://a", "*.", "*.*.a", "a.*", "ex ample", "[::g]", ".a", "*a.b",
        ] {
            assert_eq!(
                HostPattern::parse(text),
                Err(Fault::Host(text.into())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_host_prints_as_it_is_written() {
        for text in ["*", "*.example.com", "example.com"] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn only_templates_capture() {
        let names = PathPattern::Template("/e/{topic}/{*rest}".into())
            .captures()
            .unwrap();
        assert_eq!(names, ["topic".into(), "rest".into()] as [Arc<str>; 2]);
        assert!(
            PathPattern::Prefix("/e/{topic}".into())
                .captures()
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            PathPattern::Exact("e".into()).captures(),
            Err(Fault::Path(Refused::NotAbsolute))
        );
    }
}
