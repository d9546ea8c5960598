//! How the spools fare in which records wait for a Kafka cluster.

use super::Families;
use super::slots::PerCode;
use crate::code::Code;
use prometheus::{Gauge, Histogram, IntCounter};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The series of the spool of one cluster.
pub struct Spool {
    families: Arc<Families>,
    cluster: Box<str>,
    records: Gauge,
    bytes: Gauge,
    oldest: Gauge,
    write: Histogram,
    appended: IntCounter,
    sent: IntCounter,
    rejected: PerCode<IntCounter>,
    lost: IntCounter,
    damaged: IntCounter,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Spool");
        out.field("cluster", &self.cluster).finish()
    }
}

impl Spool {
    pub(super) fn resolve(families: &Arc<Families>, cluster: &str) -> Self {
        let labels = [cluster];
        Self {
            records: families.spool_records.with(&labels),
            bytes: families.spool_bytes.with(&labels),
            oldest: families.spool_oldest.with(&labels),
            write: families.spool_write.with(&labels),
            appended: families.spool_appended.with(&labels),
            sent: families.spool_sent.with(&labels),
            rejected: PerCode::default(),
            lost: families.spool_lost.with(&labels),
            damaged: families.spool_damaged.with(&labels),
            families: Arc::clone(families),
            cluster: cluster.into(),
        }
    }

    /// So many records were written at once, and the disk had them after so long.
    pub fn written(&self, took: Duration, records: u64) {
        self.write.observe(took.as_secs_f64());
        self.appended.inc_by(records);
    }

    /// Brokers acknowledged a record.
    pub fn sent(&self) {
        self.sent.inc();
    }

    /// Brokers refused a record for good.
    pub fn rejected(&self, code: Code) {
        let make = || {
            self.families
                .spool_rejected
                .with(&[&self.cluster, code.slug()])
        };
        self.rejected.get(code, make).inc();
    }

    /// So many records are in no topic and no file any more.
    pub fn lost(&self, records: u64) {
        self.lost.inc_by(records);
    }

    /// So many bytes cannot be read any more.
    pub fn damaged(&self, bytes: u64) {
        self.damaged.inc_by(bytes);
    }

    /// So much is in the spool, the oldest of it for so long.
    #[expect(clippy::cast_precision_loss, reason = "nobody has so many")]
    pub fn standing(&self, records: u64, bytes: u64, oldest: Duration) {
        self.records.set(records as f64);
        self.bytes.set(bytes as f64);
        self.oldest.set(oldest.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn each_spool_is_counted_apart() {
        let metrics = Metrics::new();
        let (one, _other) = (metrics.spool("one"), metrics.spool("other"));
        one.written(Duration::from_millis(3), 7);
        one.sent();
        one.rejected(Code::KafkaTopicUnknown);
        one.lost(2);
        one.damaged(40);
        one.standing(5, 900, Duration::from_millis(1500));
        let text = metrics.encode();
        for line in [
            "weir_spool_appended_total{weir_kafka_cluster=\"one\"} 7\n",
            "weir_spool_appended_total{weir_kafka_cluster=\"other\"} 0\n",
            "weir_spool_sent_total{weir_kafka_cluster=\"one\"} 1\n",
            "weir_spool_rejected_total{error_type=\"kafka_topic_unknown\",weir_kafka_cluster=\"one\"} 1\n",
            "weir_spool_lost_total{weir_kafka_cluster=\"one\"} 2\n",
            "weir_spool_damaged_bytes_total{weir_kafka_cluster=\"one\"} 40\n",
            "weir_spool_records{weir_kafka_cluster=\"one\"} 5\n",
            "weir_spool_bytes{weir_kafka_cluster=\"one\"} 900\n",
            "weir_spool_oldest_age_seconds{weir_kafka_cluster=\"one\"} 1.5\n",
            "weir_spool_write_duration_seconds_count{weir_kafka_cluster=\"one\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
