//! `cors`, checked.

use std::time::Duration;

use http::{HeaderName, Method};

use crate::config::check::{At, Checker};
use crate::config::hosts::Host;
use crate::config::raw::policies as raw;

/// Lets browsers on other origins read answers (Fetch, "CORS protocol").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who may.
    pub origins: Vec<Origin>,
    /// Methods allowed; at least one.
    pub methods: Vec<Method>,
    /// Request header fields allowed; those asked for, if empty.
    pub headers: Vec<HeaderName>,
    /// Response header fields scripts may read.
    pub expose: Vec<HeaderName>,
    /// Whether cookies and `Authorization` are allowed; never with [`Origin::Any`].
    pub credentials: bool,
    /// How long browsers may remember a preflight's answer.
    pub max_age: Duration,
}

/// Origins allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `*`.
    Any,
    /// This one, as a browser writes it: `https://shop.example.com`.
    Exact(String),
    /// `https://*.example.com`: the scheme with `://`, and the suffix with its
    /// dot and its port, if any.
    Below {
        /// `https://` or `http://`.
        scheme: String,
        /// `.example.com` or `.example.com:8443`.
        suffix: String,
    },
}

impl Origin {
    /// Whether `origin`, as a browser sends it, is one of these.
    pub fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.eq_ignore_ascii_case(origin),
            Self::Below { scheme, suffix } => {
                let origin = origin.to_ascii_lowercase();
                origin
                    .strip_prefix(scheme.as_str())
                    .and_then(|host| host.strip_suffix(suffix.as_str()))
                    .is_some_and(|label| !label.is_empty() && !label.contains(['/', ':', '@']))
            }
        }
    }
}

/// Checks `cors`.
pub(in crate::config) fn check(cx: &mut Checker<'_>, at: &At, raw: &raw::Cors) -> Option<Config> {
    let origins = check_origins(cx, &at.key("origins"), &raw.origins);
    if raw.credentials && origins.contains(&Origin::Any) {
        let hint = "name the origins, or leave `credentials` out";
        cx.fault(
            &at.key("credentials"),
            "with the origin * every site could act as your users",
            hint,
        );
    }
    let mut methods = Vec::new();
    for (index, text) in raw.methods.iter().enumerate() {
        methods.extend(crate::config::routes::matches::check_method(
            cx,
            &at.key("methods").index(index),
            text,
        ));
    }
    if raw.methods.is_empty() {
        cx.fault(
            &at.key("methods"),
            "this list is empty",
            "give at least one method, or leave it out",
        );
    }
    let (headers, expose) = (
        check_names(cx, &at.key("headers"), &raw.headers),
        check_names(cx, &at.key("expose"), &raw.expose),
    );
    let (credentials, max_age) = (raw.credentials, raw.max_age.0);
    Some(Config {
        origins,
        methods,
        headers,
        expose,
        credentials,
        max_age,
    })
}

/// Checks a list of origins.
pub(in crate::config) fn check_origins(
    cx: &mut Checker<'_>,
    at: &At,
    texts: &[String],
) -> Vec<Origin> {
    let mut origins = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match check_origin(text) {
            Some(origin) => origins.push(origin),
            None => cx.fault(
                &at.index(index),
                format!("\"{text}\" is no origin"),
                "write it as https://shop.example.com, https://*.example.com or *",
            ),
        }
    }
    origins
}

fn check_names(cx: &mut Checker<'_>, at: &At, texts: &[String]) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) => names.push(name),
            Err(_) => {
                let message = format!("\"{text}\" is no header name");
                cx.fault(&at.index(index), message, "write it as x-request-id");
            }
        }
    }
    names
}

fn check_origin(text: &str) -> Option<Origin> {
    if text == "*" {
        return Some(Origin::Any);
    }
    let text = text.to_ascii_lowercase();
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| text.starts_with(scheme))?;
    let authority = &text[scheme.len()..];
    let (host, port) = match authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'))
    {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        None => (authority, None),
    };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    match Host::parse(host)? {
        Host::Exact(host) => Some(Origin::Exact(format!("{scheme}{host}{port}"))),
        Host::Wildcard(suffix) => Some(Origin::Below {
            scheme: scheme.to_owned(),
            suffix: format!("{suffix}{port}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_origin_matches_below_and_nowhere_else() {
        let origin = check_origin("https://*.example.com").expect("an origin");
        assert!(
            origin.matches("https://shop.example.com") && origin.matches("https://A.b.example.com")
        );
        for other in [
            "https://example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://evil.com/.example.com",
            "https://badexample.com",
            "null",
        ] {
            assert!(!origin.matches(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in [
            "example.com",
            "https://",
            "https://a/b",
            "ftp://a",
            "https://a:x",
            "https://*",
        ] {
            assert_eq!(check_origin(bad), None, "{bad}");
        }
    }
}
