//! What became of the records of a call so far: told to operators as it comes, and to the caller when the call
//! fails.

use http::{HeaderName, HeaderValue};
use weir_telemetry::Code;
use weir_telemetry::record::Batch;

use super::Taken;
use crate::error::GatewayError;
use crate::kafka::Outgoing;
use crate::proxy::Request;

/// How many records are written when a call fails; and how many may be.
const WRITTEN: HeaderName = HeaderName::from_static("weir-records-written");
const UNKNOWN: HeaderName = HeaderName::from_static("weir-records-unknown");

/// Counts them.
#[derive(Default)]
pub(super) struct Tally {
    /// Those that were to be.
    records: u64,
    written: u64,
    /// Those that may be written.
    unknown: u64,
}

impl Tally {
    /// These are about to be sent.
    pub(super) fn sending(&self, request: &mut Request, records: &[&Outgoing]) {
        let Some(kafka) = &mut request.record.kafka else {
            return;
        };
        let content: usize = records.iter().map(|record| record.content()).sum();
        kafka.bytes += content as u64;
        if let (Some(first), 0) = (records.first(), self.records) {
            kafka.topic = first.topic.clone();
        }
        if records.iter().any(|record| record.topic != kafka.topic) {
            // It is of several.
            kafka.topic = "".into();
        }
    }

    /// This became of some more.
    pub(super) fn taken(&mut self, request: &mut Request, taken: &Taken) {
        let unknown = |error: &GatewayError| error.code == Code::KafkaOutcomeUnknown;
        let failures = || taken.iter().filter_map(|taken| taken.as_ref().err());
        self.records += taken.len() as u64;
        self.written += taken.iter().flatten().count() as u64;
        self.unknown += failures().filter(|error| unknown(error)).count() as u64;
        let Some(kafka) = &mut request.record.kafka else {
            return;
        };
        kafka.took = request.began.elapsed().saturating_sub(kafka.started);
        let before = kafka.batch.and_then(|batch| batch.code);
        kafka.batch = Some(Batch {
            messages: self.records,
            acknowledged: self.written,
            code: before.or_else(|| failures().next().map(|error| error.code)),
        });
    }

    /// What a caller is told whose call ends by this.
    pub(super) fn tell(&self, mut error: GatewayError) -> GatewayError {
        let may = match self.unknown {
            0 => String::new(),
            unknown => format!(", and {unknown} may be"),
        };
        error.public = format!(
            "{} Of this call, {} records are written{may}.",
            error.public, self.written
        )
        .into();
        error
            .header(WRITTEN, HeaderValue::from(self.written))
            .header(UNKNOWN, HeaderValue::from(self.unknown))
    }
}
