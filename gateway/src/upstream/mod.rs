//! Upstreams: named sets of endpoints, and the one way to call them.
//!
//! [`call::call`] is the attempt loop, [`exchange`] one attempt in progress; the other files are
//! what they are made of. Routes, policies and the meaning of an answer are not known here.

pub(crate) mod attribute;
mod balance;
mod body;
mod breaker;
mod budget;
pub(crate) mod build;
pub(crate) mod call;
mod clock;
mod dial;
mod exchange;
mod health;
mod keep_alive;
mod methods;
mod outlier;
mod pool;
mod probe;
mod resolve;
pub(crate) mod retry_after;
mod session;
mod slot;
mod tell;
mod whole;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use weir_telemetry::Code;
use weir_telemetry::metrics;
use weir_telemetry::record::NotRetried;

pub(crate) use balance::pick_weighted;
pub(crate) use body::Writer;
pub(crate) use call::{Answer, Body, Call, call};
pub(crate) use exchange::{Exchange, Incoming, Stop};

use crate::config::upstreams as config;
use crate::error::GatewayError;
use crate::proxy::Request;
use attribute::Failure;
use balance::Balancer;
use breaker::{Breaker, Change, Permit, Refused};
use budget::Budget;
use dial::Dialer;
use outlier::Outliers;
use pool::Pool;
use resolve::Resolved;
use tell::Voice;

/// The waits of a call, each with its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// Name resolution, TCP and TLS together, over all addresses of a name.
    pub(crate) connect: Duration,
    /// From the request sent to the head of the answer.
    pub(crate) first_byte: Duration,
    /// Between two pieces of a body.
    pub(crate) stream_idle: Duration,
    /// The whole exchange, retries included.
    pub(crate) total: Duration,
    /// How long an unused connection is kept.
    pub(crate) pool_idle: Duration,
}

/// One address of an upstream, as configured. It outlives reloads that leave it as it is.
pub(crate) struct Endpoint {
    /// `host:port`, as configured.
    pub(crate) name: Arc<str>,
    server_name: String,
    resolved: Resolved,
    pool: Pool,
    healthy: AtomicBool,
    in_flight: AtomicUsize,
    connections: Arc<AtomicUsize>,
}

impl Endpoint {
    fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

/// A named set of endpoints, ready to be called.
pub(crate) struct Upstream {
    /// The name it has in the configuration.
    pub(crate) name: Arc<str>,
    /// Its limits on waiting.
    pub(crate) timeouts: Timeouts,
    endpoints: Vec<Arc<Endpoint>>,
    balancer: Balancer,
    breaker: Arc<Breaker>,
    budget: Budget,
    max_retries: u32,
    outliers: Arc<Outliers>,
    dialer: Dialer,
    metrics: Arc<metrics::Upstream>,
    max_connections: Option<usize>,
    definition: Arc<config::Upstream>,
    tasks: health::Tasks,
    voice: Voice,
}

/// The right to use one endpoint for one attempt.
pub(crate) struct Lease {
    upstream: Arc<Upstream>,
    index: usize,
    permit: Permit,
    verdict: Option<Verdict>,
    _in_flight: metrics::InFlight,
}

/// What an attempt says about its endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Well,
    Failed,
}

impl Upstream {
    /// Whether names of header fields stay as HTTP/1 spelled them.
    pub(crate) fn preserves_header_case(&self) -> bool {
        self.definition.preserve_header_case
    }

    /// Whether HTTP/2 is spoken to it.
    pub(crate) fn speaks_http2(&self) -> bool {
        self.definition.protocol == config::Protocol::Http2
    }

    /// What URLs of it begin with.
    fn scheme(&self) -> &'static str {
        match self.definition.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// How it is called by who calls it in its own name: as its first endpoint.
    pub(crate) fn authority(&self) -> &str {
        self.endpoints
            .first()
            .map_or(&*self.name, |first| &*first.name)
    }

    /// Picks an endpoint that is not among `tried`, unless there is no other.
    fn lease(self: &Arc<Self>, key: Option<&[u8]>, tried: &[usize]) -> Result<Lease, GatewayError> {
        let now = Instant::now();
        let permit = self
            .breaker
            .try_enter(now)
            .map_err(|refused| self.refused(refused))?;
        let usable = |i: usize| self.endpoints[i].is_healthy() && !self.outliers.is_ejected(i, now);
        let in_flight = |i: usize| self.endpoints[i].in_flight.load(Ordering::Relaxed);
        let index = self
            .balancer
            .pick(key, in_flight, |i| usable(i) && !tried.contains(&i))
            .or_else(|| (!tried.is_empty()).then(|| self.balancer.pick(key, in_flight, usable))?)
            .ok_or_else(|| self.none_usable())?;
        self.endpoints[index]
            .in_flight
            .fetch_add(1, Ordering::Relaxed);
        Ok(Lease {
            upstream: self.clone(),
            index,
            permit,
            verdict: None,
            _in_flight: self.metrics.begin(),
        })
    }

    fn none_usable(&self) -> GatewayError {
        GatewayError::new(Code::DestinationUnavailable)
            .source(format!(
                "none of the {} endpoints of {} is healthy",
                self.endpoints.len(),
                self.name
            ))
            .retry_after(Duration::from_secs(1))
    }

    fn refused(&self, refused: Refused) -> GatewayError {
        match refused {
            Refused::InFlight => GatewayError::new(Code::ConnectionLimitReached)
                .source(format!(
                    "{} has as many requests in flight as its breaker allows",
                    self.name
                ))
                .retry_after(Duration::from_secs(1)),
            Refused::Open { retry_after } => GatewayError::new(Code::BreakerOpen)
                .source(format!("the breaker of {} is open", self.name))
                .retry_after(retry_after),
        }
    }

    /// Another endpoint to try, and why that is safe. Where none is to be had, what failed is the
    /// answer: it tells the caller more than the refusal of a second try.
    fn retry(
        self: &Arc<Self>,
        method: &Method,
        call: &Call,
        failure: &Failure,
        (tried, attempts): (&[usize], usize),
    ) -> Result<(&'static str, Lease), NotRetried> {
        if Instant::now() >= call.deadline {
            return Err(NotRetried::Deadline);
        }
        let reason = call::replay_reason(method, &call.body, failure)?;
        if u32::try_from(attempts).unwrap_or(u32::MAX) > self.max_retries {
            return Err(NotRetried::Max);
        }
        let lease = self.lease(call.hash_key.as_deref(), tried);
        let lease = lease.map_err(|_| NotRetried::Endpoint)?;
        match self.budget.try_retry() {
            true => Ok((reason, lease)),
            false => Err(NotRetried::Budget),
        }
    }

    /// How often a request has tried it.
    pub(crate) fn attempts(&self, request: &Request) -> usize {
        let llm = request.record.llm.as_ref();
        // What was asked before a model was is another call.
        let first = llm.and_then(|llm| llm.targets.first());
        let first = first.map_or(0, |target| target.first_attempt);
        let attempts = request.record.attempts.iter().skip(first);
        attempts.filter(|a| a.upstream == self.name).count()
    }

    /// Whether a request that has tried it so often may once more, which its retry budget pays for.
    pub(crate) fn may_retry(&self, attempts: usize) -> bool {
        let spent = u32::try_from(attempts).unwrap_or(u32::MAX) > self.max_retries;
        !spent && self.budget.try_retry()
    }

    /// What operators see of it.
    pub(crate) fn describe(&self) -> serde_json::Value {
        let now = Instant::now();
        let endpoints: Vec<_> = self
            .endpoints
            .iter()
            .enumerate()
            .map(|(i, endpoint)| {
                serde_json::json!({
                    "endpoint": &*endpoint.name,
                    "addresses": *endpoint.resolved.current(),
                    "healthy": endpoint.is_healthy(),
                    "ejected": self.outliers.is_ejected(i, now),
                    "requests_in_flight": endpoint.in_flight.load(Ordering::Relaxed),
                    "connections": endpoint.connections.load(Ordering::Relaxed),
                    "idle_closed_by_peer": endpoint.pool.closed_by_peer(),
                    "idle_timeout": endpoint.pool.idle_timeout().map(|timeout| serde_json::json!({
                        "seconds": timeout.after.as_secs_f64(),
                        "source": timeout.source.as_str(),
                    })),
                })
            })
            .collect();
        serde_json::json!({
            "upstream": &*self.name,
            "breaker_open": self.breaker.is_open(now),
            "requests_in_flight": self.breaker.in_flight(),
            "endpoints_ejected": self.outliers.ejected(now),
            "endpoints": endpoints,
        })
    }

    /// Drops idle connections that are too old or were closed by their peer.
    pub(crate) fn sweep(&self) {
        for endpoint in &self.endpoints {
            endpoint.pool.sweep(self.timeouts.pool_idle);
        }
    }
}

impl Lease {
    fn endpoint(&self) -> &Endpoint {
        &self.upstream.endpoints[self.index]
    }

    fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    fn index(&self) -> usize {
        self.index
    }

    /// The endpoint answered; a 5xx is its failure all the same.
    ///
    /// The breaker is told at once, because its probe must not take as long as a stream does. That
    /// the endpoint is well is believed only when the answer did not break off: see `Drop`.
    fn answered(&mut self, status: StatusCode) {
        if status.is_server_error() {
            return self.failed();
        }
        self.verdict.get_or_insert(Verdict::Well);
        let change = self.permit.success(Instant::now());
        self.note(change);
    }

    /// The attempt failed by the endpoint's fault; it counts once.
    fn failed(&mut self) {
        if self.verdict.replace(Verdict::Failed) == Some(Verdict::Failed) {
            return;
        }
        let now = Instant::now();
        if self.upstream.outliers.failure(self.index, now).is_some() {
            self.upstream.metrics.ejected();
            self.upstream.tell_health();
        }
        let change = self.permit.failure(now);
        self.note(change);
    }

    fn note(&self, change: Option<Change>) {
        if let Some(change) = change {
            self.upstream.tell_breaker(change);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.verdict == Some(Verdict::Well) {
            self.upstream.outliers.success(self.index);
        }
        self.endpoint().in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
