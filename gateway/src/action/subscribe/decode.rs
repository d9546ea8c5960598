//! Values of records, read by the schemas that they were written by: each once, for all subscribers of a
//! route.
//!
//! A value that is none of its schema's never will be: it is told as such. A registry that does not answer
//! now may answer later: then nobody goes on past the record, and subscribers come again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use weir_telemetry::{Code, Metrics};

use super::shown::Shown;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::kafka::Record;
use crate::proxy::{Connection, Errand, Request};
use crate::runtime::Snapshot;
use crate::schema::values::{Trouble, Written};
use crate::schema::{Fault, Reading, Values};

/// What stands for a listener where a registry is asked.
const LISTENER: &str = "schemas";
/// As many records are remembered.
const MOST: usize = 4096;
/// So many bytes of their values, as they were written.
const KEPT: usize = 4 << 20;

/// Reads the values of a route's records.
pub(crate) struct Decoder {
    values: Arc<Values>,
    kept: Mutex<Kept>,
    connection: Arc<Connection>,
}

/// The same, with what a registry is asked by.
#[derive(Clone)]
pub(super) struct Decoding {
    decoder: Arc<Decoder>,
    gateway: Arc<Gateway>,
    snapshot: Arc<Snapshot>,
}

impl Decoder {
    /// Reads by those schemas.
    pub(crate) fn new(values: Values, metrics: &Metrics) -> Arc<Self> {
        Arc::new(Self {
            values: Arc::new(values),
            kept: Mutex::default(),
            connection: Connection::none(LISTENER, metrics),
        })
    }

    /// Reads for who made a request, and for those that are told the same.
    pub(super) fn of(self: &Arc<Self>, request: &Request) -> Decoding {
        Decoding {
            decoder: self.clone(),
            gateway: request.gateway.clone(),
            snapshot: request.snapshot.clone(),
        }
    }
}

impl Decoding {
    /// A record as subscribers see it. May be dropped while pending.
    ///
    /// # Errors
    /// Where its schema cannot be had now.
    pub(super) async fn show(&self, record: Arc<Record>) -> Result<Shown, GatewayError> {
        let Some(value) = record.value.as_deref() else {
            // That a key is no more is written by no schema.
            return Ok(Shown::plain(record));
        };
        let slot = self.decoder.kept.lock().slot(&record);
        if let Some(reading) = slot.get().cloned() {
            return Ok(Shown { record, reading });
        }
        let value = Bytes::copy_from_slice(value);
        let written = match self.decoder.values.known(value.clone()) {
            Some(written) => written,
            None => self.ask(value).await?,
        };
        let reading = match written {
            Ok(written) => slot.get_or_init(|| Reading::of(written)).clone(),
            Err(Trouble::Fault(fault)) => fault.into(),
            // For a while: it may be there when somebody else reads the record.
            Err(Trouble::NoSchema(error)) if error.code == Code::SchemaUnusable => {
                let why = "was written by a schema that its registry does not have, or that cannot be used";
                Fault::new(why).into()
            }
            Err(Trouble::NoSchema(error)) => return Err(error),
        };
        Ok(Shown { record, reading })
    }

    /// Asks the registry. What it says is of use to the next one also where this one leaves meanwhile.
    async fn ask(&self, value: Bytes) -> Result<Result<Written, Trouble>, GatewayError> {
        let Self {
            decoder,
            gateway,
            snapshot,
        } = self.clone();
        let asked = tokio::spawn(async move {
            let trace = snapshot.sampler.begin(None);
            let begun = Errand::begin(&gateway, &snapshot, &decoder.connection, trace);
            let mut errand = begun.await?;
            let (request, down) = errand.parts();
            request.record.action = "subscribe";
            let written = decoder.values.written(value, request, down).await;
            if let Err(Trouble::NoSchema(error)) = &written {
                request.record.code = Some(error.code);
                request.record.status = error.code.status();
                request.record.detail = Some(error.to_string());
            }
            errand.end();
            Ok(written)
        });
        asked
            .await
            .map_err(|error| GatewayError::new(Code::InternalError).source(error))?
    }
}

/// What the values of the latest records were read as. A record is known by where it is in memory, so
/// that those of a topic that was made anew are not taken for others.
#[derive(Default)]
struct Kept {
    slots: HashMap<usize, (Weak<Record>, Slot)>,
    /// The oldest first.
    order: VecDeque<(usize, usize)>,
    size: usize,
}

type Slot = Arc<OnceLock<Reading>>;

impl Kept {
    /// Where the reading of a record is, or will be.
    fn slot(&mut self, record: &Arc<Record>) -> Slot {
        let place = Arc::as_ptr(record).addr();
        // As long as this knows of one, no other gets its place.
        if let Some((_, slot)) = self.slots.get(&place) {
            return slot.clone();
        }
        let (slot, size) = (Slot::default(), record.size());
        let known = (Arc::downgrade(record), slot.clone());
        self.slots.insert(place, known);
        self.order.push_back((place, size));
        self.size += size;
        while (self.size > KEPT || self.order.len() > MOST) && self.order.len() > 1 {
            if let Some((oldest, size)) = self.order.pop_front() {
                self.slots.remove(&oldest);
                self.size -= size;
            }
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(length: usize) -> Arc<Record> {
        Arc::new(Record {
            partition: 0,
            offset: 0,
            timestamp: None,
            key: None,
            headers: Box::default(),
            value: Some(vec![0; length].into()),
        })
    }

    #[test]
    fn a_record_is_read_once_and_is_not_taken_for_one_that_is_like_it() {
        let mut kept = Kept::default();
        let (one, other) = (record(1), record(1));
        let slot = kept.slot(&one);
        assert!(Arc::ptr_eq(&slot, &kept.slot(&one.clone())));
        assert!(!Arc::ptr_eq(&slot, &kept.slot(&other)));
    }

    #[test]
    fn what_is_kept_is_bounded_by_number_and_by_size() {
        let mut kept = Kept::default();
        let records: Vec<_> = (0..2 * MOST).map(|_| record(1)).collect();
        for record in &records {
            kept.slot(record);
        }
        assert_eq!((kept.slots.len(), kept.order.len()), (MOST, MOST));
        let large = record(2 * KEPT);
        kept.slot(&large);
        assert_eq!((kept.slots.len(), kept.size), (1, large.size()));
    }
}
