//! What is known of a record of Kafka that replied to a request.

use std::sync::Arc;
use std::time::Duration;

use crate::trace::Context;

/// A record that replies to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The cluster's name in the configuration.
    pub cluster: Arc<str>,
    /// The topic it was read from.
    pub topic: Arc<str>,
    /// The partition it is in.
    pub partition: i32,
    /// The offset it has there.
    pub offset: i64,
    /// Size of its key and value.
    pub bytes: u64,
    /// The CONSUMER span's id.
    pub span_id: [u8; 8],
    /// What its sender says that it comes from.
    pub context: Option<Context>,
    /// When it was first waited for, counted from the request's start.
    pub started: Duration,
    /// From there to it being read.
    pub took: Duration,
}
