//! Checks `upstreams`, and what providers share with them.

use std::sync::Arc;

use openssl::x509::X509;

use super::{
    Active, Balance, Breaker, Endpoint, ErrorRate, Identity, Passive, Probe, Retries, Timeouts,
    Tls, Upstream,
};
use crate::config::address;
use crate::config::check::{At, Checker, Item};
use crate::config::raw::upstreams as raw;
use crate::config::template::Variable;
use crate::config::tls;

/// Checks one upstream.
pub(in crate::config) fn check(
    cx: &mut Checker<'_>,
    item: &Item<raw::Upstream>,
) -> Option<Upstream> {
    let (raw, at) = (&item.raw, &item.at);
    let endpoints = check_endpoints(cx, &at.key("endpoints"), &raw.endpoints);
    let tls = raw
        .tls
        .as_ref()
        .map(|tls| check_tls(cx, &at.key("tls"), tls));
    let balance = check_balance(cx, &at.key("balance"), &raw.balance);
    let active = raw
        .health
        .active
        .as_ref()
        .map(|active| check_active(cx, &at.key("health").key("active"), active, raw.protocol));
    let breaker = check_breaker(cx, &at.key("breaker"), &raw.breaker);
    let passive = raw.health.passive.as_ref().map(|passive| Passive {
        failures: passive.failures,
        eject_for: passive.eject_for.0,
        max_ejected_percent: passive.max_ejected_percent.0,
    });
    Some(Upstream {
        name: raw.name.0.as_str().into(),
        endpoints: endpoints?,
        protocol: raw.protocol,
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
        balance: balance?,
        timeouts: check_timeouts(&raw.timeouts),
        active: match active {
            Some(active) => Some(active?),
            None => None,
        },
        passive,
        breaker: breaker?,
        retries: check_retries(&raw.retries),
        max_connections_per_endpoint: raw.connections.max_per_endpoint.map(|most| most as usize),
        preserve_header_case: raw.preserve_header_case,
    })
}

fn check_endpoints(cx: &mut Checker<'_>, at: &At, raw: &[raw::Endpoint]) -> Option<Vec<Endpoint>> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for (index, endpoint) in raw.iter().enumerate() {
        let at = at.index(index).key("address");
        let Some((host, port)) = address::host_port(&endpoint.address) else {
            let message = format!("\"{}\" is no address", endpoint.address);
            cx.fault(&at, message, "write host and port, as orders.internal:9001");
            continue;
        };
        if endpoints
            .iter()
            .any(|other| other.host == host && other.port == port)
        {
            cx.fault(
                &at,
                "this endpoint is given twice",
                "give it once, with a larger weight",
            );
        }
        endpoints.push(Endpoint {
            host,
            port,
            weight: endpoint.weight,
        });
    }
    if !raw.is_empty() && raw.iter().all(|endpoint| endpoint.weight == 0) {
        cx.fault(
            at,
            "every weight is 0, so none would be called",
            "give at least one a weight",
        );
    }
    (endpoints.len() == raw.len()).then_some(endpoints)
}

pub(in crate::config) fn check_tls(cx: &mut Checker<'_>, at: &At, raw: &raw::Tls) -> Option<Tls> {
    if !raw.verify {
        cx.warn(
            &at.key("verify"),
            "anybody can pretend to be this upstream",
            "give the authority under `ca` instead",
        );
    }
    let sni_good = raw.sni.as_ref().is_none_or(|sni| {
        let good = matches!(
            crate::config::hosts::Host::parse(sni),
            Some(crate::config::hosts::Host::Exact(_))
        );
        if !good {
            cx.fault(
                &at.key("sni"),
                format!("\"{sni}\" is no host"),
                "write it as api.example.com",
            );
        }
        good
    });
    let ca = raw
        .ca
        .as_ref()
        .map(|file| tls::authorities(cx, &at.key("ca"), file));
    let identity = match (&raw.client_cert, &raw.client_key) {
        (Some(cert), Some(key)) => Some(tls::pair(
            cx,
            (&at.key("client_cert"), cert),
            (&at.key("client_key"), key),
        )),
        (None, None) => None,
        _ => {
            cx.fault(
                at,
                "client_cert and client_key belong together",
                "give both or none",
            );
            return None;
        }
    };
    let ca: Option<Arc<[X509]>> = match ca {
        Some(ca) => Some(ca?.into()),
        None => None,
    };
    let identity = match identity {
        Some(pair) => pair.map(|(chain, key)| Some(Arc::new(Identity { chain, key })))?,
        None => None,
    };
    let sni = raw.sni.as_deref().map(Into::into);
    sni_good.then_some(Tls {
        sni,
        ca,
        verify: raw.verify,
        identity,
    })
}

fn check_balance(cx: &mut Checker<'_>, at: &At, raw: &raw::Balance) -> Option<Balance> {
    let key = match raw {
        raw::Balance::RoundRobin => return Some(Balance::RoundRobin),
        raw::Balance::LeastRequests => return Some(Balance::LeastRequests),
        raw::Balance::ConsistentHash { key } => key,
    };
    let at = at.key("key");
    let key = cx.template(&at, key)?;
    if key
        .variables()
        .any(|variable| matches!(variable, Variable::Path(_)))
    {
        cx.fault(
            &at,
            "an upstream does not know what routes capture",
            "use {header.NAME} or {query.NAME}",
        );
        return None;
    }
    if key.literal().is_some() {
        cx.fault(
            &at,
            "every request has this key, so one endpoint would get all",
            "use {header.NAME} or {query.NAME}",
        );
        return None;
    }
    Some(Balance::ConsistentHash { key })
}

pub(in crate::config) fn check_timeouts(raw: &raw::Timeouts) -> Timeouts {
    Timeouts {
        connect: raw.connect.0,
        first_byte: raw.first_byte.0,
        stream_idle: raw.stream_idle.0,
        total: raw.total.0,
        pool_idle: raw.pool_idle.0,
    }
}

/// Checks what an HTTP check asks for.
fn check_http(cx: &mut Checker<'_>, at: &At, path: &str, host: Option<&str>) -> Option<Probe> {
    if http::uri::PathAndQuery::try_from(path).is_err() || !path.starts_with('/') {
        let message = format!("\"{path}\" is no path");
        cx.fault(&at.key("path"), message, "write it as /healthz");
        return None;
    }
    check_host(cx, at, host)?;
    Some(Probe::Http {
        path: path.into(),
        host: host.map(Into::into),
    })
}

/// Checks what a gRPC check asks for.
fn check_grpc(
    cx: &mut Checker<'_>,
    at: &At,
    service: &str,
    host: Option<&str>,
    protocol: raw::Protocol,
) -> Option<Probe> {
    if protocol == raw::Protocol::Http1 {
        let hint = "give the upstream `protocol: http2`";
        cx.fault(at, "gRPC is HTTP/2, and the upstream speaks http1", hint);
        return None;
    }
    check_host(cx, at, host)?;
    Some(Probe::Grpc {
        service: service.into(),
        host: host.map(Into::into),
    })
}

/// Checks the host that a check names.
fn check_host(cx: &mut Checker<'_>, at: &At, host: Option<&str>) -> Option<()> {
    if host.is_some_and(|host| host.parse::<http::uri::Authority>().is_err()) {
        let hint = "write it as orders.internal";
        cx.fault(&at.key("host"), "this is no host", hint);
        return None;
    }
    Some(())
}

fn check_active(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Active,
    protocol: raw::Protocol,
) -> Option<Active> {
    let (probe, interval, timeout, healthy_after, unhealthy_after) = match raw {
        raw::Active::Http {
            path,
            host,
            interval,
            timeout,
            healthy_after,
            unhealthy_after,
        } => {
            let probe = check_http(cx, at, path, host.as_deref())?;
            (probe, interval, timeout, healthy_after, unhealthy_after)
        }
        raw::Active::Grpc {
            service,
            host,
            interval,
            timeout,
            healthy_after,
            unhealthy_after,
        } => {
            let probe = check_grpc(cx, at, service, host.as_deref(), protocol)?;
            (probe, interval, timeout, healthy_after, unhealthy_after)
        }
        raw::Active::Tcp {
            interval,
            timeout,
            healthy_after,
            unhealthy_after,
        } => (
            Probe::Tcp,
            interval,
            timeout,
            healthy_after,
            unhealthy_after,
        ),
    };
    if timeout > interval {
        let message = format!("a check may take {timeout}, longer than the {interval} between two");
        cx.fault(&at.key("timeout"), message, "make it shorter");
        return None;
    }
    Some(Active {
        probe,
        interval: interval.0,
        timeout: timeout.0,
        healthy_after: *healthy_after,
        unhealthy_after: *unhealthy_after,
    })
}

pub(in crate::config) fn check_breaker(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Breaker,
) -> Option<Breaker> {
    let errors = match raw.error_percent {
        None => None,
        Some(percent) if percent.0 == 0 => {
            cx.fault(
                &at.key("error_percent"),
                "0 would open it always",
                "leave it out to never open it",
            );
            return None;
        }
        Some(percent) => Some(ErrorRate {
            percent: percent.0,
            minimum_requests: raw.minimum_requests,
            window: raw.window.0,
            open_for: raw.open_for.0,
        }),
    };
    Some(Breaker {
        max_in_flight: raw.max_in_flight.map(|most| most as usize),
        errors,
    })
}

pub(in crate::config) fn check_retries(raw: &raw::Retries) -> Retries {
    Retries {
        max: raw.max,
        budget_percent: raw.budget_percent.0,
    }
}
