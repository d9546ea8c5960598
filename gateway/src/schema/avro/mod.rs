//! Avro: JSON to its binary encoding and back (Apache Avro 1.12, "Binary Encoding").
//!
//! Callers write plain JSON. A value of a union is written as it is where only one branch can take it,
//! and as Avro's JSON encoding has it, `{"type": value}`, where it has to be told. Logical types are
//! the numbers and texts they stand on, but for decimals, which are decimal text.

mod decimal;
mod read;
mod types;
mod write;

use super::json::parse;
use super::{Fault, Reference};
use crate::large;
use read::Reader;
use types::Types;

/// Values nest at most this deep.
const DEEPEST: usize = 128;

/// An Avro schema.
#[derive(Debug)]
pub struct Avro(Types);

impl Avro {
    /// Compiles one.
    pub(super) fn build(text: &str, references: &[Reference]) -> Result<Self, String> {
        Types::build(text, references).map(Self)
    }

    /// The record of a JSON text.
    pub(super) fn encode(&self, json: &[u8]) -> Result<Vec<u8>, Fault> {
        large::work(json.len(), || {
            let value = parse(json)?;
            write::record(&self.0, &value, json.len())
        })
    }

    /// The JSON of a record.
    pub(super) fn decode(&self, record: &[u8]) -> Result<Vec<u8>, Fault> {
        large::work(record.len(), || {
            let value = Reader::whole(&self.0, record)?;
            Ok(value.to_string().into_bytes())
        })
    }
}

#[cfg(test)]
mod tests;
