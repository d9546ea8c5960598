//! A record as subscribers see it: as it is, or with its value read by a schema. It knows no schema.

use std::sync::Arc;

use bytes::Bytes;

use crate::kafka::Record;

/// A record, and what its value is to subscribers.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) record: Arc<Record>,
    pub(super) reading: Reading,
}

/// What a value is to subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// Its bytes.
    Plain,
    /// The JSON that they were read as.
    Json(Bytes),
    /// Bytes that could not be read, and why.
    Undecodable(Arc<str>),
}

impl Shown {
    /// A record as it is.
    pub(super) const fn plain(record: Arc<Record>) -> Self {
        Self {
            record,
            reading: Reading::Plain,
        }
    }

    /// Its value, if it has one: as it was read, else its bytes.
    pub(super) fn value(&self) -> Option<&[u8]> {
        match &self.reading {
            Reading::Json(json) => Some(json),
            Reading::Plain | Reading::Undecodable(_) => self.record.value.as_deref(),
        }
    }

    /// Why its value could not be read, where it could not.
    pub(super) fn undecodable(&self) -> Option<&str> {
        match &self.reading {
            Reading::Undecodable(why) => Some(why),
            Reading::Plain | Reading::Json(_) => None,
        }
    }
}
