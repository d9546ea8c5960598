//! What is said of records that were taken: in the words of `weir.events.v1`, or in those fields of another type
//! that are called `records`, `topic`, `partition` and `offset`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use weir_telemetry::Code;

use super::Taken;
use crate::action::grpc::served::write;
use crate::config::routes::method::publish::Call;
use crate::error::GatewayError;
use crate::grpc_events::{self as own, Outcome, PublishResult, PublishSummary, Written};
use crate::kafka::Acknowledged;

/// Of so many partitions it is said what was written to them.
const MOST_PARTITIONS: usize = 1000;

/// Where a record is.
pub(super) struct Place {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

impl Place {
    /// The broker said so.
    pub(super) fn new(topic: &Arc<str>, acknowledged: Acknowledged) -> Self {
        let Acknowledged { partition, offset } = acknowledged;
        Self {
            topic: topic.clone(),
            partition,
            offset,
        }
    }
}

/// All that were written.
#[derive(Default)]
pub(super) struct All {
    records: u64,
    last: Option<Place>,
    partitions: BTreeMap<(Arc<str>, i32), Written>,
}

impl All {
    /// One more.
    pub(super) fn add(&mut self, place: Place) {
        self.records += 1;
        let key = (place.topic.clone(), place.partition);
        let room = self.partitions.len() < MOST_PARTITIONS;
        if let Some(written) = self.partitions.get_mut(&key) {
            written.records += 1;
            written.first_offset = written.first_offset.min(place.offset);
            written.last_offset = written.last_offset.max(place.offset);
        } else if room {
            let written = Written {
                topic: place.topic.to_string(),
                partition: place.partition,
                records: 1,
                first_offset: place.offset,
                last_offset: place.offset,
            };
            self.partitions.insert(key, written);
        }
        self.last = Some(place);
    }
}

/// In whose words.
pub(super) struct Answer<'a>(&'a Call);

impl<'a> Answer<'a> {
    /// Those of a method.
    pub(super) fn of(call: &'a Call) -> Self {
        Self(call)
    }

    /// What is said of each record; and the first failure, if there are no words for one.
    pub(super) fn each(&self, taken: Taken) -> (Bytes, Option<GatewayError>) {
        let mut out = Vec::new();
        for taken in taken {
            let result = match taken {
                Err(error) if !self.0.answers_own => return (out.into(), Some(error)),
                Err(error) => Outcome::Failure(failure(&error)),
                Ok(place) if !self.0.answers_own => {
                    match self.place(&place) {
                        Ok(said) => write(&mut out, |out| out.extend_from_slice(&said)),
                        Err(error) => return (out.into(), Some(error)),
                    }
                    continue;
                }
                Ok(place) => Outcome::Written(place.into()),
            };
            message(&mut out, &PublishResult::from(result));
        }
        (out.into(), None)
    }

    /// What is said of the one record of a call.
    pub(super) fn one(&self, all: All) -> Result<Bytes, GatewayError> {
        let mut out = Vec::new();
        match all.last {
            Some(place) if self.0.answers_own => {
                message(
                    &mut out,
                    &PublishResult::from(Outcome::Written(place.into())),
                );
            }
            Some(place) => {
                let said = self.place(&place)?;
                write(&mut out, |out| out.extend_from_slice(&said));
            }
            None => return Err(super::super::unsaid()),
        }
        Ok(out.into())
    }

    /// What is said of all.
    pub(super) fn all(&self, all: All) -> Result<Bytes, GatewayError> {
        let mut out = Vec::new();
        if self.0.answers_own {
            let summary = PublishSummary {
                records: all.records,
                written: all.partitions.into_values().collect(),
            };
            message(&mut out, &summary);
        } else {
            let said = self.filled(&[("records", json!(all.records))])?;
            write(&mut out, |out| out.extend_from_slice(&said));
        }
        Ok(out.into())
    }

    fn place(&self, place: &Place) -> Result<Vec<u8>, GatewayError> {
        self.filled(&[
            ("topic", json!(&*place.topic)),
            ("partition", json!(place.partition)),
            ("offset", json!(place.offset)),
        ])
    }

    fn filled(&self, fields: &[(&str, serde_json::Value)]) -> Result<Vec<u8>, GatewayError> {
        let filled = self.0.method.output.fill(fields);
        // A small integer of theirs may be too small for what there is.
        filled.map_err(|fault| GatewayError::new(Code::InternalError).source(fault))
    }
}

impl From<Place> for own::Place {
    fn from(place: Place) -> Self {
        Self {
            topic: place.topic.to_string(),
            partition: place.partition,
            offset: place.offset,
        }
    }
}

impl From<Outcome> for PublishResult {
    fn from(result: Outcome) -> Self {
        Self {
            result: Some(result),
        }
    }
}

fn failure(error: &GatewayError) -> own::Failure {
    own::Failure {
        code: error.code.slug().to_owned(),
        message: error.public.to_string(),
        retryable: error.code.retryable(),
    }
}

fn message(out: &mut Vec<u8>, message: &impl prost::Message) {
    write(out, |out| {
        message.encode(out).expect("memory grows as it is needed");
    });
}
