//! Values of a request for the templates of a configuration.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use pingora_http::RequestHeader;

use crate::config::template::{Template, Variable};
use crate::proxy::Request;
use crate::routing::Captures;

/// What a record is made with.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    /// What the route's path captured.
    pub(crate) captures: &'a Captures,
    /// The head of the request.
    pub(crate) head: &'a RequestHeader,
    /// Who calls, if that is known.
    pub(crate) consumer: Option<&'a str>,
    /// Whose that is.
    pub(crate) team: Option<&'a str>,
    /// The value of the record.
    pub(crate) body: &'a [u8],
}

impl<'a> Values<'a> {
    /// Those of a request without a body.
    pub(crate) fn of(request: &'a Request, head: &'a RequestHeader) -> Self {
        Self {
            captures: &request.captures,
            head,
            consumer: request.consumer.as_ref().map(|consumer| &*consumer.name),
            team: request.record.team.as_deref(),
            body: &[],
        }
    }

    /// Writes out a template of a record; the error names the first value that is missing.
    pub(crate) fn render(&self, template: &Template) -> Result<String, String> {
        let value = |variable: &Variable| match variable {
            Variable::Body(pointer) => scalar(pointer.find(self.body)?.get()),
            Variable::Consumer => self.consumer.map(Cow::Borrowed),
            Variable::Team => self.team.map(Cow::Borrowed),
            other => value(other, self.captures, self.head),
        };
        template.render(value).map_err(ToString::to_string)
    }
}

/// A string as it is, a number or a truth value as JSON writes it. Everything else is no value.
fn scalar(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok().map(Cow::Owned),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(json)),
    }
}

/// Writes out a template; the error names the first value the request does not have.
pub(crate) fn render(
    template: &Template,
    captures: &Captures,
    head: &RequestHeader,
) -> Result<String, String> {
    template
        .render(|variable| value(variable, captures, head))
        .map_err(ToString::to_string)
}

fn value<'a>(
    variable: &Variable,
    captures: &'a Captures,
    head: &'a RequestHeader,
) -> Option<Cow<'a, str>> {
    match variable {
        Variable::Path(name) => captures.get(name).map(Cow::Borrowed),
        // Fields are ASCII by the book; where they are not, UTF-8 is what people send.
        Variable::Header(name) => {
            let value = head.headers.get(name)?.as_bytes();
            std::str::from_utf8(value).ok().map(Cow::Borrowed)
        }
        Variable::Query(name) => query_value(head.uri.query()?, name),
        // Of records and prompts only.
        Variable::Body(_) | Variable::Consumer | Variable::Team | Variable::Argument(_) => None,
    }
}

/// The parameters of a query, percent-decoded, but for those that are no text.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name)?, decode(value)?))
    })
}

/// The first parameter of that name, percent-decoded; `+` is a space, as forms write it.
fn query_value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key)? == name).then(|| decode(value)).flatten()
    })
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return percent_decode_str(&spaced)
            .decode_utf8()
            .ok()
            .map(|t| Cow::Owned(t.into_owned()));
    }
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::{query_value, scalar};

    #[test]
    fn only_scalars_of_a_body_are_values() {
        for (json, value) in [
            (r#""a\u00e9\n""#, Some("aé\n")),
            ("1e3", Some("1e3")),
            ("-0.50", Some("-0.50")),
            ("true", Some("true")),
            ("null", None),
            ("[1]", None),
            ("{}", None),
            (r#""""#, Some("")),
        ] {
            assert_eq!(scalar(json).as_deref(), value, "{json}");
        }
    }

    #[test]
    fn a_query_parameter_is_found_by_its_decoded_name() {
        assert_eq!(
            query_value("a=1&k%65y=x%20y", "key").as_deref(),
            Some("x y")
        );
        assert_eq!(query_value("key=a+b", "key").as_deref(), Some("a b"));
        assert_eq!(query_value("key", "key").as_deref(), Some(""));
        assert_eq!(query_value("other=1", "key"), None);
        assert_eq!(query_value("key=%ff", "key"), None);
    }
}
