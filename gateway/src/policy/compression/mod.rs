//! `compression`: compresses what upstreams answer, for callers who accept that (RFC 9110, 8.4 and
//! 12.5.3).
//!
//! It changes the representation and says so: its length and digests go, a strong validator becomes
//! a weak one, and caches are told that the answer depends on what was accepted. What is a part,
//! is encoded already, or must not be transformed is left alone. It knows no upstream.

mod encode;
mod negotiate;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE, VARY,
};
use http::{Method, StatusCode};
use pingora_http::ResponseHeader;

use super::{Direction, Filter, FilterCx, Policy, RequestCx, ResponseCx, Verdict};
use crate::config::policies::compression::{Coding, Config};
use crate::error::GatewayError;
use crate::proxy::head::DIGESTS;

/// The policy.
pub(crate) struct Compression(pub(crate) Config);

#[async_trait]
impl Policy for Compression {
    async fn on_request(&self, cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        // A date does not say which encoding a caller has the beginning of: the upstream would go
        // on with plain bytes. Entity tags do, so only they may ask for the rest (RFC 9110, 13.1.5).
        let headers = &cx.head.headers;
        let by_date = headers
            .get(IF_RANGE)
            .is_some_and(|value| !value.as_bytes().ends_with(b"\""));
        if by_date && negotiate::pick(headers, &self.0.encoders).is_some() {
            cx.head.remove_header(&IF_RANGE);
            cx.head.remove_header(&RANGE);
        }
        Ok(Verdict::Continue)
    }

    async fn on_response(&self, cx: &mut ResponseCx<'_>) -> Result<Verdict, GatewayError> {
        let asked = &cx.request_head.headers;
        if !self.covers(cx.head) {
            return Ok(Verdict::Continue);
        }
        vary(cx.head);
        if cx.head.status == StatusCode::NOT_MODIFIED {
            revalidated(asked, cx.head);
            return Ok(Verdict::Continue);
        }
        let is_head = cx.request_head.method == Method::HEAD;
        let part = cx.head.status == StatusCode::PARTIAL_CONTENT || asked.contains_key(RANGE);
        if part || says(asked, &CACHE_CONTROL, "no-transform") || !(cx.follows || is_head) {
            return Ok(Verdict::Continue);
        }
        if let Some(encoder) = negotiate::pick(asked, &self.0.encoders) {
            encoded(cx.head, encoder.coding);
            cx.request.compressor = (!is_head).then_some(encoder);
        }
        Ok(Verdict::Continue)
    }

    fn filter(&self, direction: Direction, cx: &FilterCx<'_>) -> Option<Box<dyn Filter>> {
        let encoder = cx
            .request
            .compressor
            .filter(|_| direction == Direction::Response)?;
        Some(Box::new(encode::Encode::new(encoder)))
    }
}

impl Compression {
    /// Whether such an answer is compressed for who accepts it. A part of one, or the news that it
    /// has not changed, tells caches the same as the whole would.
    fn covers(&self, head: &ResponseHeader) -> bool {
        let bodiless = head.status.is_informational()
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT
            );
        if bodiless
            || head.headers.contains_key(CONTENT_ENCODING)
            || says(&head.headers, &CACHE_CONTROL, "no-transform")
        {
            return false;
        }
        let kind = head.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        match (head.status, kind) {
            // Of what, it does not say.
            (StatusCode::NOT_MODIFIED, None) => true,
            (StatusCode::NOT_MODIFIED, Some(kind)) => self.takes(kind),
            (StatusCode::PARTIAL_CONTENT, Some(kind)) => {
                kind.starts_with("multipart/byteranges") || self.takes(kind)
            }
            (_, Some(kind)) => self.takes(kind) && self.is_long(&head.headers),
            (_, None) => false,
        }
    }

    fn takes(&self, kind: &str) -> bool {
        let essence = kind.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        // gRPC compresses by itself, message by message.
        !essence.starts_with("application/grpc")
            && self.0.types.iter().any(|taken| taken.matches(&essence))
    }

    /// What does not say how long it is may be long.
    fn is_long(&self, headers: &HeaderMap) -> bool {
        let said = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
        said.and_then(|length| length.parse::<u64>().ok())
            .is_none_or(|length| length >= self.0.min_length)
    }
}

/// Whether a field that is a list holds this token.
fn says(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|element| element.trim().eq_ignore_ascii_case(token))
}

/// Tells caches that the answer depends on what was accepted.
fn vary(head: &mut ResponseHeader) {
    let known = ["*", ACCEPT_ENCODING.as_str()];
    if known.iter().any(|token| says(&head.headers, &VARY, token)) {
        return;
    }
    let mut joined = Vec::new();
    for value in head.headers.get_all(VARY) {
        joined.extend_from_slice(value.as_bytes());
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(b"Accept-Encoding");
    set(head, VARY, HeaderValue::from_bytes(&joined).ok());
}

/// What a head says of its body, said of the body that follows instead.
fn encoded(head: &mut ResponseHeader, coding: Coding) {
    let token = HeaderValue::from_static(coding.token());
    set(head, CONTENT_ENCODING, Some(token));
    for name in [&CONTENT_LENGTH, &ACCEPT_RANGES]
        .into_iter()
        .chain(&DIGESTS)
    {
        head.remove_header(name);
    }
    let weak = head.headers.get(ETAG).and_then(weakened);
    set(head, ETAG, weak);
}

/// A caller that asks by the weak tag it got here has to be answered with that, or its cache knows
/// nothing to refresh (RFC 9111, 4.3.4).
fn revalidated(asked: &HeaderMap, head: &mut ResponseHeader) {
    let Some(weak) = head.headers.get(ETAG).and_then(weakened) else {
        return;
    };
    let by_weak = weak
        .to_str()
        .is_ok_and(|weak| says(asked, &IF_NONE_MATCH, weak));
    set(head, ETAG, by_weak.then_some(weak));
}

/// The weak form of a strong validator.
fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    let strong = tag.as_bytes();
    strong
        .starts_with(b"\"")
        .then(|| HeaderValue::from_bytes(&[b"W/", strong].concat()).ok())
        .flatten()
}

fn set(head: &mut ResponseHeader, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        head.insert_header(name, value)
            .expect("a typed header is valid");
    }
}
