//! The error a caller is told.

use serde::{Serialize, Serializer};

use crate::llm::Error;
use crate::llm::error::Kind;

/// Appends the error object to `out`, in JSON on one line. `status` is the answer's HTTP status,
/// `extra` a member beyond those of the API, which its clients pass over: its name, and what it
/// says. The error's code stands as the reason in `ErrorInfo`, its path as the field in
/// `BadRequest`, `request_id` in `RequestInfo`; what is empty stands nowhere.
pub fn write(
    out: &mut Vec<u8>,
    status: u16,
    error: &Error<'_>,
    extra: Option<(&str, &serde_json::Value)>,
    request_id: &str,
) {
    let mut details = Vec::new();
    if let Some(reason) = error.code.as_deref() {
        details.push(Said::ErrorInfo {
            reason,
            domain: "weir",
        });
    }
    if let Some(field) = error.param.as_deref() {
        details.push(Said::BadRequest {
            field_violations: [Field {
                field,
                description: &error.message,
            }],
        });
    }
    if !request_id.is_empty() {
        details.push(Said::RequestInfo { request_id });
    }
    let body = Outgoing {
        error: Status {
            code: status,
            message: &error.message,
            status: word(error.kind),
            details,
            extra,
        },
    };
    serde_json::to_writer(out, &body).expect("strings always serialise into a Vec");
}

#[derive(Serialize)]
struct Outgoing<'w> {
    error: Status<'w>,
}

#[derive(Serialize)]
struct Status<'w> {
    code: u16,
    message: &'w str,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Said<'w>>,
    #[serde(flatten, serialize_with = "member")]
    extra: Option<(&'w str, &'w serde_json::Value)>,
}

fn member<S: Serializer>(
    extra: &Option<(&str, &serde_json::Value)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(*extra)
}

/// One of the `details`.
#[derive(Serialize)]
#[serde(tag = "@type")]
enum Said<'w> {
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    ErrorInfo {
        reason: &'w str,
        domain: &'static str,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest")]
    BadRequest {
        #[serde(rename = "fieldViolations")]
        field_violations: [Field<'w>; 1],
    },
    #[serde(rename = "type.googleapis.com/google.rpc.RequestInfo")]
    RequestInfo {
        #[serde(rename = "requestId")]
        request_id: &'w str,
    },
}

#[derive(Serialize)]
struct Field<'w> {
    field: &'w str,
    description: &'w str,
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::TooLarge => "INVALID_ARGUMENT",
        Kind::Authentication => "UNAUTHENTICATED",
        Kind::Permission => "PERMISSION_DENIED",
        Kind::NotFound => "NOT_FOUND",
        Kind::RateLimited => "RESOURCE_EXHAUSTED",
        Kind::Internal => "INTERNAL",
        Kind::Overloaded => "UNAVAILABLE",
        Kind::Timeout => "DEADLINE_EXCEEDED",
    }
}

/// The HTTP status for a class, where an error stands amid a stream and has none: Google's clients
/// raise nothing for one without.
pub(in crate::gemini) const fn status_of(kind: Kind) -> u16 {
    match kind {
        Kind::InvalidRequest => 400,
        Kind::Authentication => 401,
        Kind::Permission => 403,
        Kind::NotFound => 404,
        Kind::TooLarge => 413,
        Kind::RateLimited => 429,
        Kind::Internal => 500,
        Kind::Overloaded => 503,
        Kind::Timeout => 504,
    }
}
