//! OpenAI's error object, as its client libraries expect it in the body of a
//! failed answer and in a broken stream. Knows no error codes.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json::Text;
use crate::llm::{self, error::Kind};

/// What stands in an error object.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Error<'a> {
    /// What happened and how to mend it, for people.
    pub message: &'a str,
    /// The class of errors, such as `invalid_request_error`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// The path of the offending member, if one is to blame.
    pub param: Option<&'a str>,
    /// The stable code, for programs.
    pub code: Option<&'a str>,
    /// A member beyond those of the API, which its clients pass over: its name, and what it says.
    #[serde(flatten, serialize_with = "member")]
    pub extra: Option<(&'a str, &'a serde_json::Value)>,
}

fn member<S: Serializer>(
    extra: &Option<(&str, &serde_json::Value)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(*extra)
}

/// Appends the error object to `out`, in JSON on one line.
pub fn write(out: &mut Vec<u8>, error: &Error<'_>) {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a Error<'a>,
    }
    serde_json::to_writer(out, &Body { error }).expect("strings always serialise into a Vec");
}

/// Appends an error of any dialect.
pub fn write_canonical(
    out: &mut Vec<u8>,
    error: &llm::Error<'_>,
    extra: Option<(&str, &serde_json::Value)>,
) {
    let error = Error {
        message: &error.message,
        kind: class(error.kind),
        param: error.param.as_deref(),
        code: error.code.as_deref(),
        extra,
    };
    write(out, &error);
}

/// The `type` of a class of errors.
pub(super) const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::NotFound | Kind::TooLarge => "invalid_request_error",
        Kind::Authentication => "authentication_error",
        Kind::Permission => "permission_error",
        Kind::RateLimited => "rate_limit_error",
        Kind::Internal | Kind::Overloaded | Kind::Timeout => "api_error",
    }
}

/// What a provider says in the body of a failed answer. A body that says nothing leaves the class
/// that the status stands for.
pub fn read(status: u16, body: &[u8]) -> llm::Error<'_> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    match serde_json::from_slice::<Body<'_>>(body) {
        Ok(body) => of_object(status, body.error.get()),
        Err(_) => of_object(status, "null"),
    }
}

/// What an error object says; with some servers, it is but a text.
pub(super) fn of_object(status: u16, object: &str) -> llm::Error<'_> {
    #[derive(Default, Deserialize)]
    struct Object<'a> {
        #[serde(borrow, default)]
        message: Text<'a>,
        #[serde(borrow, default, rename = "type")]
        kind: Text<'a>,
        #[serde(borrow, default)]
        param: Text<'a>,
        #[serde(borrow, default)]
        code: Text<'a>,
    }
    let object: Object<'_> = match object.starts_with('{') {
        true => serde_json::from_str(object).unwrap_or_default(),
        false => Object {
            message: serde_json::from_str(object).unwrap_or_default(),
            ..Object::default()
        },
    };
    llm::Error {
        kind: kind(status, &object.kind.0, &object.code.0),
        message: object.message.0,
        param: object.param.some(),
        code: object.code.some(),
    }
}

/// The class of an error. Amid a stream there is no status, and the object says it alone.
fn kind(status: u16, kind: &str, code: &str) -> Kind {
    match (kind, code) {
        ("insufficient_quota", _) | (_, "insufficient_quota" | "rate_limit_exceeded") => {
            Kind::RateLimited
        }
        _ if status >= 400 => Kind::of_status(status),
        ("invalid_request_error", _) => Kind::InvalidRequest,
        ("authentication_error", _) => Kind::Authentication,
        ("permission_error", _) => Kind::Permission,
        ("not_found_error", _) => Kind::NotFound,
        ("rate_limit_error" | "rate_limit_exceeded" | "tokens" | "requests", _) => {
            Kind::RateLimited
        }
        ("overloaded_error" | "service_unavailable", _) => Kind::Overloaded,
        _ => match code.parse() {
            Ok(status @ 400..=599) => Kind::of_status(status),
            _ => Kind::Internal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_error_is_read_whatever_form_it_has() {
        let body = br#"{"error":{"message":"slow \"down\"","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
        let error = read(429, body);
        assert_eq!(
            (error.kind, &*error.message),
            (Kind::RateLimited, "slow \"down\"")
        );
        assert_eq!(
            (error.param, error.code.as_deref()),
            (None, Some("rate_limit_exceeded"))
        );
        let text = read(400, br#"{"error":"no such model"}"#);
        assert_eq!(
            (text.kind, &*text.message),
            (Kind::InvalidRequest, "no such model")
        );
        assert_eq!(read(529, b"<html>").kind, Kind::Overloaded);
        // Amid a stream nothing but the object says what it is.
        let number = of_object(0, r#"{"message":"busy","code":503}"#);
        assert_eq!(number.kind, Kind::Overloaded);
        assert_eq!(
            of_object(0, r#"{"type":"server_error"}"#).kind,
            Kind::Internal
        );
    }

    #[test]
    fn an_error_of_another_dialect_is_written_with_its_class() {
        let error = llm::Error {
            kind: Kind::RateLimited,
            message: "slow".into(),
            param: None,
            code: Some("quota_exhausted".into()),
        };
        let mut out = Vec::new();
        write_canonical(&mut out, &error, None);
        let read = read(0, &out);
        assert_eq!(read, error);
    }

    #[test]
    fn the_four_members_are_always_there_and_escaped() {
        let mut out = Vec::new();
        let error = Error {
            message: "say \"when\"\n\u{1}",
            kind: "invalid_request_error",
            param: None,
            code: Some("quota_exhausted"),
            extra: None,
        };
        write(&mut out, &error);
        assert_eq!(
            String::from_utf8_lossy(&out),
            concat!(
                r#"{"error":{"message":"say \"when\"\n\u0001","type":"invalid_request_error","#,
                r#""param":null,"code":"quota_exhausted"}}"#
            )
        );
        out.clear();
        let figures = serde_json::json!({ "remaining": 3 });
        let extra = Some(("quota", &figures));
        write(&mut out, &Error { extra, ..error });
        let text = String::from_utf8_lossy(&out);
        assert!(text.ends_with(r#","quota":{"remaining":3}}}"#), "{text}");
    }
}
