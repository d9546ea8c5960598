//! The heads that cross the gateway: what is taken off, and what is said of the caller.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName,
    HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
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
    /// How long the body is that goes with it.
    pub(crate) length: Length,
}

/// What is known of the length of a body before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// As the caller said; if it said nothing, there is none.
    AsSaid,
    /// One comes and nobody knows: the caller did not say, or filters change it.
    Unknown,
    /// So many bytes.
    Known(usize),
}

/// Whether the caller asks to leave HTTP. An upgrade to HTTP/2 in the clear is not passed on: it
/// would be a tunnel past every route and policy.
pub(crate) fn wants_upgrade(head: &RequestHeader) -> bool {
    let asked =
        head.version == Version::HTTP_11 && named_by_connection(&head.headers).contains(&UPGRADE);
    asked
        && head
            .headers
            .get(UPGRADE)
            .is_some_and(|protocol| !protocol.as_bytes().to_ascii_lowercase().starts_with(b"h2c"))
}

/// The head of one attempt, made from the caller's.
pub(crate) fn outgoing(
    request: &Request,
    head: &RequestHeader,
    target: &Target<'_>,
    span_id: [u8; 8],
) -> Box<RequestHeader> {
    let mut out = Box::new(head.clone());
    let upgrade = target
        .upgrade
        .then(|| head.headers.get(UPGRADE).cloned())
        .flatten();
    strip_hop_by_hop(&mut out);
    frame(&mut out, head, target.length);
    if let Some(protocol) = upgrade {
        put(&mut out, CONNECTION, HeaderValue::from_static("upgrade"));
        put(&mut out, UPGRADE, protocol);
    }
    if head.version == Version::HTTP_2 {
        join_cookies(&mut out, head);
    }
    retarget(&mut out, head, target);
    introduce(&mut out, request, head, span_id);
    out
}

/// RFC 9110, 7.6.1: what is said between two neighbours is not passed on.
fn strip_hop_by_hop(head: &mut RequestHeader) {
    let trailers = head
        .headers
        .get(TE)
        .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in hop_by_hop(&head.headers, &EXPECT) {
        head.remove_header(&name);
    }
    if trailers {
        put(head, TE, HeaderValue::from_static("trailers"));
    }
}

/// Fields that are always said between two neighbours only.
static HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The fields of a head that are not passed on. One pass over the few there are costs less than a
/// look-up for each that might be.
fn hop_by_hop(headers: &HeaderMap, also: &HeaderName) -> Vec<HeaderName> {
    let mut names = named_by_connection(headers);
    let listed = |name: &&HeaderName| HOP_BY_HOP.contains(name) || *name == also;
    names.extend(headers.keys().filter(listed).cloned());
    names
}

/// Field names that `Connection` declares hop-by-hop.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let listed = headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|v| v.to_str().ok());
    listed
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .filter(|token| {
            !token.eq_ignore_ascii_case("close") && !token.eq_ignore_ascii_case("keep-alive")
        })
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        // Nobody may talk a neighbour out of the fields that frame or route the message.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect()
}

/// Says how long the body is, or that it is chunked.
fn frame(out: &mut RequestHeader, head: &RequestHeader, length: Length) {
    out.set_version(Version::HTTP_11);
    match length {
        Length::Known(length) => put(out, CONTENT_LENGTH, HeaderValue::from(length)),
        Length::Unknown => {
            out.remove_header(&CONTENT_LENGTH);
            put(out, TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Length::AsSaid => {
            // HTTP/2 need not say that there is none; HTTP/1.1 should, on these.
            let usual = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
            if usual && !head.headers.contains_key(CONTENT_LENGTH) {
                put(out, CONTENT_LENGTH, HeaderValue::from(0));
            }
        }
    }
}

/// HTTP/2 may send each cookie in a field of its own; HTTP/1.1 has one (RFC 9113, 8.2.3).
fn join_cookies(out: &mut RequestHeader, head: &RequestHeader) {
    let mut cookies = head.headers.get_all(COOKIE).into_iter();
    let (Some(first), Some(_)) = (cookies.next(), cookies.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for cookie in head.headers.get_all(COOKIE).into_iter().skip(1) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    put_bytes(out, COOKIE, &joined);
}

fn retarget(out: &mut RequestHeader, head: &RequestHeader, target: &Target<'_>) {
    if let Some(path) = target.path {
        set_path(out, path);
    } else if !matches!(head.raw_path().first(), Some(b'/' | b'*'))
        || head.uri.authority().is_some()
    {
        // Absolute form is for proxies; an origin is asked in origin form (RFC 9112, 3.2.1).
        let path = head
            .uri
            .path_and_query()
            .map_or("/", |p| p.as_str())
            .to_owned();
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
    let peer = &request.connection.peer_field;
    if request.from_trusted_proxy {
        let mut hops = Vec::new();
        for before in out.headers.get_all(X_FORWARDED_FOR) {
            hops.extend_from_slice(before.as_bytes());
            hops.extend_from_slice(b", ");
        }
        hops.extend_from_slice(peer.as_bytes());
        put_bytes(out, X_FORWARDED_FOR, &hops);
    } else {
        // Upstreams may believe this one as well, and it is not continued here.
        out.remove_header(&FORWARDED);
        put(out, X_FORWARDED_FOR, peer.clone());
    }
    if !request.from_trusted_proxy || !out.headers.contains_key(X_FORWARDED_PROTO) {
        let scheme = if request.connection.tls {
            "https"
        } else {
            "http"
        };
        put(out, X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !request.from_trusted_proxy || !out.headers.contains_key(X_FORWARDED_HOST) {
        match head.headers.get(HOST) {
            Some(host) if head.uri.authority().is_none() => {
                put(out, X_FORWARDED_HOST, host.clone());
            }
            _ => put_bytes(
                out,
                X_FORWARDED_HOST,
                super::identify::host(head).as_bytes(),
            ),
        }
    }
    put_bytes(
        out,
        REQUEST_ID,
        request.record.request_id.as_str().as_bytes(),
    );
    put_bytes(
        out,
        TRACEPARENT,
        request.record.trace.traceparent_of(span_id).as_bytes(),
    );
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
    // Whatever the upstream spoke, the answer is written anew.
    head.set_version(Version::HTTP_11);
    if head.status == http::StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    for name in hop_by_hop(&head.headers, &TRAILER) {
        head.remove_header(&name);
    }
    if head.status == http::StatusCode::NO_CONTENT {
        // RFC 9110, 8.6: it has none, not even of 0.
        head.remove_header(&CONTENT_LENGTH);
    }
}

fn put(head: &mut RequestHeader, name: HeaderName, value: HeaderValue) {
    head.insert_header(name, value)
        .expect("a typed header is valid");
}

fn put_bytes(head: &mut RequestHeader, name: HeaderName, value: &[u8]) {
    // Names and addresses we made, or values that were a header's before, are valid.
    if let Ok(value) = HeaderValue::from_bytes(value) {
        put(head, name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, fields: &[(&'static str, &str)]) -> RequestHeader {
        let mut head = RequestHeader::build(method, b"/", None).expect("a request");
        for (name, value) in fields {
            head.append_header(*name, *value).expect("a header");
        }
        head
    }

    fn framed(head: &RequestHeader, length: Length) -> (Option<String>, bool) {
        let mut out = head.clone();
        frame(&mut out, head, length);
        let said = out
            .headers
            .get(CONTENT_LENGTH)
            .map(|v| v.to_str().expect("text").to_owned());
        (said, out.headers.contains_key(TRANSFER_ENCODING))
    }

    #[test]
    fn a_body_of_unknown_length_is_chunked_whatever_was_said() {
        let said = head("POST", &[("content-length", "3")]);
        assert_eq!(framed(&said, Length::Unknown), (None, true));
        assert_eq!(framed(&said, Length::AsSaid), (Some("3".into()), false));
        assert_eq!(framed(&said, Length::Known(5)), (Some("5".into()), false));
        assert_eq!(
            framed(&head("POST", &[]), Length::AsSaid),
            (Some("0".into()), false)
        );
        assert_eq!(framed(&head("GET", &[]), Length::AsSaid), (None, false));
    }

    #[test]
    fn an_upgrade_is_asked_for_in_two_fields_and_never_to_http2() {
        let asks = |connection, protocol| {
            wants_upgrade(&head(
                "GET",
                &[("connection", connection), ("upgrade", protocol)],
            ))
        };
        assert!(asks("keep-alive, Upgrade", "websocket"));
        assert!(!asks("keep-alive", "websocket"));
        assert!(!asks("Upgrade, HTTP2-Settings", "H2C"));
    }
}
