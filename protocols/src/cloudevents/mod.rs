//! CloudEvents 1.0: events as HTTP requests, JSON documents and Kafka records carry them.
//!
//! | Module | Knows |
//! |---|---|
//! | `attribute` | what an attribute may be called, and what it may say |
//! | `fault` | why something is no event |
//! | [`http`] | the HTTP protocol binding: binary content mode, and which mode a request is in |
//! | [`json`] | the JSON event format, alone and in batches: structured content mode |
//! | [`kafka`] | the Kafka protocol binding, both modes, both ways |
//!
//! An [`Event`] has been checked: its required attributes are there, and each one says what its type
//! allows. What is not in an event is never made up. It does not know where events go.

mod attribute;
mod fault;
pub mod http;
pub mod json;
pub mod kafka;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;

pub use attribute::Attribute;
pub use fault::Fault;

/// What media types of events begin with.
const MEDIA_TYPE: &str = "application/cloudevents";
/// An attribute that is a header field of its own in every binary mode.
const CONTENT_TYPE: &str = "datacontenttype";
/// The attribute of the extension for partitioning.
const PARTITION_KEY: &str = "partitionkey";

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    attributes: BTreeMap<Box<str>, Attribute>,
    data: Option<Bytes>,
}

impl Event {
    /// Checks what it is made of.
    fn new(attributes: BTreeMap<Box<str>, Attribute>, data: Option<Bytes>) -> Result<Self, Fault> {
        for (name, value) in &attributes {
            attribute::check(name, value)?;
        }
        for required in ["specversion", "id", "source", "type"] {
            if !attributes.contains_key(required) {
                return Err(Fault::Missing(required));
            }
        }
        Ok(Self { attributes, data })
    }

    /// What an attribute says, as text; `None` if it is not there. `specversion` is one too.
    pub fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        self.attributes.get(name).map(Attribute::text)
    }

    /// The attributes, in the order of their names.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        let attributes = self.attributes.iter();
        attributes.map(|(name, value)| (&**name, value))
    }

    /// What it carries, in the encoding that `datacontenttype` says.
    pub fn data(&self) -> Option<&Bytes> {
        self.data.as_ref()
    }

    /// The attributes that are header fields of their own names in binary modes.
    fn plain(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let plain = self.attributes().filter(|(name, _)| *name != CONTENT_TYPE);
        plain.map(|(name, value)| (name, value.text()))
    }
}

/// Whether data of this media type is JSON.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    let suffix = subtype
        .rsplit_once('+')
        .map_or(subtype, |(_, suffix)| suffix);
    suffix.eq_ignore_ascii_case("json")
}

/// Whether a media type begins so, whatever the case.
fn begins_with(media_type: &str, start: &str) -> bool {
    let begins = media_type.as_bytes().get(..start.len());
    begins.is_some_and(|begins| begins.eq_ignore_ascii_case(start.as_bytes()))
}
