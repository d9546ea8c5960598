//! The Kafka protocol binding: in binary content mode each attribute is a header of the record, and its
//! value is the data; in structured content mode the value is the event as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::attribute::Attribute;
use super::{CONTENT_TYPE, Event, Fault, MEDIA_TYPE, PARTITION_KEY, begins_with, json};

/// What headers of attributes begin with.
const PREFIX: &str = "ce_";
/// The header that says what the value is.
const VALUE_TYPE: &str = "content-type";

/// What a record is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What the extension for partitioning says, if the event has it.
    pub key: Option<Bytes>,
    /// UTF-8, in order.
    pub headers: Vec<(Cow<'static, str>, Bytes)>,
    /// None is that of an event without data in binary mode: to a compacted topic, that is the end
    /// of the key.
    pub value: Option<Bytes>,
}

/// An event in binary content mode; in structured content mode, if its data is events itself, which who
/// reads could not tell from it.
pub fn binary(event: &Event) -> Record {
    let media_type = event.attribute(CONTENT_TYPE);
    if media_type.is_some_and(|it| begins_with(&it, MEDIA_TYPE)) {
        return structured(event, None);
    }
    let plain = event.plain();
    let mut headers: Vec<(Cow<'static, str>, Bytes)> = plain
        .map(|(name, value)| (format!("{PREFIX}{name}").into(), text(value)))
        .collect();
    if let Some(media_type) = event.attribute(CONTENT_TYPE) {
        headers.push((VALUE_TYPE.into(), text(media_type)));
    }
    Record {
        key: key(event),
        headers,
        value: event.data().cloned(),
    }
}

/// An event in structured content mode; `json` is its text, if it came as that.
pub fn structured(event: &Event, json: Option<Bytes>) -> Record {
    let media_type = Bytes::from_static(json::MEDIA_TYPE.as_bytes());
    Record {
        key: key(event),
        headers: vec![(VALUE_TYPE.into(), media_type)],
        value: Some(json.unwrap_or_else(|| json::write(event).into())),
    }
}

/// Reads an event out of a record in either mode; `None` if it holds none.
///
/// # Errors
/// It says that it holds one, and it is none.
pub fn read<'h>(
    headers: impl Iterator<Item = (&'h str, Option<&'h [u8]>)>,
    value: Option<Bytes>,
) -> Result<Option<Event>, Fault> {
    let mut attributes = BTreeMap::new();
    for (header, value) in headers {
        let (Some(name), Some(value)) = (name_of(header), value) else {
            continue;
        };
        let Ok(text) = std::str::from_utf8(value) else {
            let wanted = "UTF-8";
            let attribute = name.into();
            return Err(Fault::Value { attribute, wanted });
        };
        if attributes.insert(name.into(), text.into()).is_some() {
            return Err(Fault::Twice(name.into()));
        }
    }
    let media_type = attributes.get(CONTENT_TYPE).map(Attribute::text);
    if let Some(media_type) = media_type.filter(|it| begins_with(it, MEDIA_TYPE)) {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/cloudevents+json") {
            return Err(Fault::Format);
        }
        return json::read(&value.unwrap_or_default()).map(Some);
    }
    match attributes.contains_key("specversion") {
        true => Event::new(attributes, value).map(Some),
        false => Ok(None),
    }
}

/// The attribute that a header is.
fn name_of(header: &str) -> Option<&str> {
    match header.eq_ignore_ascii_case(VALUE_TYPE) {
        true => Some(CONTENT_TYPE),
        false => header.strip_prefix(PREFIX),
    }
}

fn key(event: &Event) -> Option<Bytes> {
    event.attribute(PARTITION_KEY).map(text)
}

fn text(text: Cow<'_, str>) -> Bytes {
    text.into_owned().into()
}
