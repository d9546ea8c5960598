//! The scalar values of a configuration, each with its unit in its type.
//!
//! Each parses from what a user writes, knows its JSON Schema, and says in
//! words what it expects ([`Format::EXPECTS`]). None knows which section uses it.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod date;
mod quantity;
mod setting;

pub use date::Date;
pub use quantity::{Duration, Percent, Size};
pub use setting::Setting;

/// A value written as text in a fixed format.
pub trait Format: Sized {
    /// The name of the format in the JSON Schema.
    const NAME: &'static str;
    /// What is expected, for people: "a duration such as 500ms, 1s, 5m or 1h".
    const EXPECTS: &'static str;

    /// Reads the text; `None` if it is not in the format.
    fn parse(text: &str) -> Option<Self>;
}

/// Deserializes text in a [`Format`].
fn deserialize<'de, T: Format, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    T::parse(&text).ok_or_else(|| de::Error::custom(format_args!("expected {}", T::EXPECTS)))
}

/// The schema of text in a [`Format`].
fn text_schema<T: Format>() -> Schema {
    json_schema!({ "type": "string", "format": T::NAME, "description": capitalised(T::EXPECTS) })
}

/// `text` as a sentence of its own.
fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).chain(['.']).collect()
    })
}

/// Implements serde and schemars for a type written as text in its [`Format`].
macro_rules! written_as_text {
    ($type:ty, $name:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize(deserializer)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                text_schema::<Self>()
            }
        }
    };
}

/// The name of an entry: letters, digits, `.`, `_` and `-`, at most 63,
/// beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Name(pub String);

impl Format for Name {
    const NAME: &'static str = "name";
    const EXPECTS: &'static str = "a name of at most 63 letters, digits, \".\", \"_\" and \"-\", beginning with a letter or digit";

    fn parse(text: &str) -> Option<Self> {
        let good = (1..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        good.then(|| Self(text.to_owned()))
    }
}
written_as_text!(Name, "Name");

/// The name of a model: as [`Name`], and `/`, `:`, `@` beside, at most 128.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelName(pub String);

impl Format for ModelName {
    const NAME: &'static str = "model-name";
    const EXPECTS: &'static str =
        "a model name of at most 128 letters, digits and \".\", \"_\", \"-\", \"/\", \":\", \"@\"";

    fn parse(text: &str) -> Option<Self> {
        let good = (1..=128).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_/:@".contains(c));
        good.then(|| Self(text.to_owned()))
    }
}
written_as_text!(ModelName, "ModelName");

/// An IP address and port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(pub SocketAddr);

impl Format for Address {
    const NAME: &'static str = "address";
    const EXPECTS: &'static str = "an IP address and port such as 127.0.0.1:8080 or [::]:8080";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}
written_as_text!(Address, "Address");

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Format for Sha256 {
    const NAME: &'static str = "sha256";
    const EXPECTS: &'static str = "a SHA-256 of 64 hexadecimal digits, as `weir key new` prints it";

    fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(text.chunks_exact(2)) {
            let high = char::from(digits[0]).to_digit(16)?;
            let low = char::from(digits[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(hash))
    }
}
written_as_text!(Sha256, "Sha256");

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Serializes what is written as text.
fn serialize<S: Serializer>(text: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    text.to_string().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["a", "orders", "team-1.tokens_x", "9lives"] {
            assert!(Name::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "a b", "ä", "a/b", &"a".repeat(64)] {
            assert!(Name::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_sha256_is_exactly_64_hexadecimal_digits() {
        let text = "00ff".repeat(16);
        assert_eq!(
            Sha256::parse(&text).map(|hash| hash.to_string()),
            Some(text.clone())
        );
        assert!(Sha256::parse(&text[1..]).is_none());
        assert!(Sha256::parse(&text.replace('f', "g")).is_none());
        assert!(Sha256::parse(&"é".repeat(32)).is_none());
    }
}
