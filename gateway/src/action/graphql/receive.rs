//! How a request comes over HTTP: by GET in the query string, or by POST as JSON. Does not read what it
//! says.
//!
//! What two readers could take for two requests is refused: the upstream reads the same bytes anew.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use weir_protocols::graphql::request::in_query;
use weir_telemetry::Code;

use crate::error::GatewayError;
use crate::proxy::Downstream;

/// Where a request stands.
pub(super) enum Received {
    /// In the query string, without its `?`.
    Query(String),
    /// In the body.
    Body(Bytes),
    /// In a message, as it would in a body.
    Socket(Bytes),
}

impl Received {
    /// Its bytes.
    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Query(query) => query.into(),
            Self::Body(body) | Self::Socket(body) => body,
        }
    }

    /// How long it is, in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Query(query) => query.len(),
            Self::Body(body) | Self::Socket(body) => body.len(),
        }
    }
}

/// Reads a request, of at most so many bytes.
pub(super) async fn receive(
    down: &mut Downstream,
    max_body: u64,
) -> Result<Received, GatewayError> {
    let head = down.head();
    let query = head.uri.query().unwrap_or_default();
    match head.method {
        Method::GET => {
            let query = query.to_owned();
            // Some upstreams would read a body.
            down.limit(0)?;
            down.read_whole().await?;
            Ok(Received::Query(query))
        }
        Method::POST => {
            if let Some(name) = in_query(query) {
                let public = format!(
                    "A POST says what to run in its body, and this one has `{name}` in its query \
                     string; leave that out, or send all of it by GET."
                );
                return Err(GatewayError::public(Code::RequestBodyInvalid, public));
            }
            is_json(&head.headers)?;
            down.limit(max_body)?;
            Ok(Received::Body(down.read_whole().await?))
        }
        _ => {
            let public = "GraphQL is asked by GET and by POST.";
            let error = GatewayError::public(Code::MethodNotAllowed, public);
            Err(error.header(ALLOW, HeaderValue::from_static("GET, POST")))
        }
    }
}

/// Whether the body is said to be JSON as it stands. Forms and plain text, which pages of other origins
/// may send without asking, are not.
fn is_json(headers: &HeaderMap) -> Result<(), GatewayError> {
    let refused =
        |public: &'static str| Err(GatewayError::public(Code::RequestBodyInvalid, public));
    let mut types = headers.get_all(CONTENT_TYPE).into_iter();
    let (Some(said), None) = (types.next(), types.next()) else {
        return refused("Say what the body is, once: `Content-Type: application/json`.");
    };
    let mut parts = said.to_str().unwrap_or_default().split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    if !media.eq_ignore_ascii_case("application/json") {
        return refused("The body has to be JSON; send it as `Content-Type: application/json`.");
    }
    let utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => charset
            .trim()
            .trim_matches('"')
            .eq_ignore_ascii_case("utf-8"),
        _ => true,
    };
    if !parts.all(utf8) {
        return refused("JSON is UTF-8; leave the charset out.");
    }
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).into_iter().all(plain) {
        return refused("The body has to come as it is; send it without a Content-Encoding.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_if_it_is_said_to_be_and_nothing_else() {
        let judged = |fields: &[(http::HeaderName, &'static str)]| {
            let fields = fields.iter().cloned();
            let headers = fields.map(|(name, value)| (name, HeaderValue::from_static(value)));
            is_json(&headers.collect()).is_ok()
        };
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=\"UTF-8\"; x=y",
        ] {
            assert!(judged(&[(CONTENT_TYPE, good)]), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/graphql",
            "application/jsonp",
            "application/json; charset=utf-7",
            "multipart/form-data; boundary=application/json",
        ] {
            assert!(!judged(&[(CONTENT_TYPE, bad)]), "{bad}");
        }
        assert!(!judged(&[]));
        let json = (CONTENT_TYPE, "application/json");
        assert!(!judged(&[json.clone(), (CONTENT_ENCODING, "gzip")]));
        assert!(judged(&[json, (CONTENT_ENCODING, "identity")]));
    }

    #[test]
    fn a_second_content_type_is_one_too_many() {
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.append(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert!(is_json(&headers).is_err());
    }
}
