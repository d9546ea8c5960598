//! What a body is: one record, or a batch of several.
//!
//! A body is one value as it stands, unless the route takes batches or events and the media type says
//! that it is one. Knows no templates.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::value::RawValue;
use weir_telemetry::Code;

use super::events;
use crate::action::record::Part;
use crate::config::routes::publish::{Batch, Publish};
use crate::error::GatewayError;

/// What a body holds.
pub(super) enum Content {
    /// One record.
    One(Part),
    /// Several, in order; what is none says why.
    Batch(Vec<Result<Part, GatewayError>>),
}

/// Takes a body apart, as far as the route does.
pub(super) fn read(
    config: &Publish,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Content, GatewayError> {
    let batch = config.batch.as_ref();
    if let Some(expected) = config.cloud_events
        && let Some(events) = events::read(expected, batch, headers, &body)?
    {
        return Ok(events);
    }
    match batch {
        Some(batch) => several(batch, headers, body),
        None => Ok(Content::One(body.into())),
    }
}

/// A batch, if the media type says so.
fn several(batch: &Batch, headers: &HeaderMap, body: Bytes) -> Result<Content, GatewayError> {
    match essence(headers).as_str() {
        "application/json" if is_array(&body) => array(batch, &body),
        "application/x-ndjson" | "application/ndjson" => lines(batch, &body),
        _ => Ok(Content::One(body.into())),
    }
}

/// The media type of the body, without its parameters, in lower case.
fn essence(headers: &HeaderMap) -> String {
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next();
    essence.unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_array(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"[")
}

/// Each element is a record, as it stands.
fn array(batch: &Batch, body: &Bytes) -> Result<Content, GatewayError> {
    let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| {
        let public = "The body is said to be JSON, and the array it begins does not end as one.";
        GatewayError::public(Code::RequestBodyInvalid, public).source(error)
    })?;
    bounded(batch, elements.len())?;
    let values = elements
        .into_iter()
        .map(|value| body.slice_ref(value.get().as_bytes()));
    Ok(Content::Batch(
        values.map(|value| Ok(value.into())).collect(),
    ))
}

/// Each line is a record; empty ones are none.
fn lines(batch: &Batch, body: &Bytes) -> Result<Content, GatewayError> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| !line.is_empty());
    bounded(batch, lines.clone().count())?;
    let value = |line: &[u8]| match serde_json::from_slice::<&RawValue>(line) {
        Ok(_) => Ok(body.slice_ref(line).into()),
        Err(error) => {
            let public = "This line is not JSON.";
            Err(GatewayError::public(Code::RequestBodyInvalid, public).source(error))
        }
    };
    Ok(Content::Batch(lines.map(value).collect()))
}

fn bounded(batch: &Batch, records: usize) -> Result<(), GatewayError> {
    if records <= batch.max_records {
        return Ok(());
    }
    Err(oversized(batch.max_records))
}

/// A batch has more records than that.
pub(super) fn oversized(most: usize) -> GatewayError {
    let public = format!("A batch on this route has at most {most} records.");
    GatewayError::public(Code::RequestTooLarge, public)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(media_type: &'static str, body: &'static str) -> Result<Vec<String>, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(media_type));
        let batch = Batch {
            max_records: 3,
            transaction: false,
        };
        let body = Bytes::from_static(body.as_bytes());
        let parts = match several(&batch, &headers, body) {
            Ok(Content::One(part)) => vec![Ok(part)],
            Ok(Content::Batch(parts)) => parts,
            Err(error) => return Err(error.code.slug()),
        };
        let text = |part: Result<Part, GatewayError>| match part {
            Ok(part) => String::from_utf8_lossy(&part.value.unwrap_or_default()).into_owned(),
            Err(error) => error.code.slug().to_owned(),
        };
        Ok(parts.into_iter().map(text).collect())
    }

    #[test]
    fn only_the_media_type_makes_a_batch() {
        let json = "Application/JSON; charset=utf-8";
        assert_eq!(
            read(json, " [1, [2 ] ,{}] "),
            Ok(vec!["1".into(), "[2 ]".into(), "{}".into()])
        );
        assert_eq!(read(json, " {} "), Ok(vec![" {} ".into()]), "as it stands");
        assert_eq!(read("text/plain", "[1,2]"), Ok(vec!["[1,2]".into()]));
        assert_eq!(read(json, "[]"), Ok(vec![]));
        assert_eq!(read(json, "[1,"), Err("request_body_invalid"));
        assert_eq!(read(json, "[1] x"), Err("request_body_invalid"));
        assert_eq!(read(json, "[1,2,3,4]"), Err("request_too_large"));
    }

    #[test]
    fn each_line_is_a_record() {
        let ndjson = "application/x-ndjson";
        let lines = ["1", "{\"a\" : 2}", "request_body_invalid"].map(str::to_owned);
        assert_eq!(
            read(ndjson, "1\r\n\n {\"a\" : 2}\nno\n\n"),
            Ok(lines.into())
        );
        assert_eq!(read(ndjson, "1\n2\n3\n4"), Err("request_too_large"));
        assert_eq!(read(ndjson, ""), Ok(vec![]));
    }
}
