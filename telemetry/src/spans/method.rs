//! A request's method in the conventions' words: what nobody registered is `_OTHER`, as callers may make
//! up as many as they like.

use super::text;
use http::Method;
use opentelemetry::KeyValue;

/// RFC 9110's and PATCH.
fn is_known(method: &Method) -> bool {
    [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ]
    .contains(method)
}

/// How a span of it is named.
pub(super) fn name(method: &Method) -> &str {
    match is_known(method) {
        true => method.as_str(),
        false => "HTTP",
    }
}

/// The method, and what the caller wrote for it where that is another.
pub(super) fn attributes(method: &Method) -> impl Iterator<Item = KeyValue> {
    let (method, original) = match is_known(method) {
        true => (method.as_str(), None),
        false => ("_OTHER", Some(method.as_str())),
    };
    let original = original.map(|method| text("http.request.method_original", method));
    std::iter::once(text("http.request.method", method)).chain(original)
}
