//! The heads that cross the gateway: what is taken off, and what is said of the caller.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Version};
use pingora_http::{RequestHeader, ResponseHeader};

use super::identify::{REQUEST_ID, WEIR_CONSUMER, WEIR_TEAM};
use super::request::Request;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Where a request goes, as its head says it.
pub(crate) struct Target<'a> {
    /// A new path and query, in origin form.
    pub(crate) path: Option<&'a str>,
    /// A new Host.
    pub(crate) host: Option<&'a HeaderValue>,
    /// Whether the caller's wish to leave HTTP is passed on.
    pub(crate) upgrade: bool,
    /// The length of the body when it is known; what the caller said, if `None`.
    pub(crate) length: Option<usize>,
}

/// The head of one attempt, made from the caller's.
pub(crate) fn outgoing(
    request: &Request,
    head: &RequestHeader,
    target: &Target<'_>,
    span_id: [u8; 8],
) -> Box<RequestHeader> {
    let mut out = Box::new(head.clone());
    let upgrade = target.upgrade.then(|| head.headers.get(UPGRADE).cloned()).flatten();
    strip_hop_by_hop(&mut out);
    frame(&mut out, head, target.length);
    if let Some(protocol) = upgrade {
        put(&mut out, CONNECTION, HeaderValue::from_static("upgrade"));
        put(&mut out, UPGRADE, protocol);
    }
    retarget(&mut out, head, target);
    introduce(&mut out, request, head, span_id);
    out
}

/// RFC 9110, 7.6.1: what is said between two neighbours is not passed on.
fn strip_hop_by_hop(head: &mut RequestHeader) {
    for name in named_by_connection(&head.headers) {
        head.remove_header(&name);
    }
    let trailers = head.headers.get(TE).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, EXPECT] {
        if head.headers.contains_key(&name) {
            head.remove_header(&name);
        }
    }
    if trailers {
        put(head, TE, HeaderValue::from_static("trailers"));
    }
}

/// Field names that `Connection` declares hop-by-hop.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let listed = headers.get_all(CONNECTION).into_iter().filter_map(|v| v.to_str().ok());
    listed
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .filter(|token| !token.eq_ignore_ascii_case("close") && !token.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        // Nobody may talk a neighbour out of the fields that frame or route the message.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect()
}

/// Says how long the body is, or that it is chunked.
fn frame(out: &mut RequestHeader, head: &RequestHeader, length: Option<usize>) {
    match length {
        Some(length) => {
            put(out, CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            let chunked = head.headers.contains_key(TRANSFER_ENCODING);
            // HTTP/2 needs no length; HTTP/1.1 must say that one is missing.
            let unknown = head.version == Version::HTTP_2
                && !head.headers.contains_key(CONTENT_LENGTH)
                && !matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
            if chunked || unknown {
                put(out, TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
    }
    out.set_version(Version::HTTP_11);
}

fn retarget(out: &mut RequestHeader, head: &RequestHeader, target: &Target<'_>) {
    if let Some(path) = target.path {
        set_path(out, path);
    } else if head.uri.authority().is_some() {
        // Absolute form is for proxies; an origin is asked in origin form (RFC 9112, 3.2.1).
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        set_path(out, &path);
    }
    if let Some(host) = target.host {
        put(out, HOST, host.clone());
    } else if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        put(out, HOST, host);
    }
}

fn set_path(out: &mut RequestHeader, path: &str) {
    // A path made of checked parts always parses; were it not to, the old one stays.
    let _ = out.set_raw_path(path.as_bytes());
}

/// Says who asks: the hops so far, the consumer, the trace.
fn introduce(out: &mut RequestHeader, request: &Request, head: &RequestHeader, span_id: [u8; 8]) {
    let peer = request.connection.peer.ip().to_canonical().to_string();
    let hops = match out.headers.get(X_FORWARDED_FOR).filter(|_| request.from_trusted_proxy) {
        Some(before) => [before.as_bytes(), b", ", peer.as_bytes()].concat(),
        None => peer.into_bytes(),
    };
    put_bytes(out, X_FORWARDED_FOR, &hops);
    if !request.from_trusted_proxy || !out.headers.contains_key(X_FORWARDED_PROTO) {
        let scheme = if request.connection.tls { "https" } else { "http" };
        put(out, X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !request.from_trusted_proxy || !out.headers.contains_key(X_FORWARDED_HOST) {
        put_bytes(out, X_FORWARDED_HOST, super::identify::host(head).as_bytes());
    }
    put_bytes(out, REQUEST_ID, request.record.request_id.as_str().as_bytes());
    put_bytes(out, TRACEPARENT, request.record.trace.traceparent_of(span_id).as_bytes());
    match &request.record.trace.state {
        Some(state) => put_bytes(out, TRACESTATE, state.as_bytes()),
        None => {
            out.remove_header(&TRACESTATE);
        }
    }
    if let Some(consumer) = &request.consumer {
        put_bytes(out, WEIR_CONSUMER, consumer.name.as_bytes());
        if let Some(team) = &consumer.team {
            put_bytes(out, WEIR_TEAM, team.as_bytes());
        }
    }
}

/// Takes off an upstream's answer what is said between neighbours, `Connection` and `Upgrade` of
/// an agreed upgrade apart.
pub(crate) fn strip_answer(head: &mut ResponseHeader) {
    if head.status == http::StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    for name in named_by_connection(&head.headers) {
        head.remove_header(&name);
    }
    for name in [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, TRAILER] {
        if head.headers.contains_key(&name) {
            head.remove_header(&name);
        }
    }
}

fn put(head: &mut RequestHeader, name: HeaderName, value: HeaderValue) {
    head.insert_header(name, value).expect("a typed header is valid");
}

fn put_bytes(head: &mut RequestHeader, name: HeaderName, value: &[u8]) {
    // Names and addresses we made, or values that were a header's before, are valid.
    if let Ok(value) = HeaderValue::from_bytes(value) {
        put(head, name, value);
    }
}
