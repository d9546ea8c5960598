//! What subscribers are told by gRPC: `weir.events.v1.Event`, which says all that is to be said, or the
//! messages that a topic's values are, which say nothing else.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use prost::encoding::string;
use weir_protocols::grpc::transcode::Message;
use weir_telemetry::Code;

use super::cursor::Seal;
use super::shown::Shown;
use crate::action::grpc::served::write;
use crate::config::routes::method::subscribe::{Tells, Value};
use crate::error::GatewayError;
use crate::grpc_events::{self as own, Event, What};
use crate::kafka::{Gap, Positions};
use crate::large;

/// Tells by gRPC.
#[derive(Clone)]
pub(super) struct Messenger {
    pub(super) tells: Tells,
    /// The type of what is told.
    pub(super) message: Message,
    pub(super) topic: Arc<str>,
    pub(super) seal: Seal,
}

impl Messenger {
    /// A record.
    ///
    /// # Errors
    /// Where it is none of the type, which has no words for that.
    pub(super) fn record(
        &self,
        out: &mut Vec<u8>,
        shown: &Shown,
        at: &Positions,
    ) -> Result<(), GatewayError> {
        match self.tells {
            Tells::Events => {
                self.event(out, Some(What::Record(record(shown))), at);
                Ok(())
            }
            Tells::Messages(value, cursor) => self.value(out, shown, (value, cursor), at),
        }
    }

    /// What is missing.
    ///
    /// # Errors
    /// Where there are no words for that.
    pub(super) fn gaps(
        &self,
        out: &mut Vec<u8>,
        gaps: &[Gap],
        at: &Positions,
    ) -> Result<(), GatewayError> {
        match self.tells {
            Tells::Events => {
                let gaps = gaps.iter().map(|gap| own::Gap {
                    partition: gap.partition,
                    from: gap.from,
                    to: gap.to,
                });
                let gaps = own::Gaps {
                    gaps: gaps.collect(),
                };
                self.event(out, Some(What::Gaps(gaps)), at);
                Ok(())
            }
            Tells::Messages(..) => {
                let message = "Records that were not given out yet are no longer in the topic; to go on after \
                               them, begin at the cursor of the trailer weir-cursor.";
                let gaps = gaps.iter();
                let gaps: Vec<String> = gaps
                    .map(|gap| format!("{}/{} to {}", gap.partition, gap.from, gap.to))
                    .collect();
                let missing = format!("of {}, {} are missing", self.topic, gaps.join(", "));
                Err(GatewayError::public(Code::KafkaRecordsExpired, message).source(missing))
            }
        }
    }

    /// Where the subscriber is, if the type has words for that alone.
    pub(super) fn here(&self, out: &mut Vec<u8>, at: &Positions) {
        if let Tells::Events = self.tells {
            self.event(out, None, at);
        }
    }

    fn event(&self, out: &mut Vec<u8>, what: Option<What>, at: &Positions) {
        let cursor = self.seal.write(at);
        write(out, |out| {
            let written = Event { cursor, what }.encode(out);
            written.expect("memory grows as it is needed");
        });
    }

    /// A value that is a message, and where the subscriber is after it. That a key is no more is no message:
    /// it is passed over.
    fn value(
        &self,
        out: &mut Vec<u8>,
        shown: &Shown,
        (value, cursor): (Value, Option<u32>),
        at: &Positions,
    ) -> Result<(), GatewayError> {
        let Some(bytes) = shown.value() else {
            return Ok(());
        };
        if let Some(why) = shown.undecodable() {
            return Err(self.undecodable(shown, why));
        }
        let made;
        let message = match value {
            Value::Protobuf => {
                if !self.message.is(Bytes::copy_from_slice(bytes)) {
                    let why = format!("it is no {}", self.message.name());
                    return Err(self.undecodable(shown, &why));
                }
                bytes
            }
            Value::Json => {
                let read = large::work(bytes.len(), || self.message.read(bytes));
                made = read.map_err(|fault| self.undecodable(shown, &fault.to_string()))?;
                &made
            }
        };
        write(out, |out| {
            out.extend_from_slice(message);
            if let Some(number) = cursor {
                // The last one of a field is the one that counts.
                string::encode(number, &self.seal.write(at), out);
            }
        });
        Ok(())
    }

    fn undecodable(&self, shown: &Shown, why: &str) -> GatewayError {
        let (partition, offset) = (shown.record.partition, shown.record.offset);
        let message = format!(
            "The record {partition}/{offset} of the topic is no {}; to go on after it, begin at the cursor of \
             the trailer weir-cursor.",
            self.message.name()
        );
        let why = format!("{}/{partition}/{offset}: {why}", self.topic);
        GatewayError::public(Code::KafkaRecordUndecodable, message).source(why)
    }
}

fn record(shown: &Shown) -> own::Record {
    let record = &shown.record;
    let headers = record.headers.iter().map(|header| own::Header {
        name: (*header.name).to_owned(),
        value: header.value.as_deref().map(Bytes::copy_from_slice),
    });
    own::Record {
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.as_deref().map(<[u8]>::to_vec),
        headers: headers.collect(),
        value: shown.value().map(<[u8]>::to_vec),
        undecodable: shown.undecodable().unwrap_or_default().to_owned(),
    }
}
