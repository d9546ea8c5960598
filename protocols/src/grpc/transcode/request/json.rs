//! JSON as a message (protobuf's "ProtoJSON format"). What is wrong with it is found by reading it
//! again: who sends what is right does not pay for it.

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};
use serde::de::IntoDeserializer;
use serde::de::value::MapDeserializer;
use serde_json::de::SliceRead;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment, Track};

use super::fault::shown;
use super::{Fault, Part, What};
use crate::grpc::transcode::field::{Expected, Shape};
use crate::grpc::transcode::route::Target;

type Json<'de> = serde_json::Deserializer<SliceRead<'de>>;

/// The message of which `target` is `text`.
pub(super) fn read(
    message: &MessageDescriptor,
    target: &Target,
    text: &[u8],
    number: u64,
) -> Result<DynamicMessage, Fault> {
    // An empty body is one that says nothing.
    if text.trim_ascii().is_empty() {
        return Ok(DynamicMessage::new(message.clone()));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = match target {
        Target::Whole => DynamicMessage::deserialize(message.clone(), &mut json),
        Target::Field(field) => {
            let only = MapDeserializer::new(std::iter::once((field.name(), Body(&mut json))));
            DynamicMessage::deserialize(message.clone(), only)
        }
    };
    match read.and_then(|read| json.end().map(|()| read)) {
        Ok(read) => Ok(read),
        Err(error) => Err(fault(message, target, text, number, &error)),
    }
}

/// A body as the value of a field.
struct Body<'a, 'de>(&'a mut Json<'de>);

impl<'a, 'de> IntoDeserializer<'de, serde_json::Error> for Body<'a, 'de> {
    type Deserializer = &'a mut Json<'de>;

    fn into_deserializer(self) -> Self::Deserializer {
        self.0
    }
}

fn fault(
    message: &MessageDescriptor,
    target: &Target,
    text: &[u8],
    number: u64,
    error: &serde_json::Error,
) -> Fault {
    let part = Part::Body {
        message: number,
        line: error.line(),
        column: error.column(),
    };
    if error.classify() != Category::Data {
        let (field, what) = (None, What::Json { why: reason(error) });
        return Fault { part, field, what };
    }
    let mut track = Track::new();
    let mut json = serde_json::Deserializer::from_slice(text);
    // Where the field begins that the body is, the one who tracks is told of no key.
    let (root, shape, prefix) = match target {
        Target::Whole => {
            let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
            let _known = DynamicMessage::deserialize(message.clone(), tracked);
            (Kind::Message(message.clone()), Shape::One, None)
        }
        Target::Field(field) => {
            let only = MapDeserializer::new(std::iter::once((field.name(), Body(&mut json))));
            let tracked = serde_path_to_error::Deserializer::new(only, &mut track);
            let _known = DynamicMessage::deserialize(message.clone(), tracked);
            let root = Kind::Message(message.clone());
            (root, Shape::One, Some(field.name()))
        }
    };
    let path = track.path();
    let text = error.to_string();
    let within = name(&path).or(prefix.map(str::to_owned));
    if let Some(unknown) = text.strip_prefix("unrecognized field name '") {
        let unknown = unknown.rsplit_once('\'').map_or(unknown, |(name, _)| name);
        let field = match within {
            Some(within) => format!("{within}.{}", shown(unknown)),
            None => shown(unknown),
        };
        let (field, what) = (Some(field), What::Unknown);
        return Fault { part, field, what };
    }
    let what = if text.starts_with("multiple fields provided for oneof") {
        What::Choice
    } else {
        let expected = expected(root, shape, &path);
        What::Value { expected }
    };
    let field = within;
    Fault { part, field, what }
}

/// What the parser says, without the place, which is said already. It repeats nothing of the text.
fn reason(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => said,
    }
}

/// The path as people write it, if it leads anywhere.
fn name(path: &Path) -> Option<String> {
    let mut out = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&shown(key));
            }
            Segment::Unknown => {}
        }
    }
    (!out.is_empty()).then_some(out)
}

/// What should be where a path leads.
fn expected(mut kind: Kind, mut shape: Shape, path: &Path) -> String {
    for segment in path.iter() {
        (kind, shape) = match (segment, kind, shape) {
            (Segment::Seq { .. }, kind, Shape::List) => (kind, Shape::One),
            (Segment::Map { .. }, Kind::Message(entry), Shape::Map) => {
                (entry.map_entry_value_field().kind(), Shape::One)
            }
            (Segment::Map { key }, Kind::Message(message), Shape::One) => {
                let field = message.get_field_by_json_name(key);
                match field.or_else(|| message.get_field_by_name(key)) {
                    Some(field) => (field.kind(), Shape::of(&field)),
                    // Within a message that JSON writes in its own way.
                    None => (Kind::Message(message), Shape::One),
                }
            }
            (_, kind, shape) => (kind, shape),
        };
    }
    let kind = &kind;
    Expected { kind, shape }.to_string()
}
