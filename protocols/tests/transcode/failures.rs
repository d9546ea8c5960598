//! What a caller is told of a failed call.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use weir_protocols::grpc::status::{Code, details};
use weir_protocols::grpc::transcode::response::{Failure, Options, Status};

use crate::answers::nested_any;
use crate::fixture::{same, table};

fn failure(details: &[u8]) -> Failure {
    let table = table();
    let (code, message) = (Code::ResourceExhausted, "no more");
    let status = Status {
        code,
        message,
        details,
    };
    table.routes()[0].failure(&status, Options::default())
}

fn text(failure: &Failure) -> &str {
    std::str::from_utf8(&failure.json).expect("it is JSON")
}

/// A google.rpc.Status with these details, each a type and its bytes.
fn encoded(details: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in details {
        let url = format!("type.googleapis.com/{name}");
        let mut any = vec![0x0a, url.len() as u8];
        any.extend(url.as_bytes());
        any.extend([0x12, value.len() as u8]);
        any.extend(*value);
        out.extend([0x1a, any.len() as u8]);
        out.extend(any);
    }
    out
}

#[test]
fn every_code_has_its_status() {
    let table = table();
    for code in Code::ALL.into_iter().skip(1) {
        let (message, details) = ("m", b"".as_slice());
        let status = Status {
            code,
            message,
            details,
        };
        let failure = table.routes()[0].failure(&status, Options::default());
        assert_eq!(failure.http_status, code.to_http());
        same(
            text(&failure),
            &format!(r#"{{"code":{},"message":"m"}}"#, code.number()),
        );
    }
}

#[test]
fn details_that_everybody_knows_are_told() {
    let value = details::encode(&details::Details {
        code: Code::ResourceExhausted,
        message: "no more",
        info: Some(details::ErrorInfo {
            reason: "QUOTA",
            domain: "a.b",
            metadata: &[("k", "v")],
        }),
        retry_after: Some(std::time::Duration::from_millis(1500)),
    });
    let failure = failure(value.as_bytes());
    assert_eq!(failure.http_status, 429);
    assert_eq!(failure.left_out, Vec::<String>::new());
    same(
        text(&failure),
        r#"{"code":8,"message":"no more","details":[
            {"@type":"type.googleapis.com/google.rpc.ErrorInfo",
             "reason":"QUOTA","domain":"a.b","metadata":{"k":"v"}},
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"}]}"#,
    );
}

#[test]
fn each_of_the_standard_details_is_known() {
    for (name, value, expected) in [
        (
            "DebugInfo",
            &b"\x0a\x01s\x12\x01d"[..],
            r#""stackEntries":["s"],"detail":"d""#,
        ),
        (
            "QuotaFailure",
            b"\x0a\x10\x0a\x01s\x12\x01d\x32\x06\x0a\x01k\x12\x01v\x38\x07",
            r#""violations":[{"subject":"s","description":"d","quotaDimensions":{"k":"v"},"quotaValue":"7"}]"#,
        ),
        (
            "PreconditionFailure",
            b"\x0a\x09\x0a\x01t\x12\x01s\x1a\x01d",
            r#""violations":[{"type":"t","subject":"s","description":"d"}]"#,
        ),
        (
            "BadRequest",
            b"\x0a\x0e\x0a\x01f\x12\x01d\x22\x06\x0a\x01l\x12\x01m",
            r#""fieldViolations":[{"field":"f","description":"d","localizedMessage":{"locale":"l","message":"m"}}]"#,
        ),
        (
            "RequestInfo",
            b"\x0a\x01r\x12\x01s",
            r#""requestId":"r","servingData":"s""#,
        ),
        (
            "ResourceInfo",
            b"\x0a\x01t\x12\x01n",
            r#""resourceType":"t","resourceName":"n""#,
        ),
        (
            "Help",
            b"\x0a\x06\x0a\x01d\x12\x01u",
            r#""links":[{"description":"d","url":"u"}]"#,
        ),
        (
            "LocalizedMessage",
            b"\x0a\x01l\x12\x01m",
            r#""locale":"l","message":"m""#,
        ),
    ] {
        let status = encoded(&[(&format!("google.rpc.{name}"), value)]);
        let failure = failure(STANDARD.encode(status).as_bytes());
        assert!(failure.left_out.is_empty(), "{name}: {failure:?}");
        let detail = format!(r#"{{"@type":"type.googleapis.com/google.rpc.{name}",{expected}}}"#);
        let expected = format!(r#"{{"code":8,"message":"no more","details":[{detail}]}}"#);
        same(text(&failure), &expected);
    }
}

#[test]
fn details_of_the_pool_are_told_and_others_left_out() {
    let status = encoded(&[
        ("library.Shelf", b"\x0a\x01s"),
        ("no.Such", b"\x0a\x01s"),
        ("google.protobuf.Duration", b"\x08\x05"),
        ("library.Book", b"\xff"),
    ]);
    let expected = r#"{"code":8,"message":"no more","details":[
        {"@type":"type.googleapis.com/library.Shelf","name":"s"},
        {"@type":"type.googleapis.com/google.protobuf.Duration","value":"5s"}]}"#;
    for value in [STANDARD.encode(&status), STANDARD_NO_PAD.encode(&status)] {
        let failure = failure(value.as_bytes());
        same(text(&failure), expected);
        assert_eq!(failure.left_out, ["no.Such", "library.Book"]);
    }
}

#[test]
fn what_is_no_details_is_left_out() {
    for value in [&b"*"[..], b"\xff", b"AAAA", b"/w=="] {
        let failure = failure(value);
        same(text(&failure), r#"{"code":8,"message":"no more"}"#);
        assert_eq!(failure.left_out, [""], "{value:?}");
    }
    let mut deep = vec![0x1a];
    let any = nested_any(2);
    deep.push(any.len() as u8);
    deep.extend(&any);
    assert!(failure(STANDARD.encode(&deep).as_bytes()).left_out.len() < 2);
}
