//! The JSON event format: structured content mode, and batches.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::attribute::{Attribute, is_name};
use super::{CONTENT_TYPE, Event, Fault, is_json};

/// The media type of an event.
pub const MEDIA_TYPE: &str = "application/cloudevents+json; charset=UTF-8";
/// The media type of several.
pub const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json; charset=UTF-8";

/// Reads an event. Data that is JSON is left as it was sent.
///
/// # Errors
/// Why it is no event.
pub fn read(json: &Bytes) -> Result<Event, Fault> {
    let Members(members) = serde_json::from_slice(json).map_err(|_| Fault::Json)?;
    let mut attributes = BTreeMap::new();
    let (mut data, mut base64) = (None, None);
    for (name, value) in members {
        // A member that says null is one that is not there.
        if value.get() == "null" {
            continue;
        }
        let known = match name.as_str() {
            "data" => data.replace(value).is_some(),
            "data_base64" => base64.replace(value).is_some(),
            name if !is_name(name) => return Err(Fault::Name),
            name => {
                let value = attribute(name, value)?;
                attributes.insert(name.into(), value).is_some()
            }
        };
        if known {
            return Err(Fault::Twice(name.into()));
        }
    }
    let data = match (data, base64) {
        (Some(_), Some(_)) => return Err(Fault::TwoData),
        (None, None) => None,
        (None, Some(value)) => Some(decoded(value)?),
        (Some(value), None) => Some(sent(json, value, &mut attributes)?),
    };
    Event::new(attributes, data)
}

/// An element of a batch: its text, and the event that it is.
pub type Member = (Bytes, Result<Event, Fault>);

/// Reads a batch of at most so many events, each by itself: its text, and what it is.
///
/// # Errors
/// It is no array, or one of too many.
pub fn read_batch(json: &Bytes, most: usize) -> Result<Vec<Member>, Fault> {
    let elements: Vec<&RawValue> = serde_json::from_slice(json).map_err(|_| Fault::Json)?;
    if elements.len() > most {
        return Err(Fault::TooMany(most));
    }
    let texts = elements
        .into_iter()
        .map(|text| json.slice_ref(text.get().as_bytes()));
    Ok(texts.map(|text| (text.clone(), read(&text))).collect())
}

/// An event in structured content mode.
pub fn write(event: &Event) -> Vec<u8> {
    let mut json = Vec::with_capacity(event.data().map_or(256, |data| data.len() + 256));
    json.push(b'{');
    for (name, value) in event.attributes() {
        let value = match value {
            Attribute::Text(text) => string(text),
            Attribute::Integer(_) | Attribute::Boolean(_) => value.text().into_owned(),
        };
        member(&mut json, name, value.as_bytes());
    }
    if let Some(data) = event.data() {
        write_data(&mut json, event.attribute(CONTENT_TYPE).as_deref(), data);
    }
    json.push(b'}');
    json
}

/// Events in batched content mode.
pub fn write_batch<'e>(events: impl Iterator<Item = &'e Event>) -> Vec<u8> {
    let mut json = vec![b'['];
    for event in events {
        separate(&mut json, b'[');
        json.extend(write(event));
    }
    json.push(b']');
    json
}

/// JSON is a value of its own, text is a string, and anything else base64: what data without a media
/// type is, nobody said.
fn write_data(json: &mut Vec<u8>, media_type: Option<&str>, data: &Bytes) {
    match (media_type, std::str::from_utf8(data)) {
        (Some(media_type), Ok(text)) if !is_json(media_type) => {
            member(json, "data", string(text).as_bytes());
        }
        (Some(_), Ok(text)) if is_whole(text) => member(json, "data", data),
        _ => {
            let base64 = format!("\"{}\"", STANDARD.encode(data));
            member(json, "data_base64", base64.as_bytes());
        }
    }
}

/// Whether a text is one JSON value and nothing else, and is still there once it is read as a member.
fn is_whole(text: &str) -> bool {
    let value = serde_json::from_str::<&RawValue>(text);
    value.is_ok_and(|value| value.get().len() == text.len() && text != "null")
}

fn member(json: &mut Vec<u8>, name: &str, value: &[u8]) {
    separate(json, b'{');
    json.extend(string(name).into_bytes());
    json.push(b':');
    json.extend(value);
}

fn separate(json: &mut Vec<u8>, open: u8) {
    if *json != [open] {
        json.push(b',');
    }
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn attribute(name: &str, value: &RawValue) -> Result<Attribute, Fault> {
    let value = value.get();
    let read = match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Box<str>>(value)
            .ok()
            .map(Attribute::Text),
        Some(b't') => Some(Attribute::Boolean(true)),
        Some(b'f') => Some(Attribute::Boolean(false)),
        _ => value.parse().ok().map(Attribute::Integer),
    };
    read.ok_or(Fault::Value {
        attribute: name.into(),
        wanted: "text, true or false, or a whole number of 32 bits",
    })
}

fn decoded(value: &RawValue) -> Result<Bytes, Fault> {
    let text: String = serde_json::from_str(value.get()).map_err(|_| Fault::Base64)?;
    let bytes = STANDARD.decode(text).map_err(|_| Fault::Base64)?;
    Ok(bytes.into())
}

/// What `data` holds: JSON as it stands, unless it is a string that holds something else. An event
/// that does not say what its data is says that it is JSON; elsewhere that has to be written out.
fn sent(
    json: &Bytes,
    value: &RawValue,
    attributes: &mut BTreeMap<Box<str>, Attribute>,
) -> Result<Bytes, Fault> {
    let media_type = attributes
        .entry(CONTENT_TYPE.into())
        .or_insert_with(|| "application/json".into());
    if is_json(&media_type.text()) {
        return Ok(json.slice_ref(value.get().as_bytes()));
    }
    let text = serde_json::from_str::<String>(value.get());
    text.map(Bytes::from).map_err(|_| Fault::Data)
}

/// The members of an object, as they come.
struct Members<'j>(Vec<(String, &'j RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
