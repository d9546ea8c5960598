//! Values of a request for the templates of a configuration.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use pingora_http::RequestHeader;

use crate::config::template::{Template, Variable};
use crate::routing::Captures;

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
        Variable::Header(name) => head.headers.get(name)?.to_str().ok().map(Cow::Borrowed),
        Variable::Query(name) => query_value(head.uri.query()?, name),
        // Of prompts only.
        Variable::Consumer | Variable::Team | Variable::Argument(_) => None,
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
    use super::query_value;

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
