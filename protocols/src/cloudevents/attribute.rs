//! Attributes of events: what they may be called, what they may say.

use std::borrow::Cow;

use super::fault::Fault;
use crate::rfc3339;

/// What an attribute says. Bytes, URIs and moments are text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// Text.
    Text(Box<str>),
    /// A whole number.
    Integer(i32),
    /// True or false.
    Boolean(bool),
}

impl Attribute {
    /// As header fields say it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
        }
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Whether an attribute may be called so. Names of any length are taken: no more than 20 characters
/// are asked of who chooses one, not of who reads it.
pub(super) fn is_name(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !name.is_empty() && name != "data" && name.bytes().all(letters)
}

/// Checks what an attribute of this name says.
pub(super) fn check(name: &str, value: &Attribute) -> Result<(), Fault> {
    if !is_name(name) {
        return Err(Fault::Name);
    }
    let wanted = match (name, value) {
        ("specversion", Attribute::Text(version)) if &**version == "1.0" => return Ok(()),
        ("specversion", _) => return Err(Fault::Version),
        (_, Attribute::Text(text)) if !is_text(text) => Some("text without control characters"),
        ("id" | "type" | "subject", Attribute::Text(text)) => {
            text.is_empty().then_some("text that is not empty")
        }
        ("source", Attribute::Text(text)) => {
            let sound = !text.is_empty() && is_uri_reference(text);
            (!sound).then_some("a URI reference that is not empty")
        }
        ("dataschema", Attribute::Text(text)) => {
            let sound = has_scheme(text) && is_uri_reference(text);
            (!sound).then_some("an absolute URI")
        }
        ("time", Attribute::Text(text)) => rfc3339::milliseconds(text)
            .is_none()
            .then_some("a moment as RFC 3339 writes it"),
        ("datacontenttype", Attribute::Text(text)) => {
            (!is_media_type(text)).then_some("a media type")
        }
        ("id" | "type" | "subject" | "source" | "dataschema" | "time" | "datacontenttype", _) => {
            Some("text")
        }
        _ => None,
    };
    match wanted {
        None => Ok(()),
        Some(wanted) => Err(Fault::Value {
            attribute: name.into(),
            wanted,
        }),
    }
}

/// No control characters, and none that Unicode says is none.
fn is_text(text: &str) -> bool {
    let no_character = |c: char| {
        let number = u32::from(c);
        (0xFDD0..=0xFDEF).contains(&number) || number & 0xFFFE == 0xFFFE
    };
    !text.chars().any(|c| c.is_control() || no_character(c))
}

/// Roughly what RFC 3986 lets through: no spaces, and nothing that delimits a URI in text.
fn is_uri_reference(text: &str) -> bool {
    let unfit = |c: char| {
        c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}')
    };
    !text.chars().any(unfit)
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(fits)
    })
}

fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(fits)
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let parts = essence.split_once('/');
    parts.is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}
