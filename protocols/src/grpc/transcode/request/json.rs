//! JSON as a message (protobuf's "ProtoJSON format"). What is wrong with it is found by reading it
//! again: who sends what is right does not pay for it.

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};
use serde::de::value::MapDeserializer;
use serde::de::{Deserializer, IntoDeserializer};
use serde_json::error::Category;
use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment, Track};

use super::fault::shown;
use super::order::ordered;
use super::{Fault, Part, What};
use crate::grpc::transcode::any;
use crate::grpc::transcode::field::{Expected, Shape};
use crate::grpc::transcode::message::Message;
use crate::grpc::transcode::route::Target;

/// The message of which `target` is `text`.
pub(in crate::grpc::transcode) fn read(
    asked: &Message,
    target: &Target,
    text: &[u8],
    number: u64,
) -> Result<DynamicMessage, Fault> {
    let message = &asked.descriptor;
    // An empty body is one that says nothing.
    if text.trim_ascii().is_empty() {
        return Ok(DynamicMessage::new(message.clone()));
    }
    let part = |error: &serde_json::Error| Part::Body {
        message: number,
        line: error.line(),
        column: error.column(),
    };
    let moved = match asked.has_any {
        true => ordered(text).map_err(|error| no_json(part(&error), &error))?,
        false => None,
    };
    let read = match &moved {
        Some(tree) => take(message, target, tree),
        None => {
            let mut json = serde_json::Deserializer::from_slice(text);
            take(message, target, &mut json).and_then(|read| json.end().map(|()| read))
        }
    };
    read.map_err(|error| {
        if error.classify() != Category::Data {
            return no_json(part(&error), &error);
        }
        let path = match &moved {
            Some(tree) => path(message, target, tree),
            None => path(
                message,
                target,
                &mut serde_json::Deserializer::from_slice(text),
            ),
        };
        fault(asked, target, part(&error), &error, &path, text)
    })
}

fn take<'de, D: Deserializer<'de>>(
    message: &MessageDescriptor,
    target: &Target,
    body: D,
) -> Result<DynamicMessage, D::Error> {
    match target {
        Target::Whole => DynamicMessage::deserialize(message.clone(), body),
        Target::Field(field) => {
            let only = MapDeserializer::new(std::iter::once((field.name(), Body(body))));
            DynamicMessage::deserialize(message.clone(), only)
        }
    }
}

/// A body as the value of a field.
struct Body<D>(D);

impl<'de, D: Deserializer<'de>> IntoDeserializer<'de, D::Error> for Body<D> {
    type Deserializer = D;

    fn into_deserializer(self) -> D {
        self.0
    }
}

/// Where the first thing is that cannot be taken.
fn path<'de, D: Deserializer<'de>>(message: &MessageDescriptor, target: &Target, body: D) -> Path {
    let mut track = Track::new();
    let message = message.clone();
    match target {
        Target::Whole => {
            let tracked = serde_path_to_error::Deserializer::new(body, &mut track);
            let _known = DynamicMessage::deserialize(message, tracked);
        }
        Target::Field(field) => {
            let only = MapDeserializer::new(std::iter::once((field.name(), Body(body))));
            let tracked = serde_path_to_error::Deserializer::new(only, &mut track);
            let _known = DynamicMessage::deserialize(message, tracked);
        }
    }
    track.path()
}

fn no_json(part: Part, error: &serde_json::Error) -> Fault {
    let (field, what) = (None, What::Json { why: reason(error) });
    Fault { part, field, what }
}

fn fault(
    asked: &Message,
    target: &Target,
    part: Part,
    error: &serde_json::Error,
    path: &Path,
    body: &[u8],
) -> Fault {
    let within = name(path).or_else(|| match target {
        Target::Whole => None,
        // Where the field begins that the body is, the one who tracks is told of no key.
        Target::Field(field) => Some(field.name().to_owned()),
    });
    let text = error.to_string();
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
        let json = asked.has_any.then(|| whole(target, body)).flatten();
        let expected = expected(&asked.descriptor, path, json.as_ref());
        What::Value { expected }
    };
    let field = within;
    Fault { part, field, what }
}

/// A body with what stands around it in the message.
fn whole(target: &Target, body: &[u8]) -> Option<Value> {
    let json = serde_json::from_slice::<Value>(body).ok()?;
    Some(match target {
        Target::Whole => json,
        Target::Field(field) => json!({ field.name(): json }),
    })
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

/// What should be where a path leads in a message that was to be made of `json`.
fn expected(message: &MessageDescriptor, path: &Path, json: Option<&Value>) -> String {
    let (mut kind, mut shape) = (Kind::Message(message.clone()), Shape::One);
    let mut there = json;
    for segment in path.iter() {
        (kind, shape) = match (segment, kind, shape) {
            (Segment::Seq { .. }, kind, Shape::List) => (kind, Shape::One),
            (Segment::Map { .. }, Kind::Message(entry), Shape::Map) => {
                (entry.map_entry_value_field().kind(), Shape::One)
            }
            (Segment::Map { key }, Kind::Message(message), Shape::One) => {
                member(any::written(message, there), key)
            }
            (_, kind, shape) => (kind, shape),
        };
        there = there.and_then(|there| match segment {
            Segment::Seq { index } => there.get(index),
            Segment::Map { key } => there.get(key),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
    }
    let kind = &kind;
    Expected { kind, shape }.to_string()
}

fn member(message: MessageDescriptor, key: &str) -> (Kind, Shape) {
    let field = message.get_field_by_json_name(key);
    match field.or_else(|| message.get_field_by_name(key)) {
        Some(field) if message.full_name() != any::ANY => (field.kind(), Shape::of(&field)),
        // Within a message that JSON writes in its own way.
        _ => (Kind::Message(message), Shape::One),
    }
}
