//! OpenAI's error object, as its client libraries expect it in the body of a
//! failed answer and in a broken stream. Knows no error codes.

use serde::{Serialize, Serializer};

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

#[cfg(test)]
mod tests {
    use super::*;

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
