//! Problem documents, `application/problem+json` (RFC 9457). Knows no error
//! codes: what they are called and which status they have is the caller's.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Problem<'a> {
    /// `type`: a URI for this kind of problem, where its help is found.
    pub type_uri: &'a str,
    /// A short summary, the same for every occurrence.
    pub title: &'a str,
    /// The HTTP status, repeated from the response line.
    pub status: u16,
    /// What happened this time, and how to mend it.
    pub detail: Option<&'a str>,
    /// A URI reference for this occurrence.
    pub instance: Option<&'a str>,
    /// Extension member: the stable error code.
    pub code: &'a str,
    /// Extension member: the id of the request.
    pub request_id: Option<&'a str>,
    /// Extension member: the id of the trace, 32 hexadecimal digits.
    pub trace_id: Option<&'a str>,
    /// Further extension members. One whose name is taken by a member above
    /// is left out, so that no name stands twice.
    pub extra: &'a [(&'a str, serde_json::Value)],
}

const TAKEN: [&str; 8] = [
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "request_id",
    "trace_id",
];

impl Problem<'_> {
    /// The document as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and JSON values always serialise")
    }
}

impl Serialize for Problem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.type_uri)?;
        map.serialize_entry("title", self.title)?;
        map.serialize_entry("status", &self.status)?;
        let optional = |map: &mut S::SerializeMap, name, value: Option<&str>| match value {
            Some(value) => map.serialize_entry(name, value),
            None => Ok(()),
        };
        optional(&mut map, "detail", self.detail)?;
        optional(&mut map, "instance", self.instance)?;
        map.serialize_entry("code", self.code)?;
        optional(&mut map, "request_id", self.request_id)?;
        optional(&mut map, "trace_id", self.trace_id)?;
        for (index, (name, value)) in self.extra.iter().enumerate() {
            let twice = self.extra[..index]
                .iter()
                .any(|(earlier, _)| earlier == name);
            if !TAKEN.contains(name) && !twice {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_full_problem_has_all_members_in_order() {
        let problem = Problem {
            type_uri: "https://example.com/runbooks/quota_exhausted",
            title: "Quota exhausted",
            status: 429,
            detail: Some("say \"please\"\n"),
            instance: Some("/requests/r1"),
            code: "quota_exhausted",
            request_id: Some("r1"),
            trace_id: Some("0af7651916cd43dd8448eb211c80319c"),
            extra: &[
                ("limit", json!(100)),
                ("status", json!(200)),
                ("limit", json!(1)),
            ],
        };
        assert_eq!(
            String::from_utf8_lossy(&problem.to_json()),
            concat!(
                r#"{"type":"https://example.com/runbooks/quota_exhausted","title":"Quota exhausted","#,
                r#""status":429,"detail":"say \"please\"\n","instance":"/requests/r1","#,
                r#""code":"quota_exhausted","request_id":"r1","#,
                r#""trace_id":"0af7651916cd43dd8448eb211c80319c","limit":100}"#
            )
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let problem = Problem {
            type_uri: "about:blank",
            title: "Not Found",
            status: 404,
            code: "route_not_found",
            ..Problem::default()
        };
        assert_eq!(
            problem.to_json(),
            br#"{"type":"about:blank","title":"Not Found","status":404,"code":"route_not_found"}"#
        );
    }
}
