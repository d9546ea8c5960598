//! Messages as JSON (protobuf's "ProtoJSON format").

use std::collections::HashMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, MessageDescriptor, ReflectMessage as _, SerializeOptions,
};
use serde_json::value::RawValue;

use super::floats::Floats;
use super::{Fault, Options};
use crate::grpc::transcode::any;
use crate::grpc::transcode::route::{Answer, Target};

pub(in crate::grpc::transcode) fn decode(
    message: &MessageDescriptor,
    bytes: Bytes,
) -> Result<DynamicMessage, Fault> {
    DynamicMessage::decode(message.clone(), bytes).map_err(|error| Fault::Message {
        name: message.full_name().to_owned(),
        why: error.to_string(),
    })
}

/// Appends what is meant of a message.
pub(super) fn write(
    message: DynamicMessage,
    answer: &Answer,
    options: Options,
    out: &mut BytesMut,
) -> Result<(), Fault> {
    if answer.has_any && !any::is_bounded(&message) {
        return Err(Fault::Nested);
    }
    match &answer.target {
        Target::Whole => whole(&message, &options.serialize(), out),
        Target::Field(field) => one(message, field, options, out),
    }
}

pub(in crate::grpc::transcode) fn whole(
    message: &DynamicMessage,
    options: &SerializeOptions,
    out: &mut BytesMut,
) -> Result<(), Fault> {
    let before = out.len();
    let mut json = serde_json::Serializer::new((&mut *out).writer());
    let written = message.serialize_with_options(Floats(&mut json), options);
    written.map_err(|error| {
        out.truncate(before);
        Fault::Json {
            name: message.descriptor().full_name().to_owned(),
            why: error.to_string(),
        }
    })
}

/// The value of a field: written in a message that has no other, and cut out of that.
fn one(
    mut message: DynamicMessage,
    field: &FieldDescriptor,
    options: Options,
    out: &mut BytesMut,
) -> Result<(), Fault> {
    let mut only = DynamicMessage::new(message.descriptor());
    let mut serialize = options.serialize();
    match message.take_field(field) {
        Some(value) => only.set_field(field, value),
        None => serialize = serialize.skip_default_fields(false),
    }
    let mut text = BytesMut::new();
    whole(&only, &serialize, &mut text)?;
    let fields: HashMap<&str, &RawValue> =
        serde_json::from_slice(&text).map_err(|error| Fault::Json {
            name: field.full_name().to_owned(),
            why: error.to_string(),
        })?;
    let name = match options.preserve_field_names {
        true => field.name(),
        false => field.json_name(),
    };
    // A message that is not there.
    let value = fields.get(name).map_or("null", |value| value.get());
    out.extend_from_slice(value.as_bytes());
    Ok(())
}
