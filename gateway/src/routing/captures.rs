//! What a template caught in a path.
//!
//! Knows names and values; knows no template and no rule.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::normal::Refused;

/// The captures of one match, in the order of the template. Without any, as for exact and prefix
/// matches, nothing is allocated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures(Vec<Capture>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Capture {
    name: Arc<str>,
    raw: String,
    /// Only where it differs from `raw`.
    decoded: Option<String>,
}

impl Captures {
    /// Pairs names with pieces of a normal path. Refuses a piece that does not decode to UTF-8,
    /// because what would stand in its place (in a topic, in a header) is not what the caller sent.
    pub(super) fn new<'p>(
        names: &[Arc<str>],
        values: impl Iterator<Item = &'p str>,
    ) -> Result<Self, Refused> {
        let capture = |(name, raw): (&Arc<str>, &str)| {
            let decoded = match raw.contains('%') {
                true => Some(
                    percent_decode_str(raw)
                        .decode_utf8()
                        .map_err(|_| Refused::NotUtf8)?
                        .into_owned(),
                ),
                false => None,
            };
            Ok(Capture {
                name: Arc::clone(name),
                raw: raw.to_owned(),
                decoded,
            })
        };
        names
            .iter()
            .zip(values)
            .map(capture)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value captured under `name`, percent-decoded; never empty. It is the client's: it may
    /// hold slashes and control characters.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(captured, value)| (captured == name).then_some(value))
    }

    /// The value captured under `name` as it stood in the normal path, fit to be put into another
    /// path.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|capture| *capture.name == *name)
            .map(|capture| capture.raw.as_str())
    }

    /// Names and percent-decoded values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|capture| {
            (
                &*capture.name,
                capture.decoded.as_deref().unwrap_or(&capture.raw),
            )
        })
    }

    /// Whether nothing was captured.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(values: &[&str]) -> Result<Captures, Refused> {
        let names: Vec<Arc<str>> = ["a", "b", "c"].map(Arc::from).into();
        Captures::new(&names, values.iter().copied())
    }

    #[test]
    fn values_are_decoded_once_and_kept_as_they_were_besides() {
        let read = captures(&["x%2Fy", "%25 2F", "caf%C3%A9"]).unwrap();
        assert_eq!(read.get("a"), Some("x/y"));
        assert_eq!(read.raw("a"), Some("x%2Fy"));
        assert_eq!(read.get("b"), Some("% 2F"));
        assert_eq!(read.get("c"), Some("café"));
        assert_eq!(read.get("d"), None);
        assert_eq!(
            read.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        assert_eq!(captures(&["ok", "%FF"]), Err(Refused::NotUtf8));
        assert_eq!(captures(&["%C3"]), Err(Refused::NotUtf8));
    }
}
