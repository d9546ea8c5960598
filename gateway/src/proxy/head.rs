//! The heads that cross the gateway: what is taken off, and what is said of the caller.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName,
    HeaderValue, SEC_WEBSOCKET_KEY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, StatusCode, Uri, Version, response};
use pingora_http::{RequestHeader, ResponseHeader};
use weir_telemetry::Code;

use super::identify::{REQUEST_ID, WEIR_CONSUMER, WEIR_TEAM};
use super::request::Request;
use crate::error::GatewayError;

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
    /// Whether the endpoint is to say that it wants the body before it comes.
    pub(crate) expect: bool,
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

/// Makes a request to leave HTTP/1.1 for WebSocket one for a stream of HTTP/2 (RFC 8441, 5).
pub(crate) fn extend_connect(head: &mut RequestHeader) {
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY] {
        head.remove_header(&name);
    }
    head.set_method(Method::CONNECT);
    head.extensions_mut()
        .insert(h2::ext::Protocol::from_static("websocket"));
}

/// Whether the caller waits for a 100 before it sends its body. Nothing else can be expected of us
/// (RFC 9110, 10.1.1).
pub(crate) fn expects_continue(head: &RequestHeader) -> Result<bool, GatewayError> {
    // HTTP/1.0 has neither the field nor the answer.
    if head.version == Version::HTTP_10 {
        return Ok(false);
    }
    let mut expects = false;
    for value in head.headers.get_all(EXPECT) {
        for expectation in value.as_bytes().split(|b| *b == b',') {
            let expectation = expectation.trim_ascii();
            if expectation.eq_ignore_ascii_case(b"100-continue") {
                expects = true;
            } else if !expectation.is_empty() {
                return Err(GatewayError::public(
                    Code::ExpectationFailed,
                    format!(
                        "Expect says {:?}; only 100-continue can be met here.",
                        String::from_utf8_lossy(expectation)
                    ),
                )
                .source("Expect asks for something other than 100-continue"));
            }
        }
    }
    Ok(expects)
}

/// How many fields are usually added to a head; room is made for them at once.
const ADDED: usize = 8;

/// The head of one attempt, made from the caller's. Names are spelled as is usual.
pub(crate) fn outgoing(
    request: &Request,
    head: &RequestHeader,
    target: &Target<'_>,
    span_id: [u8; 8],
) -> Parts {
    let mut out = head.as_owned_parts();
    out.headers.reserve(ADDED);
    made(out, request, head, target, span_id)
}

/// As [`outgoing`], its names spelled as the caller did.
pub(crate) fn outgoing_as_spelled(
    request: &Request,
    head: &RequestHeader,
    target: &Target<'_>,
    span_id: [u8; 8],
) -> RequestHeader {
    made(head.clone(), request, head, target, span_id)
}

/// An upstream's answer with its names spelled as is usual.
pub(crate) fn respelled(head: ResponseHeader) -> ResponseHeader {
    let reason = head
        .get_reason_phrase()
        .filter(|reason| head.status.canonical_reason() != Some(reason))
        .map(str::to_owned);
    let mut parts = response::Parts::from(head);
    parts.headers.reserve(ADDED);
    let mut head = ResponseHeader::from(parts);
    if reason.is_some() {
        let _ = head.set_reason_phrase(reason.as_deref());
    }
    head
}

fn made<H: Making>(
    mut out: H,
    request: &Request,
    head: &RequestHeader,
    target: &Target<'_>,
    span_id: [u8; 8],
) -> H {
    let upgrade = target
        .upgrade
        .then(|| head.headers.get(UPGRADE).cloned())
        .flatten();
    strip_hop_by_hop(&mut out);
    frame(&mut out, head, target.length);
    if let Some(protocol) = upgrade {
        out.put(CONNECTION, HeaderValue::from_static("upgrade"));
        out.put(UPGRADE, protocol);
    }
    if target.expect {
        out.put(EXPECT, HeaderValue::from_static("100-continue"));
    }
    if head.version == Version::HTTP_2 {
        join_cookies(&mut out, head);
    }
    retarget(&mut out, head, target);
    introduce(&mut out, request, head, span_id);
    out
}

/// A request head in the making. Pingora's remembers how names are spelled, in a second map beside
/// that of the fields, and reads every name anew that goes in.
trait Making {
    fn fields(&self) -> &HeaderMap;
    fn put(&mut self, name: HeaderName, value: HeaderValue);
    fn remove(&mut self, name: &HeaderName);
    /// A path made of checked parts always parses; were it not to, the old one stays.
    fn set_path(&mut self, path: &str);
    fn set_http1(&mut self);

    fn put_bytes(&mut self, name: HeaderName, value: &[u8]) {
        // Names and addresses we made, or values that were a header's before, are valid.
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.put(name, value);
        }
    }
}

impl Making for RequestHeader {
    fn fields(&self) -> &HeaderMap {
        &self.headers
    }

    fn put(&mut self, name: HeaderName, value: HeaderValue) {
        self.insert_header(name, value)
            .expect("a typed header is valid");
    }

    fn remove(&mut self, name: &HeaderName) {
        self.remove_header(name);
    }

    fn set_path(&mut self, path: &str) {
        let _ = self.set_raw_path(path.as_bytes());
    }

    fn set_http1(&mut self) {
        self.set_version(Version::HTTP_11);
    }
}

impl Making for Parts {
    fn fields(&self) -> &HeaderMap {
        &self.headers
    }

    fn put(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    fn remove(&mut self, name: &HeaderName) {
        self.headers.remove(name);
    }

    fn set_path(&mut self, path: &str) {
        if let Ok(uri) = Uri::try_from(path) {
            self.uri = uri;
        }
    }

    fn set_http1(&mut self) {
        self.version = Version::HTTP_11;
    }
}

/// RFC 9110, 7.6.1: what is said between two neighbours is not passed on.
fn strip_hop_by_hop(head: &mut impl Making) {
    let trailers = head
        .fields()
        .get(TE)
        .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in hop_by_hop(head.fields(), &EXPECT) {
        head.remove(&name);
    }
    if trailers {
        head.put(TE, HeaderValue::from_static("trailers"));
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
fn frame(out: &mut impl Making, head: &RequestHeader, length: Length) {
    out.set_http1();
    match length {
        Length::Known(length) => out.put(CONTENT_LENGTH, HeaderValue::from(length)),
        Length::Unknown => {
            out.remove(&CONTENT_LENGTH);
            out.put(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        Length::AsSaid => {
            // HTTP/2 need not say that there is none; HTTP/1.1 should, on these.
            let usual = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
            if usual && !head.headers.contains_key(CONTENT_LENGTH) {
                out.put(CONTENT_LENGTH, HeaderValue::from(0));
            }
        }
    }
}

/// HTTP/2 may send each cookie in a field of its own; HTTP/1.1 has one (RFC 9113, 8.2.3).
fn join_cookies(out: &mut impl Making, head: &RequestHeader) {
    let mut cookies = head.headers.get_all(COOKIE).into_iter();
    let (Some(first), Some(_)) = (cookies.next(), cookies.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for cookie in head.headers.get_all(COOKIE).into_iter().skip(1) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    out.put_bytes(COOKIE, &joined);
}

fn retarget(out: &mut impl Making, head: &RequestHeader, target: &Target<'_>) {
    if let Some(path) = target.path {
        out.set_path(path);
    } else if !matches!(head.raw_path().first(), Some(b'/' | b'*'))
        || head.uri.authority().is_some()
    {
        // Absolute form is for proxies; an origin is asked in origin form (RFC 9112, 3.2.1).
        let path = head
            .uri
            .path_and_query()
            .map_or("/", |p| p.as_str())
            .to_owned();
        out.set_path(&path);
    }
    if let Some(host) = target.host {
        out.put(HOST, host.clone());
    } else if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        out.put(HOST, host);
    }
}

/// Says who asks: the hops so far, the consumer, the trace.
fn introduce(out: &mut impl Making, request: &Request, head: &RequestHeader, span_id: [u8; 8]) {
    let peer = &request.connection.peer_field;
    if request.from_trusted_proxy {
        let mut hops = Vec::new();
        for before in out.fields().get_all(X_FORWARDED_FOR) {
            hops.extend_from_slice(before.as_bytes());
            hops.extend_from_slice(b", ");
        }
        hops.extend_from_slice(peer.as_bytes());
        out.put_bytes(X_FORWARDED_FOR, &hops);
    } else {
        // Upstreams may believe this one as well, and it is not continued here.
        out.remove(&FORWARDED);
        out.put(X_FORWARDED_FOR, peer.clone());
    }
    if !request.from_trusted_proxy || !out.fields().contains_key(X_FORWARDED_PROTO) {
        let scheme = if request.connection.tls {
            "https"
        } else {
            "http"
        };
        out.put(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !request.from_trusted_proxy || !out.fields().contains_key(X_FORWARDED_HOST) {
        match head.headers.get(HOST) {
            Some(host) if head.uri.authority().is_none() => {
                out.put(X_FORWARDED_HOST, host.clone());
            }
            _ => out.put_bytes(X_FORWARDED_HOST, super::identify::host(head).as_bytes()),
        }
    }
    out.put_bytes(REQUEST_ID, request.record.request_id.as_str().as_bytes());
    out.put_bytes(
        TRACEPARENT,
        request.record.trace.traceparent_of(span_id).as_bytes(),
    );
    match &request.record.trace.state {
        Some(state) => out.put_bytes(TRACESTATE, state.as_bytes()),
        None => {
            out.remove(&TRACESTATE);
        }
    }
    if let Some(consumer) = &request.consumer {
        out.put_bytes(WEIR_CONSUMER, consumer.name.as_bytes());
        if let Some(team) = &consumer.team {
            out.put_bytes(WEIR_TEAM, team.as_bytes());
        }
    }
}

/// Takes off an upstream's answer what is said between neighbours, `Connection` and `Upgrade` of
/// an agreed upgrade apart.
pub(crate) fn strip_answer(head: &mut ResponseHeader) {
    // Whatever the upstream spoke, the answer is written anew.
    head.set_version(Version::HTTP_11);
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    for name in hop_by_hop(&head.headers, &TRAILER) {
        head.remove_header(&name);
    }
    if head.status == StatusCode::NO_CONTENT {
        // RFC 9110, 8.6: it has none, not even of 0.
        head.remove_header(&CONTENT_LENGTH);
    }
}

/// Says how long an answer to `asked` is, or that nobody knows. One of HTTP/1.1 and of unknown length
/// is chunked, so that its end can be told from a break.
pub(crate) fn frame_answer(
    head: &mut ResponseHeader,
    asked: &RequestHeader,
    http2: bool,
    bodiless: bool,
) {
    if http2 && head.status == StatusCode::NOT_MODIFIED {
        // Pingora ends the stream with a frame of its own, and callers hold the length of what has
        // not changed against an empty body.
        head.remove_header(&CONTENT_LENGTH);
    }
    let needs = !http2
        && asked.version == Version::HTTP_11
        && asked.method != Method::HEAD
        && !head.status.is_informational()
        && head.status != StatusCode::NO_CONTENT
        && head.status != StatusCode::NOT_MODIFIED
        && !head.headers.contains_key(CONTENT_LENGTH);
    if !needs {
        return;
    }
    let framed = if bodiless {
        head.insert_header(CONTENT_LENGTH, "0")
    } else {
        head.insert_header(TRANSFER_ENCODING, "chunked")
    };
    framed.expect("a constant header value is valid");
}

/// Digests of a body's bytes (RFC 9530, and what came before): a filter makes other bytes of it.
pub(crate) static DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Takes out what is said of a body's bytes, which are not those any more.
pub(crate) fn undigested(fields: &mut HeaderMap) {
    for name in &DIGESTS {
        fields.remove(name);
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
        (said, out.fields().contains_key(TRANSFER_ENCODING))
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
