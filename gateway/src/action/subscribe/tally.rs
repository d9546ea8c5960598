//! What operators learn of a subscriber.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use weir_telemetry::metrics::{self, InFlight};
use weir_telemetry::record;
use weir_telemetry::trace::span_id;

use crate::kafka::Record;
use crate::proxy::Request;

/// Counts what a subscriber is told.
pub(super) struct Tally {
    metrics: Arc<metrics::Subscription>,
    records: u64,
    lag: u64,
    _present: InFlight,
}

impl Tally {
    /// One came.
    pub(super) fn begin(
        request: &mut Request,
        metrics: Arc<metrics::Subscription>,
        (cluster, topic): (&Arc<str>, &Arc<str>),
    ) -> Self {
        request.record.subscription = Some(Box::new(record::Subscription {
            cluster: cluster.clone(),
            topic: topic.clone(),
            span_id: span_id(),
            started: request.began.elapsed(),
            records: 0,
            lag: 0,
        }));
        Self {
            records: 0,
            lag: 0,
            _present: metrics.begin(),
            metrics,
        }
    }

    /// It was told of so many records, the oldest of that age, and is that many behind.
    pub(super) fn told(&mut self, records: u64, age: Option<Duration>, lag: u64) {
        self.metrics.told(records, age, lag);
        self.records += records;
        self.lag = lag;
    }

    /// Writes it down.
    pub(super) fn note(&self, request: &mut Request) {
        if let Some(subscription) = &mut request.record.subscription {
            subscription.records = self.records;
            subscription.lag = self.lag;
        }
    }
}

/// How old the first of some records is.
pub(super) fn age<'r>(records: impl IntoIterator<Item = &'r Arc<Record>>) -> Option<Duration> {
    let first = records.into_iter().next()?;
    first.age(SystemTime::now())
}
