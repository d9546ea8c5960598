//! The words of this dialect for what went wrong, beyond those that all of OpenAI's share. Knows no
//! HTTP status.

use crate::llm::Error;
use crate::llm::error::Kind;
use crate::openai::error;
pub(super) use crate::openai::error::class;

/// The `code` of a response that failed: one of those the API reference lists.
pub(super) const fn code(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::TooLarge => "invalid_prompt",
        Kind::RateLimited => "rate_limit_exceeded",
        Kind::Authentication
        | Kind::Permission
        | Kind::NotFound
        | Kind::Internal
        | Kind::Overloaded
        | Kind::Timeout => "server_error",
    }
}

/// What an error object says, as it stands in a response and in an event: given as JSON. No status
/// comes with it, so that its code decides where it is one of this dialect.
pub(super) fn read(object: &str) -> Error<'_> {
    let mut error = error::of_object(0, object);
    let known = match error.code.as_deref() {
        Some("server_is_overloaded" | "slow_down") => Some(Kind::Overloaded),
        Some("vector_store_timeout") => Some(Kind::Timeout),
        Some("invalid_prompt" | "context_length_exceeded") => Some(Kind::InvalidRequest),
        Some("invalid_api_key") => Some(Kind::Authentication),
        Some("model_not_found") => Some(Kind::NotFound),
        Some(code) if code.contains("image") => Some(Kind::InvalidRequest),
        _ => None,
    };
    error.kind = known.unwrap_or(error.kind);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_this_dialect_are_understood() {
        for (object, kind) in [
            (r#"{"code":"server_error"}"#, Kind::Internal),
            (r#"{"code":"rate_limit_exceeded"}"#, Kind::RateLimited),
            (r#"{"code":"invalid_prompt"}"#, Kind::InvalidRequest),
            (r#"{"code":"slow_down"}"#, Kind::Overloaded),
            (r#"{"code":"vector_store_timeout"}"#, Kind::Timeout),
            (r#"{"code":"image_too_large"}"#, Kind::InvalidRequest),
            (
                r#"{"code":"model_not_found","type":"invalid_request_error"}"#,
                Kind::NotFound,
            ),
            (r#"{"code":"invalid_api_key"}"#, Kind::Authentication),
            (r#"{"type":"permission_error"}"#, Kind::Permission),
            ("null", Kind::Internal),
        ] {
            assert_eq!(read(object).kind, kind, "{object}");
        }
    }

    #[test]
    fn what_is_told_is_understood_as_far_as_there_are_words() {
        for kind in [
            Kind::InvalidRequest,
            Kind::Authentication,
            Kind::Permission,
            Kind::RateLimited,
            Kind::Internal,
        ] {
            let (class, code) = (class(kind), code(kind));
            let object = format!(r#"{{"type":"{class}","code":"{code}","message":"m"}}"#);
            let error = read(&object);
            assert_eq!((error.kind, &*error.message), (kind, "m"));
        }
    }
}
