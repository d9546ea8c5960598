//! Errors instead of an answer.

use weir_protocols::bedrock::error;
use weir_protocols::llm::error::Kind;

#[test]
fn exceptions_are_told_apart_by_name_and_else_by_status() {
    for (status, header, body, kind, message, code) in [
        (
            429,
            Some("ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.service/"),
            r#"{"message":"Too many requests, please wait before trying again."}"#,
            Kind::RateLimited,
            "Too many requests, please wait before trying again.",
            Some("ThrottlingException"),
        ),
        (
            400,
            Some("ValidationException"),
            r#"{"message":"Malformed input request"}"#,
            Kind::InvalidRequest,
            "Malformed input request",
            Some("ValidationException"),
        ),
        (
            400,
            Some("ServiceQuotaExceededException"),
            "{}",
            Kind::RateLimited,
            "",
            Some("ServiceQuotaExceededException"),
        ),
        (
            403,
            None,
            r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","Message":"It does not match."}"#,
            Kind::Authentication,
            "It does not match.",
            Some("InvalidSignatureException"),
        ),
        (
            403,
            Some("AccessDeniedException"),
            r#"{"Message":"No access to the model."}"#,
            Kind::Permission,
            "No access to the model.",
            Some("AccessDeniedException"),
        ),
        (
            403,
            Some("ExpiredTokenException"),
            r#"{"message":"expired"}"#,
            Kind::Authentication,
            "expired",
            Some("ExpiredTokenException"),
        ),
        (
            404,
            Some("ResourceNotFoundException"),
            "",
            Kind::NotFound,
            "",
            Some("ResourceNotFoundException"),
        ),
        (
            408,
            Some("ModelTimeoutException"),
            "",
            Kind::Timeout,
            "",
            Some("ModelTimeoutException"),
        ),
        (
            424,
            Some("ModelErrorException"),
            r#"{"message":"m","originalStatusCode":503,"resourceName":"r"}"#,
            Kind::Overloaded,
            "m",
            Some("ModelErrorException"),
        ),
        (
            424,
            Some("ModelErrorException"),
            "{}",
            Kind::Internal,
            "",
            Some("ModelErrorException"),
        ),
        (
            429,
            Some("ModelNotReadyException"),
            "{}",
            Kind::Overloaded,
            "",
            Some("ModelNotReadyException"),
        ),
        (
            503,
            Some("SomethingNew"),
            "<html>",
            Kind::Overloaded,
            "",
            Some("SomethingNew"),
        ),
        (401, Some(""), "\u{0}", Kind::Authentication, "", None),
        (502, None, "null", Kind::Internal, "", None),
    ] {
        let error = error::read(status, header, body.as_bytes());
        assert_eq!(error.kind, kind, "{body}");
        assert_eq!(error.message, message);
        assert_eq!(error.code.as_deref(), code);
        assert_eq!(error.param, None);
    }
}
