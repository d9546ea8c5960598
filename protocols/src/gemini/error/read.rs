//! The error a provider tells.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::Text;
use crate::llm::Error;
use crate::llm::error::Kind;

/// Reads the body of a failed answer, or an error amid a stream. A body that is none gives the kind
/// of `status` and no message.
///
/// The kind is that of the status word (`RESOURCE_EXHAUSTED`, …); a key that is not valid, which
/// Google calls `INVALID_ARGUMENT`, is [`Kind::Authentication`]. The code is the reason that
/// `ErrorInfo` gives or else the status word, the path that of the first violation in `BadRequest`.
pub fn read(status: u16, body: &[u8]) -> Error<'_> {
    let Some(wire) = parse(body) else {
        return Error {
            kind: Kind::of_status(status),
            message: "".into(),
            param: None,
            code: None,
        };
    };
    of(wire, status)
}

/// How long the provider asks to wait (`google.rpc.RetryInfo`), if it does: it says so in the body
/// and not always in `Retry-After`.
pub fn retry_after(body: &[u8]) -> Option<Duration> {
    let details = parse(body)?.details();
    let delay = details.into_iter().find_map(|detail| detail.retry_delay)?;
    let seconds: f64 = delay.0.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The error that stands as `json` in the place of a piece of a stream.
pub(in crate::gemini) fn of_piece(json: &RawValue) -> Error<'_> {
    let wire: Wire<'_> = serde_json::from_str(json.get()).unwrap_or_default();
    of(wire, 500)
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    error: Wire<'a>,
}

#[derive(Default, Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    retry_delay: Option<Text<'a>>,
    #[serde(borrow, default)]
    field_violations: Option<Vec<Violation<'a>>>,
}

#[derive(Deserialize)]
struct Violation<'a> {
    #[serde(borrow, default)]
    field: Option<Text<'a>>,
}

impl<'a> Wire<'a> {
    /// The details that can be read: which there are is for the service to say.
    fn details(&self) -> Vec<Detail<'a>> {
        let details = self.details.map_or("[]", RawValue::get);
        let raw: Vec<&'a RawValue> = serde_json::from_str(details).unwrap_or_default();
        raw.into_iter()
            .filter_map(|raw| serde_json::from_str(raw.get()).ok())
            .collect()
    }
}

/// The error object. Where a stream was asked for as an array, so is the error.
fn parse(body: &[u8]) -> Option<Wire<'_>> {
    let body = body.trim_ascii();
    if body.starts_with(b"[") {
        let bodies: Vec<Body<'_>> = serde_json::from_slice(body).ok()?;
        return bodies.into_iter().next().map(|body| body.error);
    }
    let whole: Body<'_> = serde_json::from_slice(body).ok()?;
    Some(whole.error)
}

fn of(wire: Wire<'_>, status: u16) -> Error<'_> {
    let mut reason = None;
    let mut param = None;
    for detail in wire.details() {
        reason = reason.or(detail.reason.and_then(Text::some));
        let violations = detail.field_violations.into_iter().flatten();
        let fields = violations.filter_map(|violation| violation.field.and_then(Text::some));
        param = param.or(fields.into_iter().next());
    }
    let code = wire.code.and_then(|code| code.get().parse().ok());
    let word = wire.status.and_then(Text::some);
    let kind = match (reason.as_deref(), word.as_deref()) {
        (Some("API_KEY_INVALID" | "API_KEY_EXPIRED" | "ACCESS_TOKEN_EXPIRED"), _) => {
            Some(Kind::Authentication)
        }
        (_, word) => word.and_then(of_word),
    };
    // A request that is too large has the status of a wrong one, and a number of its own.
    let kind = match (kind, code.unwrap_or(status)) {
        (Some(Kind::InvalidRequest), 413) => Kind::TooLarge,
        (Some(kind), _) => kind,
        (None, status) => Kind::of_status(status),
    };
    Error {
        kind,
        message: wire.message.unwrap_or_default().0,
        param,
        code: reason.or(word),
    }
}

/// The class that a status word stands for (`google.rpc.Code`).
fn of_word(word: &str) -> Option<Kind> {
    Some(match word {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" | "UNIMPLEMENTED" => {
            Kind::InvalidRequest
        }
        "UNAUTHENTICATED" => Kind::Authentication,
        "PERMISSION_DENIED" => Kind::Permission,
        "NOT_FOUND" => Kind::NotFound,
        "RESOURCE_EXHAUSTED" => Kind::RateLimited,
        "UNAVAILABLE" => Kind::Overloaded,
        "DEADLINE_EXCEEDED" => Kind::Timeout,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" | "ABORTED" => Kind::Internal,
        _ => return None,
    })
}
