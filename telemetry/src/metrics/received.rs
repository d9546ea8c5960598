//! What records read from a Kafka topic add to.

use super::Families;
use prometheus::IntCounter;

/// The series of one topic of one cluster.
pub struct Received(IntCounter);

impl Received {
    pub(super) fn resolve(families: &Families, cluster: &str, topic: &str) -> Self {
        Self(families.messaging_consumed.with(&[cluster, topic]))
    }

    /// So many records were read.
    pub fn add(&self, records: usize) {
        self.0.inc_by(records as u64);
    }
}
