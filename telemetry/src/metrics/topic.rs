//! What records sent to a Kafka topic add to.

use super::Families;
use super::slots::PerCode;
use crate::code::Code;
use prometheus::{Histogram, IntCounter};
use std::sync::Arc;
use std::time::Duration;

/// The series of one topic of one cluster.
pub struct Topic {
    families: Arc<Families>,
    cluster: Box<str>,
    topic: Box<str>,
    duration: Histogram,
    acknowledged: IntCounter,
    failed: PerCode<IntCounter>,
}

impl Topic {
    pub(super) fn resolve(families: &Arc<Families>, cluster: &str, topic: &str) -> Self {
        Self {
            duration: families.messaging_duration.with(&[cluster, topic]),
            acknowledged: families.messaging_sent.with(&[cluster, topic, ""]),
            failed: PerCode::default(),
            families: Arc::clone(families),
            cluster: cluster.into(),
            topic: topic.into(),
        }
    }

    /// The broker acknowledged a record, or it failed, after `took`. Once per
    /// record: [`Telemetry::finish`](crate::Telemetry::finish) calls it.
    pub fn sent(&self, took: Duration, code: Option<Code>) {
        self.took(took);
        self.counted(code, 1);
    }

    /// Records sent together took so long.
    pub fn took(&self, took: Duration) {
        self.duration.observe(took.as_secs_f64());
    }

    /// So many records sent together were acknowledged, or failed in the same way.
    pub fn counted(&self, code: Option<Code>, records: u64) {
        match code {
            None => self.acknowledged.inc_by(records),
            Some(code) => self
                .failed
                .get(code, || {
                    self.families
                        .messaging_sent
                        .with(&[&self.cluster, &self.topic, code.slug()])
                })
                .inc_by(records),
        }
    }
}
