//! What a route's requests add to: rate, errors, duration, and where the time
//! went.

use super::rpc::Calls;
use super::slots::{PerCode, PerStatus};
use super::{Families, InFlight};
use crate::code::{Code, Fault};
use crate::record::{ErrorType, Record};
use prometheus::{Histogram, IntCounter, IntGauge};
use std::sync::{Arc, OnceLock};

/// The series of one route and team.
pub struct Route {
    families: Arc<Families>,
    route: Box<str>,
    team: Box<str>,
    durations: PerStatus<Histogram>,
    gateway: Histogram,
    upstream_wait: Histogram,
    errors: PerCode<IntCounter>,
    active: IntGauge,
    request_bytes: IntCounter,
    response_bytes: IntCounter,
    calls: OnceLock<Calls>,
    policies: Box<[(&'static str, Histogram)]>,
}

impl Route {
    pub(super) fn resolve(
        families: &Arc<Families>,
        route: &str,
        team: &str,
        policies: &[&'static str],
    ) -> Self {
        Self {
            durations: PerStatus::default(),
            gateway: families.gateway_duration.with(&[route, team]),
            upstream_wait: families.upstream_wait.with(&[route, team]),
            errors: PerCode::default(),
            active: families.requests_active.with(&[route]),
            request_bytes: families.request_bytes.with(&[route]),
            response_bytes: families.response_bytes.with(&[route]),
            calls: OnceLock::new(),
            policies: policies
                .iter()
                .map(|kind| (*kind, families.policy_duration.with(&[route, kind])))
                .collect(),
            families: Arc::clone(families),
            route: route.into(),
            team: team.into(),
        }
    }

    /// A request was routed here; hold on to the result until it has finished.
    pub fn begin(&self) -> InFlight {
        InFlight::enter(&self.active)
    }

    /// Everything a finished request adds to its route. Once per request:
    /// [`Telemetry::finish`](crate::Telemetry::finish) calls it.
    pub fn finished(&self, record: &Record) {
        self.durations
            .get(record.status, |status| {
                self.families
                    .server_duration
                    .with(&[&self.route, &self.team, status])
            })
            .observe(record.duration.as_secs_f64());
        self.gateway.observe(record.gateway_time.as_secs_f64());
        // A request that never waited for an upstream would only make the
        // upstreams look faster than they are.
        if !record.attempts.is_empty() || !record.upstream_wait.is_zero() {
            self.upstream_wait
                .observe(record.upstream_wait.as_secs_f64());
        }
        if record.request_bytes > 0 {
            self.request_bytes.inc_by(record.request_bytes);
        }
        if record.response_bytes > 0 {
            self.response_bytes.inc_by(record.response_bytes);
        }
        if let Some(call) = record.rpc {
            self.calls
                .get_or_init(|| Calls::resolve(&self.families, &self.route))
                .finished(&self.families, (&self.route, &self.team), record, call);
        }
        for run in &record.policies {
            self.policy(run.kind, run.took.as_secs_f64());
        }
        if let Some(error) = record.error_type() {
            self.failed(error);
        }
    }

    /// A part of a request was refused while the rest of it goes on.
    pub fn refused(&self, code: Code) {
        self.failed(ErrorType::Code(code));
    }

    fn policy(&self, kind: &'static str, seconds: f64) {
        match self.policies.iter().find(|(known, _)| *known == kind) {
            Some((_, histogram)) => histogram.observe(seconds),
            // Not announced when the handle was resolved: slower, not lost.
            None => self
                .families
                .policy_duration
                .with(&[&self.route, kind])
                .observe(seconds),
        }
    }

    fn failed(&self, error: ErrorType) {
        let series = |error_type: &str, fault: Fault| {
            self.families
                .errors
                .with(&[&self.route, &self.team, error_type, fault.as_str()])
        };
        match error {
            ErrorType::Code(code) => self
                .errors
                .get(code, || series(code.slug(), code.fault()))
                .inc(),
            // An upstream's own 5xx; rare enough to be looked up each time.
            ErrorType::Status(status) => series(&status.to_string(), Fault::Upstream).inc(),
            ErrorType::Rpc(name) => series(name, Fault::Upstream).inc(),
        }
    }
}
