//! Makes upstreams ready to be called from what the configuration says of them.
//!
//! An upstream whose definition a reload leaves as it is stays the very same object, with its
//! pool, health, breaker and counters. Where the definition changed, endpoints that are still in
//! it keep their pool and health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use pingora_core::utils::tls::CertKey;
use weir_telemetry::{Metrics, metrics as counts};

use super::balance::{Balance, Balancer};
use super::breaker::{self, Breaker};
use super::budget::Budget;
use super::dial::{Dialer, Protocol, Tls};
use super::outlier::{self, Outliers};
use super::pool::Pool;
use super::resolve::Resolved;
use super::tell::Voice;
use super::{Endpoint, Timeouts, Upstream, health};
use crate::config::upstreams as config;

/// Builds one upstream; `previous` is what the snapshot before called by the same name.
pub(crate) fn build(
    definition: &Arc<config::Upstream>,
    previous: Option<&Arc<Upstream>>,
    metrics: &Metrics,
) -> Arc<Upstream> {
    if let Some(same) = previous.filter(|p| *p.definition == **definition) {
        return same.clone();
    }
    // A pooled connection is only as good as the protocol and trust it was opened with.
    let kept = previous.filter(|p| {
        p.definition.protocol == definition.protocol && p.definition.tls == definition.tls
    });
    let counts = metrics.upstream(&definition.name);
    let endpoints: Vec<_> = definition
        .endpoints
        .iter()
        .map(|e| endpoint(e, definition, kept, &counts))
        .collect();
    let weights: Vec<u32> = definition.endpoints.iter().map(|e| e.weight).collect();
    let names: Vec<&str> = endpoints.iter().map(|e| &*e.name).collect();
    let upstream = Arc::new(Upstream {
        name: definition.name.clone(),
        timeouts: timeouts(&definition.timeouts),
        balancer: Balancer::new(balance(&definition.balance), &weights, &names),
        breaker: previous
            .filter(|p| p.definition.breaker == definition.breaker)
            .map_or_else(
                || Breaker::new(breaker_settings(&definition.breaker)),
                |p| p.breaker.clone(),
            ),
        budget: Budget::new(definition.retries.budget_percent),
        max_retries: definition.retries.max,
        outliers: previous
            .filter(|p| p.definition.passive == definition.passive)
            .filter(|p| p.definition.endpoints == definition.endpoints)
            .map_or_else(
                || {
                    Arc::new(Outliers::new(
                        endpoints.len(),
                        outlier_settings(definition.passive),
                    ))
                },
                |p| p.outliers.clone(),
            ),
        dialer: Dialer::new(protocol(definition), tls(definition)),
        metrics: counts,
        max_connections: definition.max_connections_per_endpoint,
        definition: definition.clone(),
        tasks: health::Tasks::default(),
        voice: Voice::default(),
        endpoints,
    });
    health::watch(&upstream);
    upstream
}

fn endpoint(
    definition: &config::Endpoint,
    upstream: &config::Upstream,
    previous: Option<&Arc<Upstream>>,
    metrics: &Arc<counts::Upstream>,
) -> Arc<Endpoint> {
    let name = definition.to_string();
    if let Some(kept) = previous.and_then(|p| p.endpoints.iter().find(|e| *e.name == *name)) {
        return kept.clone();
    }
    let sni = upstream.tls.as_ref().and_then(|tls| tls.sni.clone());
    Arc::new(Endpoint {
        server_name: sni.map_or_else(|| definition.host.to_string(), |sni| sni.to_string()),
        name: name.into(),
        resolved: match &definition.host {
            config::Host::Ip(ip) => Resolved::literal((*ip, definition.port).into()),
            config::Host::Name(host) => Resolved::new(host, definition.port),
        },
        pool: Pool::new(metrics.clone()),
        healthy: AtomicBool::new(true),
        in_flight: AtomicUsize::new(0),
        connections: Arc::default(),
    })
}

fn timeouts(t: &config::Timeouts) -> Timeouts {
    Timeouts {
        connect: t.connect,
        first_byte: t.first_byte,
        stream_idle: t.stream_idle,
        total: t.total,
        pool_idle: t.pool_idle,
    }
}

fn balance(balance: &config::Balance) -> Balance {
    match balance {
        config::Balance::RoundRobin => Balance::RoundRobin,
        config::Balance::LeastRequests => Balance::LeastRequests,
        config::Balance::ConsistentHash { .. } => Balance::ConsistentHash,
    }
}

fn breaker_settings(breaker: &config::Breaker) -> breaker::Settings {
    let errors = breaker.errors;
    breaker::Settings {
        max_in_flight: breaker
            .max_in_flight
            .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
        error_percent: errors.map(|e| e.percent),
        minimum_requests: errors.map_or(1, |e| e.minimum_requests),
        window: errors.map_or(Duration::from_secs(10), |e| e.window),
        open_for: errors.map_or(Duration::from_secs(1), |e| e.open_for),
    }
}

/// Without passive checks nothing is ever ejected.
fn outlier_settings(passive: Option<config::Passive>) -> outlier::Settings {
    match passive {
        Some(passive) => outlier::Settings {
            failures: passive.failures,
            eject_for: passive.eject_for,
            max_ejected_percent: passive.max_ejected_percent,
        },
        None => outlier::Settings {
            failures: u32::MAX,
            eject_for: Duration::ZERO,
            max_ejected_percent: 0,
        },
    }
}

fn protocol(definition: &config::Upstream) -> Protocol {
    match definition.protocol {
        config::Protocol::Http1 => Protocol::Http1,
        config::Protocol::Http2 => Protocol::Http2,
    }
}

fn tls(definition: &config::Upstream) -> Option<Tls> {
    let tls = definition.tls.as_ref()?;
    Some(Tls {
        verify: tls.verify,
        authorities: tls
            .ca
            .as_ref()
            .map(|ca| Arc::new(ca.to_vec().into_boxed_slice())),
        client: tls
            .identity
            .as_ref()
            .map(|identity| Arc::new(CertKey::new(identity.chain.clone(), identity.key.clone()))),
    })
}
