//! What a caller prefers (RFC 7240): not to wait, or not so long.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// The field that says it.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a caller prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Preferred {
    /// To be answered 202 rather than to wait, or to wait longer than it says.
    pub(super) respond_async: bool,
    /// How long to wait.
    pub(super) wait: Option<Duration>,
}

impl Preferred {
    /// The first of each preference counts; what is not understood is passed over.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut preferred = Self::default();
        let fields = headers.get_all(PREFER).into_iter();
        let fields = fields.filter_map(|field| field.to_str().ok());
        for preference in fields.flat_map(|field| field.split(',')) {
            let named = preference.split(';').next().unwrap_or_default();
            let (name, value) = named.split_once('=').unwrap_or((named, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("respond-async") {
                preferred.respond_async = true;
            } else if name.eq_ignore_ascii_case("wait") && preferred.wait.is_none() {
                let seconds = value.trim().trim_matches('"').parse();
                preferred.wait = seconds.ok().map(Duration::from_secs);
            }
        }
        preferred
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn preferences_are_read_as_the_standard_says() {
        let read = |fields: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(PREFER, HeaderValue::from_static(field));
            }
            let Preferred {
                respond_async,
                wait,
            } = Preferred::read(&headers);
            (respond_async, wait.map(|wait| wait.as_secs()))
        };
        for (fields, expected) in [
            (&[][..], (false, None)),
            (&["respond-async"], (true, None)),
            (&["respond-async, wait=10"], (true, Some(10))),
            (&["wait=10", "Respond-Async; foo=bar"], (true, Some(10))),
            (&["Wait = \"5\", wait=9"], (false, Some(5))),
            (&["respond-asynchronously, wait=soon"], (false, None)),
            (&["foo; respond-async, wait=-1"], (false, None)),
        ] {
            assert_eq!(read(fields), expected, "{fields:?}");
        }
    }
}
