//! JSON pointers (RFC 6901): one value out of a JSON text, without making anything of the rest.
//!
//! The text is read once and not kept. What is found is the text of the value as it was sent, so
//! that no number is rounded and no string is written anew. Knows nothing of who points where.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess};
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Where a value is in a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pointer(Box<[Box<str>]>);

/// Why a text is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It does not begin with `/`.
    Start,
    /// A `~` is followed neither by `0` nor by `1`.
    Escape,
}

impl Pointer {
    /// Reads `/orders/0/id`; in a name, `~1` stands for `/` and `~0` for `~`. The empty text is the
    /// whole document.
    ///
    /// # Errors
    /// What RFC 6901 does not let be a pointer.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Ok(Self(Box::default()));
        }
        let rest = text.strip_prefix('/').ok_or(Malformed::Start)?;
        let tokens = rest.split('/').map(unescape);
        tokens.collect::<Result<_, _>>().map(Self)
    }

    /// The text of the value that is pointed to. Of members of one name, the last one counts.
    ///
    /// `None` if there is none, or `json` is no JSON.
    pub fn find<'j>(&self, json: &'j [u8]) -> Option<&'j RawValue> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let found = Seek(&self.0).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        found
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| {
            let escaped = token.replace('~', "~0").replace('/', "~1");
            write!(f, "/{escaped}")
        })
    }
}

fn unescape(token: &str) -> Result<Box<str>, Malformed> {
    let mut tildes = token.split('~');
    let mut text = tildes.next().unwrap_or_default().to_owned();
    for after in tildes {
        let (stands_for, rest) = match after.split_at_checked(1) {
            Some(("0", rest)) => ('~', rest),
            Some(("1", rest)) => ('/', rest),
            _ => return Err(Malformed::Escape),
        };
        text.push(stands_for);
        text.push_str(rest);
    }
    Ok(text.into())
}

/// Looks for what remains of a pointer in the value that comes next.
#[derive(Clone, Copy)]
struct Seek<'p>(&'p [Box<str>]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => <&RawValue>::deserialize(reader).map(Some),
            _ => reader.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let Some((name, rest)) = self.0.split_first() else {
            return Err(A::Error::custom(
                "a value that is pointed to is not entered",
            ));
        };
        while let Some(same) = members.next_key_seed(Is(name))? {
            if same {
                found = members.next_value_seed(Seek(rest))?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut at) = (None, 0_usize);
        let wanted = self.0.split_first();
        let wanted = wanted.and_then(|(token, rest)| Some((index(token)?, rest)));
        loop {
            if let Some((index, rest)) = wanted
                && index == at
            {
                match elements.next_element_seed(Seek(rest))? {
                    Some(value) => found = value,
                    None => return Ok(None),
                }
            } else if elements.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// An index as RFC 6901 writes one: no sign, no leading zero.
fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    (canonical && digits).then(|| token.parse().ok())?
}

/// Whether the name of a member is this one.
struct Is<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'j>(pointer: &str, json: &'j str) -> Option<&'j str> {
        let pointer = Pointer::parse(pointer).expect("a pointer");
        pointer.find(json.as_bytes()).map(RawValue::get)
    }

    #[test]
    fn the_examples_of_the_rfc_are_found() {
        let json = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        for (pointer, value) in [
            ("", json),
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            assert_eq!(find(pointer, json), Some(value), "{pointer}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let json = r#"{"list":[1],"number":1,"null":null}"#;
        for pointer in [
            "/other",
            "/list/1",
            "/list/00",
            "/list/-",
            "/list/+0",
            "/number/x",
            "/null/0",
        ] {
            assert_eq!(find(pointer, json), None, "{pointer}");
        }
        for (pointer, json) in [
            ("/a", "no json"),
            ("/a", r#"{"a":1"#),
            ("/a", r#"{"a":1} x"#),
            ("", ""),
        ] {
            assert_eq!(find(pointer, json), None, "{json}");
        }
    }

    #[test]
    fn values_are_found_as_they_were_sent() {
        assert_eq!(
            find("/n", r#"{"n":12345678901234567890.10}"#),
            Some("12345678901234567890.10")
        );
        assert_eq!(
            find("/a", r#"{"a":1,"\u0061":2}"#),
            Some("2"),
            "the last one counts"
        );
        assert_eq!(
            find("/1/x", r#"[0, {"x" : { "y": [] } }, 2]"#),
            Some(r#"{ "y": [] }"#)
        );
    }

    #[test]
    fn what_is_no_pointer_says_why() {
        assert_eq!(Pointer::parse("a"), Err(Malformed::Start));
        assert_eq!(Pointer::parse("/a~"), Err(Malformed::Escape));
        assert_eq!(Pointer::parse("/a~2"), Err(Malformed::Escape));
        let written = Pointer::parse("/a~1b/~0/").map(|pointer| pointer.to_string());
        assert_eq!(written.as_deref(), Ok("/a~1b/~0/"));
    }
}
