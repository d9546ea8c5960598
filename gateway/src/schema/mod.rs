//! Schemas of records: JSON that callers send becomes what the readers of a topic expect, and back.
//!
//! A [`Codec`] is one schema, compiled: JSON Schema, Avro or Protobuf. Where it comes from (a file, or
//! a registry that knows schemas by id) is the business of [`values`] and [`registry`]. What does not
//! fit is a [`Fault`] that says where and what was wanted, and never repeats a value.

mod avro;
mod fault;
mod json;
mod protobuf;
mod reading;
pub(crate) mod registry;
pub(crate) mod values;
mod wire;

use bytes::Bytes;

pub use fault::Fault;
pub(crate) use reading::Reading;
pub(crate) use values::{Values, encode};

/// A schema, ready to be used.
#[derive(Debug)]
pub enum Codec {
    /// JSON Schema: records are the JSON itself.
    Json(json::Json),
    /// Avro: records are its binary encoding.
    Avro(avro::Avro),
    /// A message of Protobuf: records are its bytes.
    Protobuf(protobuf::Protobuf),
}

/// The text of a schema that another refers to, and the name by which it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name: of a type in Avro, of a file in Protobuf, a URI in JSON Schema.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Codec {
    /// The codec of a JSON Schema.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn json(text: &str, references: &[Reference]) -> Result<Self, String> {
        json::Json::build(text, references).map(Self::Json)
    }

    /// The codec of an Avro schema.
    ///
    /// # Errors
    /// As for [`Codec::json`].
    pub fn avro(text: &str, references: &[Reference]) -> Result<Self, String> {
        avro::Avro::build(text, references).map(Self::Avro)
    }

    /// The codec of a message that a set of descriptors describes.
    ///
    /// # Errors
    /// As for [`Codec::json`].
    pub fn descriptors(set: &[u8], message: &str) -> Result<Self, String> {
        protobuf::Protobuf::of_set(set, message).map(Self::Protobuf)
    }

    /// The codec of a message of a `.proto` file; of its first one, where none is named.
    ///
    /// # Errors
    /// As for [`Codec::json`].
    pub fn proto(
        text: &str,
        references: &[Reference],
        message: Option<&str>,
    ) -> Result<Self, String> {
        protobuf::Protobuf::of_source(text, references, message).map(Self::Protobuf)
    }

    /// The record that `json` is to be.
    ///
    /// # Errors
    /// If it is no JSON, or does not fit.
    pub fn encode(&self, json: Bytes) -> Result<Bytes, Fault> {
        match self {
            Self::Json(schema) => schema.check(&json).map(|()| json),
            Self::Avro(schema) => schema.encode(&json).map(Bytes::from),
            Self::Protobuf(schema) => schema.encode(&json).map(Bytes::from),
        }
    }

    /// The JSON of a record.
    ///
    /// # Errors
    /// If the record is none of this schema.
    pub fn decode(&self, record: Bytes) -> Result<Bytes, Fault> {
        match self {
            Self::Json(schema) => schema.check(&record).map(|()| record),
            Self::Avro(schema) => schema.decode(&record).map(Bytes::from),
            Self::Protobuf(schema) => schema.decode(record),
        }
    }
}
