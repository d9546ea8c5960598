//! The demo's echo: answers any request with what it saw of it, in JSON.

use std::collections::BTreeMap;

use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use super::serve::{self, Body, Unread};

/// What the echo saw.
#[derive(Serialize)]
struct Seen<'r> {
    method: &'r str,
    path: &'r str,
    query: Option<&'r str>,
    headers: BTreeMap<&'r str, String>,
    /// The body, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'r str>,
    /// The body, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    body_bytes: usize,
}

/// Why there is nothing to echo.
#[derive(Serialize)]
struct Refused {
    error: &'static str,
}

/// Answers one request.
pub(super) async fn answer(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = match serve::read(body).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => {
            let refused = Refused {
                error: "the echo takes bodies of at most 1 MiB",
            };
            return serve::json(StatusCode::PAYLOAD_TOO_LARGE, &refused);
        }
        Err(Unread::Broken) => {
            let refused = Refused {
                error: "the body broke off, or its framing is wrong",
            };
            return serve::json(StatusCode::BAD_REQUEST, &refused);
        }
    };
    let text = std::str::from_utf8(&body).ok();
    let seen = Seen {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        headers: fields(&head.headers),
        body: text,
        body_base64: text.is_none().then(|| openssl::base64::encode_block(&body)),
        body_bytes: body.len(),
    };
    serve::json(StatusCode::OK, &seen)
}

/// Header fields by name; those of one name are joined by commas, as RFC 9110 allows.
fn fields(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let mut fields = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        fields
            .entry(name.as_str())
            .and_modify(|known: &mut String| {
                known.push_str(", ");
                known.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    fields
}

#[cfg(test)]
mod tests;
