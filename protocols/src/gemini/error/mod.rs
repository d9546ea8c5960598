//! Why there is no answer: `google.rpc.Status` as both APIs wrap it, `{"error": {…}}`, both ways.
//! Knows no code of its own.
//!
//! | Module | Is |
//! |---|---|
//! | `read` | the error a provider tells |
//! | `write` | the error a caller is told |

mod read;
mod write;

pub(super) use read::of_piece;
pub use read::{read, retry_after};
pub(super) use write::status_of;
pub use write::write;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::llm::Error;
    use crate::llm::error::Kind;

    #[test]
    fn googles_errors_are_read() {
        let quota = br#"{"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED",
            "details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{}]},
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#;
        let error = read(200, quota);
        assert_eq!(error.kind, Kind::RateLimited);
        assert_eq!(&*error.message, "Slow down.");
        assert_eq!(error.code.as_deref(), Some("RESOURCE_EXHAUSTED"));
        assert_eq!(retry_after(quota), Some(Duration::from_millis(34_500)));

        let key = br#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT","details":[
            {"reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}]"#;
        let error = read(400, key);
        assert_eq!(error.kind, Kind::Authentication);
        assert_eq!(error.code.as_deref(), Some("API_KEY_INVALID"));
        assert_eq!(retry_after(key), None);

        let field = br#"{"error":{"message":"m","status":"INVALID_ARGUMENT","details":[7,
            {"fieldViolations":[{"field":"contents[0]","description":"d"}]}]}}"#;
        let error = read(400, field);
        assert_eq!(error.kind, Kind::InvalidRequest);
        assert_eq!(error.param.as_deref(), Some("contents[0]"));
    }

    #[test]
    fn what_is_no_error_has_the_kind_of_its_status() {
        for body in [
            "",
            "{",
            "<html>",
            r#"{"error":"no"}"#,
            "[]",
            r#"{"error":null}"#,
        ] {
            let error = read(503, body.as_bytes());
            assert_eq!(
                (error.kind, &*error.message),
                (Kind::Overloaded, ""),
                "{body}"
            );
        }
        for delay in ["-1s", "s", "1", "1e400s", "NaNs"] {
            let body = format!(r#"{{"error":{{"details":[{{"retryDelay":"{delay}"}}]}}}}"#);
            assert_eq!(retry_after(body.as_bytes()), None, "{delay}");
        }
    }

    #[test]
    fn every_kind_survives_there_and_back() {
        for kind in [
            Kind::InvalidRequest,
            Kind::Authentication,
            Kind::Permission,
            Kind::NotFound,
            Kind::TooLarge,
            Kind::RateLimited,
            Kind::Internal,
            Kind::Overloaded,
            Kind::Timeout,
        ] {
            let error = Error {
                kind,
                message: "say \"when\"".into(),
                param: Some("contents[0]".into()),
                code: Some("quota_exhausted".into()),
            };
            let figures = serde_json::json!({ "remaining": 3 });
            let mut out = Vec::new();
            write(
                &mut out,
                status_of(kind),
                &error,
                Some(("quota", &figures)),
                "r1",
            );
            assert_eq!(read(0, &out), error);
            let text = String::from_utf8_lossy(&out);
            // Google's clients look for exactly this.
            assert!(text.starts_with(r#"{"error":{"code":"#), "{text}");
            assert!(text.ends_with(r#""quota":{"remaining":3}}}"#), "{text}");
            assert!(text.contains(r#""requestId":"r1""#), "{text}");
        }
    }
}
