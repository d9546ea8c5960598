//! What subscribers of a topic add to, on one route.

use super::{Families, InFlight};
use prometheus::{Histogram, IntCounter, IntGauge};
use std::time::Duration;

/// The series of one topic on one route.
pub struct Subscription {
    subscribers: IntGauge,
    records: IntCounter,
    delivery: Histogram,
    lag: Histogram,
}

impl Subscription {
    pub(super) fn resolve(families: &Families, labels: &[&str; 3]) -> Self {
        Self {
            subscribers: families.subscribers.with(labels),
            records: families.subscription_records.with(labels),
            delivery: families.subscription_delivery.with(labels),
            lag: families.subscription_lag.with(labels),
        }
    }

    /// A subscriber came; hold on to the result until it leaves.
    pub fn begin(&self) -> InFlight {
        InFlight::enter(&self.subscribers)
    }

    /// A subscriber was given so many records, the oldest of that age, and is that many behind.
    pub fn told(&self, records: u64, age: Option<Duration>, lag: u64) {
        self.records.inc_by(records);
        if let Some(age) = age {
            self.delivery.observe(age.as_secs_f64());
        }
        self.lag.observe(lag as f64);
    }
}
