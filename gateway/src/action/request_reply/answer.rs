//! Replies as answers: the value is the body, and headers say the rest.

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderName, HeaderValue, StatusCode};
use weir_telemetry::Code;

use crate::action::subscribe::say;
use crate::config::routes::request_reply::RequestReply;
use crate::error::GatewayError;
use crate::kafka::Record;
use crate::proxy::Reply;

/// Fields that are the gateway's to say.
static OWN: [HeaderName; 9] = [
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    DATE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The answer that a reply is.
///
/// # Errors
/// Where it says a status that no answer has.
pub(super) fn of(config: &RequestReply, record: &Record) -> Result<Reply, GatewayError> {
    let status = status(config, record)?;
    let value = record.value.as_deref().unwrap_or_default();
    let mut reply = Reply::empty(status);
    reply = reply.header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !matches!(status.as_u16(), 204 | 205 | 304) {
        reply = reply.header(CONTENT_TYPE, content_type(record, value));
        reply.body = value.to_vec().into();
    }
    if let Some(prefix) = &config.header_prefix {
        reply.headers.extend(fields(record, prefix));
    }
    Ok(reply)
}

/// What a reply says of its status.
pub(super) fn status(config: &RequestReply, record: &Record) -> Result<StatusCode, GatewayError> {
    let Some(said) = record.header(&config.status_header) else {
        return Ok(StatusCode::OK);
    };
    let text = std::str::from_utf8(said).ok();
    let number = text.and_then(|text| text.trim().parse().ok());
    let valid = number.filter(|number| (200..=599).contains(number));
    let status = valid.and_then(|number| StatusCode::from_u16(number).ok());
    status.ok_or_else(|| {
        GatewayError::new(Code::KafkaReplyInvalid).source(format!(
            "record {} of partition {} says in its header \"{}\" what is no status from 200 to 599",
            record.offset, record.partition, config.status_header
        ))
    })
}

/// What the reply says its value is, or what it looks like.
fn content_type(record: &Record, value: &[u8]) -> HeaderValue {
    let said = record.header("content-type");
    if let Some(said) = said.and_then(|said| HeaderValue::from_bytes(said).ok()) {
        return said;
    }
    HeaderValue::from_static(match std::str::from_utf8(value) {
        Ok(_) if say::is_json(value) => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    })
}

/// Headers that are fields of the answer. What is none, or the gateway's to say, is left out.
fn fields<'r>(
    record: &'r Record,
    prefix: &'r str,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + 'r {
    record.headers.iter().filter_map(move |header| {
        let name = header.name.strip_prefix(prefix)?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if OWN.contains(&name) || name.as_str().starts_with("weir-") {
            return None;
        }
        let value = HeaderValue::from_bytes(header.value.as_deref()?).ok()?;
        Some((name, value))
    })
}

/// The members of an event that tells of a reply: its status, and all that the record has.
pub(super) fn event(status: StatusCode, record: &Record) -> Vec<u8> {
    let mut data = format!("{{\"status\":{},", status.as_u16()).into_bytes();
    say::write_members(&mut data, record);
    data.push(b'}');
    data
}
