//! The body of a change: JSON, and not much of it.
//!
//! `Content-Type: application/json` is demanded, which no web page can send here from elsewhere
//! without asking first: where no token is, a browser on the same machine must not be a way in.

use std::time::Duration;

use bytes::BytesMut;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use pingora_core::protocols::http::ServerSession;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// In bytes.
const LONGEST: usize = 64 << 10;

/// From the end of the head to that of the body.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads all of it. On an error the connection cannot be used again.
pub(super) async fn read(session: &mut ServerSession) -> Result<BytesMut, Problem> {
    let whole = match is_json(session) {
        true => tokio::time::timeout(PATIENCE, collect(session)).await,
        false => Ok(Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body is not said to be JSON",
            "send it with \"Content-Type: application/json\"",
        ))),
    };
    let whole = whole.unwrap_or_else(|_| {
        Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("the body was not complete in {PATIENCE:?}"),
            "send it at once",
        ))
    });
    if whole.is_err() {
        session.set_keepalive(None);
    }
    whole
}

fn is_json(session: &ServerSession) -> bool {
    let value = session.req_header().headers.get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        let kind = value.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/json")
    })
}

async fn collect(session: &mut ServerSession) -> Result<BytesMut, Problem> {
    let mut whole = BytesMut::new();
    loop {
        let chunk = session.read_request_body().await.map_err(|_| {
            Problem::bad("the body broke off", "send as many bytes as the head says")
        })?;
        let Some(chunk) = chunk else {
            return Ok(whole);
        };
        if whole.len() + chunk.len() > LONGEST {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "request_too_large",
                format!("the body is longer than {LONGEST} bytes"),
                "give a shorter reason",
            ));
        }
        whole.extend_from_slice(&chunk);
    }
}

/// What it says.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8], form: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad(
            format!("the body is not as it should be: {error}"),
            format!("send {form}"),
        )
    })
}
