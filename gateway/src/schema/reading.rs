//! What the value of a record is to whoever is given it: its bytes, the JSON that its schema makes of them, or
//! bytes that are none of its schema. It knows nobody who is given anything.

use std::sync::Arc;

use bytes::Bytes;

use super::Fault;
use super::values::Written;

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Its bytes.
    Plain,
    /// The JSON that they were read as.
    Json(Bytes),
    /// Bytes that could not be read, and why.
    Undecodable(Arc<str>),
}

impl Reading {
    /// Reads a value by what it was written by.
    pub(crate) fn of(written: Written) -> Self {
        match written.json() {
            Ok(json) => Self::Json(json),
            Err(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Reading {
    fn from(fault: Fault) -> Self {
        Self::Undecodable(fault.to_string().into())
    }
}
