//! What a request wrote to Kafka.

use std::sync::Arc;
use std::time::Duration;

use crate::code::Code;

/// What was written, or tried to be written, to Kafka: one record, or a batch.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// The cluster's name in the configuration.
    pub cluster: Arc<str>,
    /// The topic; empty for a batch that goes to several.
    pub topic: Arc<str>,
    /// How many records there were and what became of them, if it was a batch.
    pub batch: Option<Batch>,
    /// The PRODUCER span's id, as sent in the record's `traceparent`.
    pub span_id: [u8; 8],
    /// When it was handed to the producer, counted from the request's start.
    pub started: Duration,
    /// The partition the broker acknowledged.
    pub partition: Option<i32>,
    /// The offset the broker acknowledged.
    pub offset: Option<i64>,
    /// Size of the record's key and value, or of those of all.
    pub bytes: u64,
    /// From there to the broker's answer or the failure.
    pub took: Duration,
    /// The id by which it is known in the spool, if its caller was answered once it was there.
    pub spooled: Option<Box<str>>,
}

/// Records that were sent together.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// How many there were.
    pub messages: u64,
    /// How many of them the broker acknowledged.
    pub acknowledged: u64,
    /// What became of the first one that it did not.
    pub code: Option<Code>,
}
