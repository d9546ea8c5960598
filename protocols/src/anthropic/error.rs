//! Anthropic's error object, in the body of a failed answer and in a broken stream. Knows no error
//! codes: they are given, and stand beside Anthropic's own members, which clients pass over.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

use crate::json::Text;
use crate::llm::Error;
use crate::llm::error::Kind;

/// Reads the body of an answer that failed with this HTTP status. A body that is no error object
/// gives what the status says, without a message.
pub fn read(status: u16, body: &[u8]) -> Error<'_> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        error: Received<'a>,
    }
    match serde_json::from_slice::<Envelope<'_>>(body) {
        Ok(envelope) => envelope.error.into_error(status),
        Err(_) => Received::default().into_error(status),
    }
}

/// Appends the error object to `out`, in JSON on one line. `extra` is a member beyond those of the
/// API: its name, and what it says.
pub fn write(
    out: &mut Vec<u8>,
    status: u16,
    error: &Error<'_>,
    extra: Option<(&str, &serde_json::Value)>,
    request_id: &str,
) {
    let sort = match status {
        402 => "billing_error",
        _ => word(error.kind),
    };
    let body = Body {
        sort: "error",
        error: Sent::new(error, sort, extra),
        request_id: Some(request_id),
    };
    serde_json::to_writer(out, &body).expect("strings always serialise into a Vec");
}

/// What the data of a stream's `error` event is.
pub(super) fn event<'e>(error: &'e Error<'_>) -> impl Serialize + 'e {
    Body {
        sort: "error",
        error: Sent::new(error, word(error.kind), None),
        request_id: None,
    }
}

/// The `error` member, as it comes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Received<'a> {
    #[serde(borrow, default, rename = "type")]
    sort: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
}

impl<'a> Received<'a> {
    /// What it means, where the HTTP status was this one.
    pub(super) fn into_error(self, status: u16) -> Error<'a> {
        let named = self.sort.and_then(|sort| kind(&sort.0));
        Error {
            kind: named.unwrap_or(Kind::of_status(status)),
            message: self.message.map_or(Cow::Borrowed(""), |text| text.0),
            param: None,
            code: None,
        }
    }
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "invalid_request_error" | "conflict_error" => Kind::InvalidRequest,
        "authentication_error" => Kind::Authentication,
        // A key whose account is not paid for is refused, whatever it asks.
        "permission_error" | "billing_error" => Kind::Permission,
        "not_found_error" => Kind::NotFound,
        "request_too_large" => Kind::TooLarge,
        "rate_limit_error" => Kind::RateLimited,
        "api_error" => Kind::Internal,
        "overloaded_error" => Kind::Overloaded,
        "timeout_error" => Kind::Timeout,
        _ => return None,
    })
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest => "invalid_request_error",
        Kind::Authentication => "authentication_error",
        Kind::Permission => "permission_error",
        Kind::NotFound => "not_found_error",
        Kind::TooLarge => "request_too_large",
        Kind::RateLimited => "rate_limit_error",
        Kind::Internal => "api_error",
        Kind::Overloaded => "overloaded_error",
        Kind::Timeout => "timeout_error",
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    sort: &'static str,
    error: Sent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Sent<'a> {
    #[serde(rename = "type")]
    sort: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(flatten, serialize_with = "member")]
    extra: Option<(&'a str, &'a serde_json::Value)>,
}

impl<'a> Sent<'a> {
    fn new(
        error: &'a Error<'_>,
        sort: &'static str,
        extra: Option<(&'a str, &'a serde_json::Value)>,
    ) -> Self {
        Self {
            sort,
            message: &error.message,
            param: error.param.as_deref(),
            code: error.code.as_deref(),
            extra,
        }
    }
}

fn member<S: Serializer>(
    extra: &Option<(&str, &serde_json::Value)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(*extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 9] = [
        Kind::InvalidRequest,
        Kind::Authentication,
        Kind::Permission,
        Kind::NotFound,
        Kind::TooLarge,
        Kind::RateLimited,
        Kind::Internal,
        Kind::Overloaded,
        Kind::Timeout,
    ];

    fn error(kind: Kind) -> Error<'static> {
        Error {
            kind,
            message: "say \"when\"".into(),
            param: None,
            code: None,
        }
    }

    #[test]
    fn every_kind_survives_there_and_back() {
        for kind in KINDS {
            let mut out = Vec::new();
            write(&mut out, 500, &error(kind), None, "req_1");
            assert_eq!(read(418, &out), error(kind));
        }
    }

    #[test]
    fn an_error_says_what_the_api_says_and_what_the_gateway_adds() {
        let figures = serde_json::json!({ "remaining": 3 });
        let error = Error {
            param: Some("messages[0]".into()),
            code: Some("quota_exhausted".into()),
            ..error(Kind::RateLimited)
        };
        let mut out = Vec::new();
        write(&mut out, 429, &error, Some(("quota", &figures)), "req_7");
        assert_eq!(
            String::from_utf8_lossy(&out),
            concat!(
                r#"{"type":"error","error":{"type":"rate_limit_error","message":"say \"when\"","#,
                r#""param":"messages[0]","code":"quota_exhausted","quota":{"remaining":3}},"#,
                r#""request_id":"req_7"}"#
            )
        );
        out.clear();
        write(&mut out, 402, &error, None, "req_7");
        assert!(String::from_utf8_lossy(&out).contains(r#""type":"billing_error""#));
    }

    #[test]
    fn a_body_that_is_no_error_gives_what_the_status_says() {
        for (status, body, kind) in [
            (529, &b"<html>overloaded</html>"[..], Kind::Overloaded),
            (429, b"", Kind::RateLimited),
            (500, br#"{"error":"no object"}"#, Kind::Internal),
            (404, br#"{"error":{"type":"a_new_one"}}"#, Kind::NotFound),
            (400, br#"{"error":{"type":null}}"#, Kind::InvalidRequest),
        ] {
            let read = read(status, body);
            assert_eq!((read.kind, &*read.message), (kind, ""));
        }
        let named = br#"{"type":"error","error":{"type":"billing_error","message":"No \u00e4"}}"#;
        let named = read(400, named);
        assert_eq!((named.kind, &*named.message), (Kind::Permission, "No ä"));
    }
}
