//! The first stage: who is this request, and who sent it.
//!
//! Request id, trace context, trusted client address; nothing here can fail.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::header::{FORWARDED, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use ipnet::IpNet;
use pingora_http::RequestHeader;
use pingora_http::authority::{RawTargetAuthority, raw_target_authority};
use weir_telemetry::record::{Protocol, Record};
use weir_telemetry::trace::{Context, RequestId, Sampler};

use super::request::{Connection, Request};
use crate::gateway::Gateway;

/// The request's id, taken over from trusted proxies only.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The consumer, as told to upstreams; never believed when it comes in.
pub(crate) const WEIR_CONSUMER: HeaderName = HeaderName::from_static("weir-consumer");
/// The team, as told to upstreams; never believed when it comes in.
pub(crate) const WEIR_TEAM: HeaderName = HeaderName::from_static("weir-team");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Begins a request's context from its head.
pub(crate) fn identify(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    head: &mut RequestHeader,
) -> Box<Request> {
    let began = Instant::now();
    let snapshot = gateway.snapshot();
    name_host(head);
    let peer = connection.peer.ip().to_canonical();
    let trusted = is_trusted(&snapshot.trusted_proxies, peer);
    let client = if trusted {
        original_client(&head.headers, &snapshot.trusted_proxies).unwrap_or(peer)
    } else {
        peer
    };
    let request_id = head
        .headers
        .get(REQUEST_ID)
        .filter(|_| trusted)
        .and_then(|v| RequestId::from_header(v.as_bytes()))
        .unwrap_or_else(RequestId::random);
    let trace = trace_context(&head.headers, &snapshot.sampler);

    let mut record = Record::begin(request_id, trace, connection.listener.clone(), client);
    record.peer = Some(connection.peer);
    record.tls = connection.tls;
    record.protocol = protocol(head.version);
    record.method = head.method.clone();
    head.uri.path().clone_into(&mut record.path);
    record.query = head.uri.query().is_some();
    record.host = host(head).to_owned();
    record.user_agent = head
        .headers
        .get(USER_AGENT)
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    record.config_revision = snapshot.revision;

    let extended_connect = asks_for_websocket(head);
    if extended_connect {
        head.set_method(Method::GET);
    }
    head.remove_header(&WEIR_CONSUMER);
    head.remove_header(&WEIR_TEAM);

    let (gateway, connection) = (gateway.clone(), connection.clone());
    let mut request = Request::begin(gateway, snapshot, connection, (began, record));
    request.extended_connect = extended_connect;
    request.from_trusted_proxy = trusted;
    request
}

/// Whether it is an extended CONNECT (RFC 8441, 4) for what there is a route for.
fn asks_for_websocket(head: &RequestHeader) -> bool {
    let protocol = head.extensions.get::<h2::ext::Protocol>();
    head.method == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"))
}

fn protocol(version: Version) -> Protocol {
    match version {
        Version::HTTP_2 => Protocol::Http2,
        Version::HTTP_11 => Protocol::Http11,
        _ => Protocol::Http10,
    }
}

fn trace_context(headers: &HeaderMap, sampler: &Sampler) -> Context {
    let parent = headers.get(TRACEPARENT).and_then(|v| v.to_str().ok());
    let state = headers.get(TRACESTATE).and_then(|v| v.to_str().ok());
    let inherited = parent.and_then(|parent| Context::parse(parent, state));
    sampler.begin(inherited.as_ref())
}

/// The host asked for: the target's authority, else the Host field (RFC 9112, 3.2.2).
pub(crate) fn host(head: &RequestHeader) -> &str {
    head.uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| head.headers.get(HOST).and_then(|v| v.to_str().ok()))
        .unwrap_or("")
}

/// An HTTP/1.0 target in absolute form may be all that names the host.
fn name_host(head: &mut RequestHeader) {
    if head.headers.contains_key(HOST) {
        return;
    }
    if let RawTargetAuthority::Absolute { authority, .. } = raw_target_authority(head.raw_path())
        && let Ok(host) = HeaderValue::from_bytes(authority)
    {
        head.insert_header(HOST, host)
            .expect("a typed header is valid");
    }
}

fn is_trusted(proxies: &[IpNet], address: IpAddr) -> bool {
    proxies.iter().any(|net| net.contains(&address))
}

/// The nearest address that is not a trusted proxy's, reading from the nearest hop outwards.
fn original_client(headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut hops: Vec<IpAddr> = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        hops.extend(
            value
                .to_str()
                .ok()?
                .split(',')
                .map_while(|hop| parse_hop(hop.trim())),
        );
    }
    if hops.is_empty() {
        for value in headers.get_all(FORWARDED) {
            hops.extend(value.to_str().ok()?.split(',').filter_map(forwarded_for));
        }
    }
    let untrusted = hops.iter().rev().find(|hop| !is_trusted(proxies, **hop));
    untrusted.or(hops.first()).copied()
}

/// The `for=` of one element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let node = element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })?;
    parse_hop(node.trim_matches('"'))
}

/// An address, with or without a port, IPv6 with or without brackets.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|a| a.ip());
    let bracketed = || {
        hop.strip_prefix('[')?
            .strip_suffix(']')?
            .parse::<IpAddr>()
            .ok()
    };
    bare.or_else(with_port)
        .or_else(bracketed)
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str, value: &str) -> Option<IpAddr> {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.insert(name, value.parse().expect("a value"));
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        original_client(&headers, &proxies)
    }

    #[test]
    fn the_nearest_untrusted_hop_is_the_client() {
        let spoofed = client("x-forwarded-for", "1.2.3.4, 203.0.113.9, 10.0.0.2");
        assert_eq!(spoofed, "203.0.113.9".parse().ok());
    }

    #[test]
    fn forwarded_is_read_where_there_is_no_x_forwarded_for() {
        let v6 = client(
            "forwarded",
            "for=\"[2001:db8::1]:4711\";proto=https, for=10.1.1.1",
        );
        assert_eq!(v6, "2001:db8::1".parse().ok());
    }

    #[test]
    fn garbage_is_no_address() {
        assert_eq!(client("x-forwarded-for", "unknown"), None);
        assert_eq!(client("forwarded", "for=_hidden"), None);
    }
}
