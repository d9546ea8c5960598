//! What a caller expects a value to be, as RFC 9110 has it. A tag of ours names the record that holds a
//! value; one that is none of ours is that of no value.

use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue};
use weir_telemetry::Code;

use crate::error::GatewayError;
use crate::table::{Condition, Tag};

/// A tag as the field has it.
pub(super) fn etag(tag: Tag) -> HeaderValue {
    quoted(&tag.to_string())
}

pub(super) fn quoted(text: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{text}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// What a field lists, its quotes and weakness taken away; none, if it is not there.
fn listed(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let texts = values.filter_map(|value| value.to_str().ok());
    let tags = texts.flat_map(|text| text.split(','));
    Some(tags.map(|tag| tag.trim().to_owned()).collect())
}

/// Whether the caller has this already.
pub(super) fn has(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let listed = listed(headers, &IF_NONE_MATCH).unwrap_or_default();
    let etag = etag.to_str().unwrap_or_default();
    listed
        .iter()
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// What has to be true for the caller's write to be done.
pub(super) fn condition(headers: &HeaderMap, is_required: bool) -> Result<Condition, GatewayError> {
    let mut condition = Condition::default();
    let (is, is_not) = (listed(headers, &IF_MATCH), listed(headers, &IF_NONE_MATCH));
    if is.is_none() && is_not.is_none() && is_required {
        let public = "Send If-Match with the ETag of the value, or If-None-Match: * to create one.";
        return Err(GatewayError::public(
            Code::TablePreconditionRequired,
            public,
        ));
    }
    if let Some(tags) = is {
        match tags.iter().any(|tag| tag == "*") {
            true => condition.exists = true,
            false => condition.is = Some(tags.iter().filter_map(|tag| read(tag)).collect()),
        }
    }
    match is_not.as_deref() {
        None => {}
        Some([all]) if all == "*" => condition.is_absent = true,
        Some(_) => {
            let public = "What is written takes `If-None-Match: *` only, to create a value.";
            return Err(GatewayError::public(Code::QueryInvalid, public));
        }
    }
    Ok(condition)
}

/// A strong tag, if it is one of ours.
pub(super) fn read(tag: &str) -> Option<Tag> {
    let text = tag.strip_prefix('"')?.strip_suffix('"')?;
    text.parse().ok()
}

/// What was expected is not so; that is how it is.
pub(super) fn failed(now: Option<Tag>) -> GatewayError {
    let error = GatewayError::new(Code::TablePreconditionFailed);
    match now {
        Some(tag) => error.header(ETAG, etag(tag)),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let fields = fields.iter().cloned();
        fields
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn conditions_are_read_as_http_has_them() {
        let one = condition(&headers(&[(IF_MATCH, "\"1-5\", \"0-7\"")]), true).expect("it is one");
        let tag = |partition, offset| Tag { partition, offset };
        assert_eq!(one.is, Some(vec![tag(1, 5), tag(0, 7)]));
        // Neither weak ones nor those of others are those of a value.
        let none = condition(&headers(&[(IF_MATCH, "W/\"1-5\", \"abc\"")]), true);
        assert_eq!(none.expect("it is one").is, Some(Vec::new()));
        assert!(
            condition(&headers(&[(IF_MATCH, "*")]), true)
                .expect("so")
                .exists
        );
        assert!(
            condition(&headers(&[(IF_NONE_MATCH, "*")]), true)
                .expect("so")
                .is_absent
        );
        let refused =
            |fields: &[_], required| condition(&headers(fields), required).map_err(|e| e.code);
        assert_eq!(
            refused(&[], true).err(),
            Some(Code::TablePreconditionRequired)
        );
        assert!(refused(&[], false).is_ok());
        let wrong = refused(&[(IF_NONE_MATCH, "\"1-5\"")], false);
        assert_eq!(wrong.err(), Some(Code::QueryInvalid));
    }

    #[test]
    fn who_has_a_value_is_not_sent_it_again() {
        let etag = quoted("1-5");
        for (said, has_it) in [
            ("\"1-5\"", true),
            ("W/\"1-5\"", true),
            ("*", true),
            ("\"1-6\"", false),
        ] {
            assert_eq!(
                has(&headers(&[(IF_NONE_MATCH, said)]), &etag),
                has_it,
                "{said}"
            );
        }
    }
}
