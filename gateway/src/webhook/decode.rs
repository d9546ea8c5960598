//! What the value of a record is that is about to be sent, where a schema says that. It knows no receiver.
//!
//! A value that is none of its schema never will be: the record is given up. A registry that does not have the
//! schema may have it soon, as it is told of schemas by those who write: the record is tried again. One that
//! does not answer says nothing about the record, which waits.

use bytes::Bytes;
use weir_telemetry::Code;

use super::{Webhook, verdict};
use crate::action::subscribe::shown::Shown;
use crate::error::GatewayError;
use crate::kafka::group::Task;
use crate::large;
use crate::proxy::Errand;
use crate::schema::Reading;
use crate::schema::values::Trouble;
use crate::workers::{Failure, Fate};

impl Webhook {
    /// A record as its receiver is to see it. A registry that is asked for that is among the errand's attempts.
    pub(super) async fn show(&self, errand: &mut Errand, task: &Task) -> Result<Shown, Fate> {
        let record = task.record.clone();
        let (Some(values), Some(value)) = (&self.values, record.value.as_deref()) else {
            // That a key is no more is written by no schema.
            return Ok(Shown::plain(record));
        };
        let value = Bytes::copy_from_slice(value);
        let (length, (request, down)) = (value.len(), errand.parts());
        let reading = match values.written(value, request, down).await {
            Ok(written) => large::work(length, || Reading::of(written)),
            Err(Trouble::Fault(fault)) => fault.into(),
            Err(Trouble::NoSchema(error)) => return Err(verdict::of_schema(&error)),
        };
        match reading {
            Reading::Undecodable(why) => {
                let error = GatewayError::new(Code::KafkaRecordUndecodable);
                Err(Fate::Refused(Failure::of(&error.source(why))))
            }
            reading => Ok(Shown { record, reading }),
        }
    }
}
