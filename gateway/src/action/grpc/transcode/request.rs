//! What comes as HTTP and JSON, on its way to the messages of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use pingora_http::RequestHeader;
use weir_protocols::grpc::status;
use weir_protocols::grpc::transcode::request::{Fault, Reader, What};
use weir_protocols::grpc::transcode::{Match, Route};
use weir_telemetry::Code;

use crate::error::GatewayError;
use crate::policy::{Filter, Unit, Units};
use crate::proxy::Downstream;

/// Begins to read a request: its path and query are read now.
pub(super) fn read(
    found: &Match<'_, '_>,
    head: &RequestHeader,
    max_message: u32,
) -> Result<Reader, GatewayError> {
    let query = head.uri.query().unwrap_or_default();
    let media = head.headers.get(CONTENT_TYPE);
    let media = media.and_then(|media| media.to_str().ok());
    found
        .request(query, media.unwrap_or_default(), max_message)
        .map_err(error)
}

/// Refuses a body that is not said to be what the method takes. Forms and plain text, which pages of
/// other origins may send without asking, are not JSON.
pub(super) fn check(down: &mut Downstream, route: &Route) -> Result<(), GatewayError> {
    if down.request_done() {
        return Ok(());
    }
    let headers = &down.head().headers;
    let unsupported = |text| Err(GatewayError::public(Code::MediaTypeUnsupported, text));
    let plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).into_iter().all(plain) {
        return unsupported("The body has to come as it is, not compressed.");
    }
    if !route.takes_json() {
        return Ok(());
    }
    let said = headers
        .get(CONTENT_TYPE)
        .and_then(|said| said.to_str().ok());
    match said.is_some_and(is_json) {
        true => Ok(()),
        false => unsupported(
            "The body has to be JSON; send it as `Content-Type: application/json`, or a stream of \
             messages, one on each line, as `application/x-ndjson`.",
        ),
    }
}

fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim();
    let known = [
        "application/json",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
    ];
    known.iter().any(|known| media.eq_ignore_ascii_case(known))
        || media.to_ascii_lowercase().ends_with("+json")
}

/// What makes messages of a body, as it comes.
pub(super) struct Inflow {
    reader: Reader,
    messages: Arc<AtomicU64>,
}

impl Inflow {
    /// At the start of a call; counts into `messages`.
    pub(super) fn new(reader: Reader, messages: Arc<AtomicU64>) -> Self {
        Self { reader, messages }
    }

    fn count(&self) {
        self.messages
            .store(self.reader.messages(), Ordering::Relaxed);
    }
}

impl Filter for Inflow {
    fn unit(&mut self, unit: Unit, out: &mut Units) -> Result<(), GatewayError> {
        let chunk = self.bytes(unit.into_bytes())?;
        out.push(Unit::Bytes(chunk));
        Ok(())
    }

    fn bytes(&mut self, chunk: Bytes) -> Result<Bytes, GatewayError> {
        let mut out = BytesMut::new();
        self.reader.push(&chunk, &mut out).map_err(error)?;
        self.count();
        Ok(out.freeze())
    }

    fn end(&mut self, out: &mut Units) -> Result<(), GatewayError> {
        let mut rest = BytesMut::new();
        self.reader.finish(&mut rest).map_err(error)?;
        self.count();
        out.push(Unit::Bytes(rest.freeze()));
        Ok(())
    }
}

fn error(fault: Fault) -> GatewayError {
    let mut text = format!("{fault}.");
    // Each begins with "in".
    text[..1].make_ascii_uppercase();
    if matches!(fault.what, What::TooLong { .. }) {
        return GatewayError::public(Code::MessageTooLarge, text);
    }
    let error = GatewayError::public(Code::RequestBodyInvalid, text);
    let error = error.rpc(status::Code::InvalidArgument);
    match fault.field {
        Some(field) => error.param(field),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn json_is_told_by_its_media_type() {
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/x-ndjson",
            "application/merge-patch+json",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
