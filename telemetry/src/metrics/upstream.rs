//! What attempts at an upstream add to, and the state of its endpoints.

use super::slots::PerCode;
use super::{Families, InFlight};
use crate::record::Attempt;
use prometheus::{Histogram, IntCounter, IntGauge};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Who ended an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The endpoint, before it was wanted again.
    Endpoint,
    /// The gateway, as the endpoint would have soon.
    Gateway,
    /// The endpoint, as it was used again.
    Race,
}

impl EndedBy {
    const ALL: [Self; 3] = [Self::Endpoint, Self::Gateway, Self::Race];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Gateway => "gateway",
            Self::Race => "race",
        }
    }
}

/// The series of one upstream.
pub struct Upstream {
    families: Arc<Families>,
    name: Box<str>,
    by_class: [OnceLock<Histogram>; CLASSES.len()],
    by_code: PerCode<Histogram>,
    connect: Histogram,
    first_byte: Histogram,
    body: Histogram,
    reused: IntCounter,
    opened: IntCounter,
    idle_ended: [IntCounter; EndedBy::ALL.len()],
    ejections: IntCounter,
    breaker: IntGauge,
    active: IntGauge,
}

impl Upstream {
    pub(super) fn resolve(families: &Arc<Families>, name: &str) -> Self {
        Self {
            by_class: [const { OnceLock::new() }; CLASSES.len()],
            by_code: PerCode::default(),
            connect: families.connect_duration.with(&[name]),
            first_byte: families.first_byte_duration.with(&[name]),
            body: families.body_duration.with(&[name]),
            reused: families.upstream_connections.with(&[name, "true"]),
            opened: families.upstream_connections.with(&[name, "false"]),
            idle_ended: EndedBy::ALL.map(|by| families.idle_ended.with(&[name, by.as_str()])),
            ejections: families.ejections.with(&[name]),
            breaker: families.breaker_open.with(&[name]),
            active: families.upstream_active.with(&[name]),
            families: Arc::clone(families),
            name: name.into(),
        }
    }

    /// An attempt begins; hold on to the result until it has ended.
    pub fn begin(&self) -> InFlight {
        InFlight::enter(&self.active)
    }

    /// Everything an ended attempt adds. Once per attempt, by whoever made it.
    pub fn attempt(&self, attempt: &Attempt) {
        self.outcome(attempt).observe(attempt.total.as_secs_f64());
        if attempt.reused {
            self.reused.inc();
        } else if let Some(connect) = attempt.connect {
            self.opened.inc();
            self.connect.observe(connect.as_secs_f64());
        }
        if let Some(first_byte) = attempt.first_byte {
            self.first_byte.observe(first_byte.as_secs_f64());
        }
        if let Some(body) = attempt.body {
            self.body.observe(body.as_secs_f64());
        }
        if let Some(reason) = attempt.retried {
            self.families.retries.with(&[&self.name, reason]).inc();
        }
    }

    /// By the error code if there is one, else by the status' class.
    fn outcome(&self, attempt: &Attempt) -> &Histogram {
        let make = |outcome: &str| self.families.client_duration.with(&[&self.name, outcome]);
        if let Some(code) = attempt.code {
            return self.by_code.get(code, || make(code.slug()));
        }
        // Neither code nor status: the client left first, an attempt nobody
        // is to blame for. Protocols above know only classes 1 to 5.
        let class = usize::from(attempt.status.unwrap_or(0) / 100);
        match class.checked_sub(1).and_then(|i| self.by_class.get(i)) {
            Some(slot) => slot.get_or_init(|| make(CLASSES[class - 1])),
            None => self.by_code.get(crate::Code::ClientDisconnected, || {
                make(crate::Code::ClientDisconnected.slug())
            }),
        }
    }

    /// Whether an endpoint takes traffic.
    pub fn endpoint_healthy(&self, endpoint: &str, healthy: bool) {
        self.families
            .endpoint_healthy
            .with(&[&self.name, endpoint])
            .set(i64::from(healthy));
    }

    /// The endpoint is no longer one of this upstream's.
    pub fn endpoint_removed(&self, endpoint: &str) {
        let labels = [&*self.name, endpoint];
        self.families.endpoint_healthy.remove(&labels);
        self.families.idle_timeout.remove(&labels);
    }

    /// Idle connections were ended.
    pub fn idle_ended(&self, by: EndedBy, count: u64) {
        self.idle_ended[by as usize].inc_by(count);
    }

    /// For how long an endpoint leaves idle connections open, if that is known.
    pub fn idle_timeout(&self, endpoint: &str, timeout: Option<Duration>) {
        let labels = [&*self.name, endpoint];
        match timeout {
            Some(timeout) => {
                let series = self.families.idle_timeout.with(&labels);
                series.set(timeout.as_secs_f64());
            }
            None => self.families.idle_timeout.remove(&labels),
        }
    }

    /// An endpoint was put out of traffic because its answers failed.
    pub fn ejected(&self) {
        self.ejections.inc();
    }

    /// The breaker opened or closed.
    pub fn breaker_open(&self, open: bool) {
        self.breaker.set(i64::from(open));
    }
}
