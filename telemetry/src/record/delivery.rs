//! What is known of a record of Kafka that was worked on: sent to a receiver, or answered by a model.

use std::sync::Arc;

use crate::metrics::worker::{Kind, Outcome};

/// A record of Kafka that was handed over, once.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// To what.
    pub kind: Kind,
    /// Its name.
    pub name: Arc<str>,
    /// The cluster's name in the configuration.
    pub cluster: Arc<str>,
    /// The consumer group.
    pub group: Arc<str>,
    /// Where the record is.
    pub topic: Arc<str>,
    /// The partition it is in.
    pub partition: i32,
    /// The offset it has there.
    pub offset: i64,
    /// Size of its key and value.
    pub bytes: u64,
    /// How often it has been tried in vain before.
    pub tries: u32,
    /// What came of it; none, if it was cut.
    pub outcome: Option<Outcome>,
}
