//! Keys among the subprotocols that a WebSocket is asked for with: all that a page of a browser can
//! say when it opens one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderValue};
use pingora_http::RequestHeader;

/// What such a subprotocol begins with; the key follows, in Base64 for URLs.
const PREFIX: &str = "weir.key.";

/// The first key offered.
pub(super) fn key(headers: &HeaderMap) -> Option<Vec<u8>> {
    let key = offered(headers).find_map(|name| name.strip_prefix(PREFIX))?;
    URL_SAFE_NO_PAD.decode(key).ok()
}

/// Takes all keys out of what is offered.
pub(super) fn hide(head: &mut RequestHeader) {
    let kept: Vec<&str> = offered(&head.headers)
        .filter(|name| !name.starts_with(PREFIX))
        .collect();
    match HeaderValue::try_from(kept.join(", ")) {
        Ok(names) if !kept.is_empty() => {
            let _ = head.insert_header(SEC_WEBSOCKET_PROTOCOL, names);
        }
        _ => drop(head.remove_header(&SEC_WEBSOCKET_PROTOCOL)),
    }
}

fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}
