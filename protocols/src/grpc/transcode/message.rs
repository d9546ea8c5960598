//! A type of message alone, for who has messages and no call: JSON to its bytes and back (protobuf's
//! "ProtoJSON format"). Does not know where the bytes go.

use std::collections::HashSet;
use std::fmt;

use bytes::{Bytes, BytesMut};
use prost_reflect::prost::Message as _;
use prost_reflect::{Cardinality, DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value};

use super::any;
use super::request::{self, Part, What, json as read};
use super::response::{self, json as write};
use super::route::Target;

/// A type of message.
#[derive(Clone)]
pub struct Message {
    pub(super) descriptor: MessageDescriptor,
    /// Whether a `google.protobuf.Any` may be in it, whose nesting its own bytes do not bound.
    pub(super) has_any: bool,
    /// Whether a field of it, or of a message in it, is required.
    requires: bool,
}

impl Message {
    pub(in crate::grpc) fn new(descriptor: MessageDescriptor) -> Self {
        Self {
            has_any: any::is_within(&descriptor),
            requires: requires(&descriptor, &mut HashSet::new()),
            descriptor,
        }
    }

    /// Its name with its package.
    pub fn name(&self) -> &str {
        self.descriptor.full_name()
    }

    /// Its place in its file: the index of the outermost message it is in, then of each within.
    pub fn indexes(&self) -> Vec<usize> {
        // The path alternates between numbers of fields of the descriptor and indexes in them.
        let places = self.descriptor.path().iter().skip(1).step_by(2);
        places
            .filter_map(|index| usize::try_from(*index).ok())
            .collect()
    }

    /// The number of its field of this name, if that holds one text.
    pub fn text_field(&self, name: &str) -> Option<u32> {
        let field = self.descriptor.get_field_by_name(name)?;
        let one = field.cardinality() != Cardinality::Repeated;
        (one && matches!(field.kind(), Kind::String)).then(|| field.number())
    }

    /// The bytes of one with these fields, as far as it has fields of these names.
    ///
    /// # Errors
    /// If one of them holds nothing of the kind, or a field is required that is not among them.
    pub fn fill(&self, fields: &[(&str, serde_json::Value)]) -> Result<Vec<u8>, request::Fault> {
        let known = fields
            .iter()
            .filter(|(name, _)| self.descriptor.get_field_by_name(name).is_some());
        let known: serde_json::Map<_, _> = known
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        self.read(serde_json::Value::from(known).to_string().as_bytes())
    }

    /// Whether these are the bytes of such a message. Fields that it does not know are no fault.
    pub fn is(&self, bytes: Bytes) -> bool {
        write::decode(&self.descriptor, bytes).is_ok()
    }

    /// The bytes of the message that `text` is in JSON.
    ///
    /// # Errors
    /// If it is no such message, or lacks a field that is required (proto2).
    pub fn read(&self, text: &[u8]) -> Result<Vec<u8>, request::Fault> {
        let message = read::read(self, &Target::Whole, text, 1)?;
        let lacking = self.requires.then(|| lacking(&message)).flatten();
        match lacking {
            None => Ok(message.encode_to_vec()),
            Some(field) => Err(request::Fault {
                part: Part::Body {
                    message: 1,
                    line: 0,
                    column: 0,
                },
                field: Some(field),
                what: What::Lacking,
            }),
        }
    }

    /// The message as JSON.
    ///
    /// # Errors
    /// If the bytes are none, or it holds what JSON cannot say.
    pub fn write(
        &self,
        bytes: Bytes,
        options: response::Options,
    ) -> Result<BytesMut, response::Fault> {
        let message = write::decode(&self.descriptor, bytes)?;
        if self.has_any && !any::is_bounded(&message) {
            return Err(response::Fault::Nested);
        }
        let mut out = BytesMut::new();
        write::whole(&message, &options.serialize(), &mut out)?;
        Ok(out)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&self.name()).finish()
    }
}

/// A required field that a message does not have, itself or further within.
fn lacking(message: &DynamicMessage) -> Option<String> {
    let lacks = |field: &prost_reflect::FieldDescriptor| {
        field.cardinality() == Cardinality::Required && !message.has_field(field)
    };
    if let Some(field) = message.descriptor().fields().find(lacks) {
        return Some(field.name().to_owned());
    }
    message.fields().find_map(|(field, value)| {
        let within = within(value)?;
        Some(format!("{}.{within}", field.name()))
    })
}

fn within(value: &Value) -> Option<String> {
    match value {
        Value::Message(message) => lacking(message),
        Value::List(values) => values.iter().find_map(within),
        Value::Map(values) => values.values().find_map(within),
        _ => None,
    }
}

/// Whether anything is required in a message of this type.
fn requires(message: &MessageDescriptor, seen: &mut HashSet<String>) -> bool {
    seen.insert(message.full_name().to_owned())
        && message.fields().any(|field| {
            field.cardinality() == Cardinality::Required
                || matches!(field.kind(), Kind::Message(kind) if requires(&kind, seen))
        })
}
