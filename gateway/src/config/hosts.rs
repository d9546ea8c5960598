//! Host names that requests and certificates are matched by.

use std::fmt;

/// A host name, lower case and without port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// This host and no other.
    Exact(String),
    /// `*.example.com`: every host below it, by one label or more. Holds
    /// `.example.com`, with its dot.
    Wildcard(String),
}

impl Host {
    /// Reads `api.example.com`, `*.example.com` or an IP address; `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if let Some(suffix) = text.strip_prefix('*') {
            let below = suffix.strip_prefix('.')?;
            return is_host(below).then(|| Self::Wildcard(suffix.to_owned()));
        }
        is_host(&text).then_some(Self::Exact(text))
    }

    /// Whether `host`, lower case and without port, is one of these.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::Wildcard(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }

    /// Whether every host that `other` matches is matched by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(host)) => self.matches(host),
            (Self::Wildcard(wide), Self::Wildcard(narrow)) => narrow.ends_with(wide.as_str()),
            (Self::Exact(_), Self::Wildcard(_)) => false,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// Whether `text` is a DNS name (RFC 1123, and `_` which is seen in practice)
/// or an IP address, IPv6 in brackets.
fn is_host(text: &str) -> bool {
    if let Some(v6) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return v6.parse::<std::net::Ipv6Addr>().is_ok();
    }
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label_or_more_and_not_for_none() {
        let wildcard = Host::parse("*.Example.com").expect("a wildcard");
        assert!(wildcard.matches("a.example.com") && wildcard.matches("a.b.example.com"));
        assert!(!wildcard.matches("example.com") && !wildcard.matches("badexample.com"));
        assert!(!wildcard.matches(".example.com"));
    }

    #[test]
    fn covering_goes_one_way() {
        let wide = Host::parse("*.example.com").expect("a wildcard");
        let narrow = Host::parse("*.eu.example.com").expect("a wildcard");
        assert!(wide.covers(&narrow) && wide.covers(&wide) && !narrow.covers(&wide));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "", "*", "*.", "a..b", "http://a", "a:80", "a b", "-a", "*a.com", "a.*.com", "[::1",
            "[zz]",
        ] {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
        for good in ["localhost", "a.b-c.d", "127.0.0.1", "[::1]", "x_y.example"] {
            assert!(Host::parse(good).is_some(), "{good}");
        }
    }
}
