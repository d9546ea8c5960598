//! Calls by HTTP and JSON: what is sent, and what answers say.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde_json::Value as Json;

use super::calls::{Call, Fault, Outcome, Status};
use super::source::Sent;
use crate::large;

/// What is sent.
pub(super) fn sent<'a>(method: &'a Method, target: &'a str, body: Option<&'a Bytes>) -> Sent<'a> {
    Sent {
        method,
        target,
        accept: HeaderValue::from_static("application/json"),
        body,
    }
}

/// What an answer says.
pub(super) fn read(call: &Call, status: u16, body: &Bytes) -> Outcome {
    if !(200..300).contains(&status) {
        return Err(refused(call, status));
    }
    if body.is_empty() {
        return Ok(Json::Null.into());
    }
    let read = large::work(body.len(), || serde_json::from_slice::<Json>(body));
    read.map(Into::into).map_err(|_| no_json(call))
}

pub(super) fn refused(call: &Call, status: u16) -> Arc<Fault> {
    Arc::new(Fault {
        code: "source_status",
        message: format!("The source answered {status}."),
        source: Some(call.source),
        status: Some(Status::Http(status)),
    })
}

pub(super) fn no_json(call: &Call) -> Arc<Fault> {
    Arc::new(Fault {
        code: "source_answer_invalid",
        message: "The source answered something that is no JSON.".to_owned(),
        source: Some(call.source),
        status: None,
    })
}
