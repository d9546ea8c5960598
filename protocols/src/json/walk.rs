//! Walks JSON by borrowing: members and elements as slices of the text, never
//! a tree. Values in between are skipped without recursion, so that depth
//! costs no stack. Knows no key by name.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Why a walk stopped early.
pub(crate) enum Stop<E> {
    /// The callback said so.
    Fault(E),
    /// The text is not JSON, or not of the shape walked for.
    Json(serde_json::Error),
}

/// Told of a member's key and raw value.
pub(crate) type OnMember<'f, 'a, E> = &'f mut dyn FnMut(&str, &'a str) -> Result<(), E>;
/// Told of an object's index and its members, or of its end.
pub(crate) type OnObjects<'f, 'a, E> =
    &'f mut dyn FnMut(usize, Option<(&str, &'a str)>) -> Result<(), E>;

/// Calls `on` with the unescaped key and the raw value of every member of the
/// object `text`.
pub(crate) fn members<'a, E>(text: &'a str, on: OnMember<'_, 'a, E>) -> Result<(), Stop<E>> {
    let mut fault = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let seed = Object {
        on,
        fault: &mut fault,
    };
    let walked = seed.deserialize(&mut json).and_then(|()| json.end());
    settle(walked, fault)
}

/// The raw values of `keys` in the object `text`. `None` if it is no object, or one of them stands
/// in it twice: two readers could take two different values.
pub(crate) fn pick<'a, const N: usize>(
    text: &'a str,
    keys: [&str; N],
) -> Option<[Option<&'a str>; N]> {
    let mut values = [None; N];
    members(text, &mut |key, value| {
        let found = keys.iter().position(|known| *known == key);
        match found.and_then(|index| values[index].replace(value)) {
            None => Ok(()),
            Some(_) => Err(()),
        }
    })
    .ok()?;
    Some(values)
}

/// Calls `on` for every member of every object in the array `text`, with the
/// object's index, and with `None` once after an object's last member.
pub(crate) fn objects<'a, E>(text: &'a str, on: OnObjects<'_, 'a, E>) -> Result<(), Stop<E>> {
    let mut fault = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let array = Array {
        on,
        fault: &mut fault,
    };
    let walked = json.deserialize_seq(array).and_then(|()| json.end());
    settle(walked, fault)
}

/// Calls `on` with the index and the raw value of every element of the array `text`.
pub(crate) fn elements<'a, E>(
    text: &'a str,
    on: &mut dyn FnMut(usize, &'a str) -> Result<(), E>,
) -> Result<(), Stop<E>> {
    let mut fault = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let array = Elements {
        on,
        fault: &mut fault,
    };
    let walked = json.deserialize_seq(array).and_then(|()| json.end());
    settle(walked, fault)
}

/// The place of `part` in `whole`, of which it must be a slice.
pub(crate) fn range_in(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// The text of a JSON string, its quotes included, unescaped. A lone half of
/// a surrogate pair, which no text can hold, leaves it as it was written.
pub(crate) fn unescape(string: &str) -> Cow<'_, str> {
    let inner = &string[1..string.len() - 1];
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(string).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// What sort of value a raw JSON value is, in words.
pub(crate) fn sort_of(value: &str) -> &'static str {
    match value.as_bytes() {
        [b'"', ..] => "a string",
        [b'{', ..] => "an object",
        [b'[', ..] => "an array",
        [b't' | b'f', ..] => "a boolean",
        [b'n', ..] => "null",
        _ => "a number",
    }
}

pub(crate) fn is_string(value: &str) -> bool {
    value.starts_with('"')
}

/// A fault of the callback travels beside serde's error, which cannot hold it.
fn settle<E>(walked: serde_json::Result<()>, fault: Option<E>) -> Result<(), Stop<E>> {
    match (fault, walked) {
        (Some(fault), _) => Err(Stop::Fault(fault)),
        (None, Err(error)) => Err(Stop::Json(error)),
        (None, Ok(())) => Ok(()),
    }
}

struct Object<'f, 'a, E> {
    on: OnMember<'f, 'a, E>,
    fault: &'f mut Option<E>,
}

impl<'a, E> DeserializeSeed<'a> for Object<'_, 'a, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a, E> Visitor<'a> for Object<'_, 'a, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let value = map.next_value::<&RawValue>()?.get();
            if let Err(fault) = (self.on)(&key, value) {
                *self.fault = Some(fault);
                return Err(A::Error::custom("stopped by the callback"));
            }
        }
        Ok(())
    }
}

/// A key, borrowed unless it is written with escapes.
pub(crate) struct Key;

impl<'a> DeserializeSeed<'a> for Key {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Key {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

struct Array<'f, 'a, E> {
    on: OnObjects<'f, 'a, E>,
    fault: &'f mut Option<E>,
}

impl<'a, E> Visitor<'a> for Array<'_, 'a, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { on, fault } = self;
        for index in 0.. {
            let object = Object {
                on: &mut |key, value| on(index, Some((key, value))),
                fault: &mut *fault,
            };
            if elements.next_element_seed(object)?.is_none() {
                break;
            }
            if let Err(stop) = on(index, None) {
                *fault = Some(stop);
                return Err(A::Error::custom("stopped by the callback"));
            }
        }
        Ok(())
    }
}

struct Elements<'f, 'a, E> {
    on: &'f mut dyn FnMut(usize, &'a str) -> Result<(), E>,
    fault: &'f mut Option<E>,
}

impl<'a, E> Visitor<'a> for Elements<'_, 'a, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(value) = elements.next_element::<&RawValue>()? {
            if let Err(fault) = (self.on)(index, value.get()) {
                *self.fault = Some(fault);
                return Err(A::Error::custom("stopped by the callback"));
            }
            index += 1;
        }
        Ok(())
    }
}
