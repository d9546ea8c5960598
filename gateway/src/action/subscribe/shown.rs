//! A record as those see it who are told of it: as it is, or with its value read by a schema. It knows no
//! schema.

use std::sync::Arc;

use crate::kafka::Record;
use crate::schema::Reading;

/// A record, and what its value is to those.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) record: Arc<Record>,
    pub(crate) reading: Reading,
}

impl Shown {
    /// A record as it is.
    pub(crate) const fn plain(record: Arc<Record>) -> Self {
        Self {
            record,
            reading: Reading::Plain,
        }
    }

    /// Its value, if it has one: as it was read, else its bytes.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match &self.reading {
            Reading::Json(json) => Some(json),
            Reading::Plain | Reading::Undecodable(_) => self.record.value.as_deref(),
        }
    }

    /// Why its value could not be read, where it could not.
    pub(crate) fn undecodable(&self) -> Option<&str> {
        match &self.reading {
            Reading::Undecodable(why) => Some(why),
            Reading::Plain | Reading::Json(_) => None,
        }
    }
}
