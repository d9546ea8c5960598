//! The HTTP protocol binding: in binary content mode each attribute is a header field, and the body is
//! the data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;

use super::attribute::{Attribute, is_name};
use super::{CONTENT_TYPE, Event, Fault, MEDIA_TYPE, begins_with};

/// What fields of attributes begin with.
const PREFIX: &str = "ce-";

/// How a request carries events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Attributes in header fields.
    Binary,
    /// One event in the body.
    Structured,
    /// Events in the body.
    Batch,
}

/// How a request of this `Content-Type` carries events; `None` if it carries none. A field of any
/// required attribute says that an event is meant, whether or not it is whole.
///
/// # Errors
/// A format of events that is not JSON.
pub fn mode(
    content_type: Option<&str>,
    mut fields: impl Iterator<Item = impl AsRef<str>>,
) -> Result<Option<Mode>, Fault> {
    let essence = content_type.unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim();
    if begins_with(essence, MEDIA_TYPE) {
        return match essence[MEDIA_TYPE.len()..].to_ascii_lowercase().as_str() {
            "+json" => Ok(Some(Mode::Structured)),
            "-batch+json" => Ok(Some(Mode::Batch)),
            _ => Err(Fault::Format),
        };
    }
    let meant = fields.any(|field| {
        let field = field.as_ref().to_ascii_lowercase();
        matches!(
            &*field,
            "ce-specversion" | "ce-id" | "ce-source" | "ce-type"
        )
    });
    Ok(meant.then_some(Mode::Binary))
}

/// Reads an event in binary content mode out of a request's fields, which may be any, and its body.
/// An empty body is no data.
///
/// # Errors
/// Why it is no event.
pub fn read<'f>(
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
    body: Bytes,
) -> Result<Event, Fault> {
    let mut attributes = BTreeMap::new();
    for (field, value) in fields {
        let name = match field.to_ascii_lowercase() {
            field if field == "content-type" => CONTENT_TYPE.to_owned(),
            field => match field.strip_prefix(PREFIX) {
                Some("data") => return Err(Fault::NoAttribute("data")),
                Some(CONTENT_TYPE) => return Err(Fault::NoAttribute(CONTENT_TYPE)),
                Some(name) => name.to_owned(),
                None => continue,
            },
        };
        if !is_name(&name) {
            return Err(Fault::Name);
        }
        let text = match name.as_str() {
            // No attribute in the field's own grammar, so it is as it stands.
            CONTENT_TYPE => std::str::from_utf8(value).ok().map(str::to_owned),
            _ => decode(value),
        };
        let Some(text) = text else {
            let (attribute, wanted) = (name.into(), "UTF-8, percent-encoded");
            return Err(Fault::Value { attribute, wanted });
        };
        let value = Attribute::Text(text.into());
        if attributes.insert(name.clone().into(), value).is_some() {
            return Err(Fault::Twice(name.into()));
        }
    }
    Event::new(attributes, (!body.is_empty()).then_some(body))
}

/// The fields of an event in binary content mode; its body is the data.
pub fn write(event: &Event) -> Vec<(String, String)> {
    let plain = event.plain();
    let mut fields: Vec<_> = plain
        .map(|(name, value)| (format!("{PREFIX}{name}"), encode(&value).into_owned()))
        .collect();
    if let Some(media_type) = event.attribute(CONTENT_TYPE) {
        fields.push(("content-type".to_owned(), media_type.into_owned()));
    }
    fields
}

/// What a field says of an attribute: quotes are taken off, and then what is percent-encoded is
/// decoded once. A lone `%` stands for itself.
fn decode(value: &[u8]) -> Option<String> {
    let unquoted = unquote(value);
    let mut bytes = Vec::with_capacity(unquoted.len());
    let mut rest = &*unquoted;
    while let Some((&first, after)) = rest.split_first() {
        let pair = after.split_at_checked(2).filter(|_| first == b'%');
        let hex = pair.and_then(|(pair, after)| Some((hex(pair)?, after)));
        let (byte, after) = hex.unwrap_or((first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = pair else { return None };
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// Takes the quotes off a quoted string (RFC 9110 §5.6.4).
fn unquote(value: &[u8]) -> Cow<'_, [u8]> {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let Some(inner) = inner else {
        return Cow::Borrowed(value);
    };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => bytes.extend(rest.next()),
            byte => bytes.push(*byte),
        }
    }
    Cow::Owned(bytes)
}

/// As a field says it: what is not printable ASCII, spaces, quotes and `%` are percent-encoded.
fn encode(text: &str) -> Cow<'_, str> {
    let stays = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%');
    if text.as_bytes().iter().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if stays(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let written = write!(encoded, "%{byte:02X}");
            debug_assert!(written.is_ok());
        }
    }
    Cow::Owned(encoded)
}
