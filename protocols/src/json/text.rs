//! Text of an answer, borrowed where it holds no escapes.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::walk::{is_string, unescape};

/// A JSON string, for wire structures: a plain `Cow` would always be copied. `null` is the empty
/// text; another value is its JSON. Half of a surrogate pair, which no text can hold, stays written
/// as it was: a provider may have cut a pair in two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(json).map(|raw| Self::of(raw.get()))
    }
}

impl<'a> Text<'a> {
    /// The text that a JSON value is.
    pub(crate) fn of(json: &'a str) -> Self {
        Self(match json {
            "null" => Cow::Borrowed(""),
            _ if is_string(json) => unescape(json),
            _ => Cow::Borrowed(json),
        })
    }

    /// The text, if there is any.
    pub(crate) fn some(self) -> Option<Cow<'a, str>> {
        Some(self.0).filter(|text| !text.is_empty())
    }
}
