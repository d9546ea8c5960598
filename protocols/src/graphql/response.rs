//! An answer that the upstream did not give: in which media type, with which status, saying what
//! (GraphQL over HTTP, draft; GraphQL, section 7.1). Knows no error codes.

use serde::Serialize;
use serde_json::Value;

use super::fault::Place;
use crate::sse::{Outgoing, write_event};

/// The media types of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `application/graphql-response+json`: its status tells what became of the request.
    GraphqlResponse,
    /// `application/json`, from before there was one of GraphQL's own: clients take its body for
    /// GraphQL's only if the status is 200.
    Json,
    /// `text/event-stream`: results as events (GraphQL over Server-Sent Events, distinct connections
    /// mode). What a page's `EventSource` is told with another status than 200, it does not see.
    EventStream,
}

/// What became of a request that nobody ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It is none over HTTP: no JSON, or members of wrong types.
    NotWellFormed,
    /// It is one, and its document, operation or measure will not do.
    Document,
    /// It came by GET, and is not a query.
    Method,
}

impl MediaType {
    /// As `Content-Type` says it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::EventStream => "text/event-stream",
        }
    }

    /// The status of a refusal.
    pub const fn status(self, refusal: Refusal) -> u16 {
        match (refusal, self) {
            (Refusal::Document, Self::Json | Self::EventStream) => 200,
            (Refusal::Document | Refusal::NotWellFormed, _) => 400,
            (Refusal::Method, _) => 405,
        }
    }
}

/// The media type to answer in, given the values of `Accept`, joined by commas; `None` if neither is
/// accepted. GraphQL's own is taken where nothing is said, and where both are accepted alike; but a
/// caller who says `*/*`, as HTTP libraries do for those who said nothing, gets what all of them read.
/// Events are for who would rather have them than either.
pub fn negotiate(accept: Option<&str>) -> Option<MediaType> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return Some(MediaType::GraphqlResponse);
    };
    let own = Preference::of(accept, "application", "graphql-response+json");
    let json = Preference::of(accept, "application", "json");
    let events = Preference::of(accept, "text", "event-stream");
    if events.precision == NAMED && events.weight > own.weight.max(json.weight) {
        return Some(MediaType::EventStream);
    }
    match (own.weight, json.weight) {
        (0, 0) => None,
        (own, json) if own != json => Some(match own > json {
            true => MediaType::GraphqlResponse,
            false => MediaType::Json,
        }),
        // Named beats meant; of two that are named, GraphQL's own is the better.
        _ if own.precision >= json.precision && own.precision == NAMED => {
            Some(MediaType::GraphqlResponse)
        }
        _ => Some(MediaType::Json),
    }
}

/// How much a media type is wanted, by the range that fits it best.
#[derive(Clone, Copy, Default)]
struct Preference {
    /// In thousandths.
    weight: u16,
    /// How exactly the range names it: 0 for none that fits.
    precision: u8,
}

const NAMED: u8 = 3;

impl Preference {
    /// Of a media type.
    fn of(accept: &str, sort: &str, subtype: &str) -> Self {
        let mut best = Self::default();
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let (kind, of_kind) = parts
                .next()
                .and_then(|range| range.split_once('/'))
                .unwrap_or_default();
            let of_sort = kind.eq_ignore_ascii_case(sort);
            let precision = match of_kind {
                "*" if kind == "*" => 1,
                "*" if of_sort => 2,
                _ if of_sort && of_kind.eq_ignore_ascii_case(subtype) => NAMED,
                _ => continue,
            };
            let weight = parts.find_map(weight).unwrap_or(1000);
            // The same range twice is wanted as much as it is wanted more.
            if (precision, weight) > (best.precision, best.weight) {
                best = Self { weight, precision };
            }
        }
        best
    }
}

/// `q`, in thousandths, if the parameter is that. What is no weight is taken for 0 (RFC 9110, 12.4.2).
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let known = matches!(whole, "0" | "1")
        && fraction.len() <= 3
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{whole}{fraction:0<3}");
    let weight = thousandths.parse().ok().filter(|_| known);
    Some(weight.filter(|weight| *weight <= 1000).unwrap_or(0))
}

/// An error, as GraphQL writes it.
#[derive(Clone, Copy, Debug)]
pub struct Error<'a> {
    /// What happened and how to mend it, for people.
    pub message: &'a str,
    /// Where in the document it is, if at one place.
    pub place: Option<Place>,
    /// `extensions.code`: the stable code, for programs.
    pub code: &'a str,
    /// Further members of `extensions`. One called `code` is left out, so that no name stands twice.
    pub extra: &'a [(&'a str, Value)],
}

/// Appends a result to `out` that consists of errors: an object without `data`, as nothing was run.
pub fn write(out: &mut Vec<u8>, errors: &[Error<'_>]) {
    #[derive(Serialize)]
    struct Result<'a> {
        errors: &'a [Error<'a>],
    }
    serde_json::to_writer(out, &Result { errors })
        .expect("strings and JSON values always serialise into a Vec");
}

/// Appends the same result as an event, and that nothing follows.
pub fn write_events(out: &mut Vec<u8>, errors: &[Error<'_>]) {
    let mut result = Vec::new();
    write(&mut result, errors);
    write_whole(out, &result);
}

/// Appends a result, JSON of one line, as an event, and that nothing follows (GraphQL over Server-Sent
/// Events, distinct connections mode).
pub fn write_whole(out: &mut Vec<u8>, result: &[u8]) {
    write_next(out, result);
    // An event without data would not be seen by a page's `EventSource`, unless its field stands there.
    write_named(out, "complete", b"");
}

/// Appends a result, JSON of one line, as an event that others may follow.
pub fn write_next(out: &mut Vec<u8>, result: &[u8]) {
    write_named(out, "next", result);
}

fn write_named(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    let event = Outgoing {
        name: Some(name),
        data,
        ..Outgoing::default()
    };
    write_event(out, &event).expect("constants hold no line break");
}

impl Serialize for Error<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Location {
            line: usize,
            column: usize,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            locations: Option<[Location; 1]>,
            extensions: Extensions<'a>,
        }
        Body {
            message: self.message,
            locations: self
                .place
                .map(|Place { line, column }| [Location { line, column }]),
            extensions: Extensions(self),
        }
        .serialize(serializer)
    }
}

struct Extensions<'a>(&'a Error<'a>);

impl Serialize for Extensions<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let extra = self.0.extra.iter().enumerate();
        let first_of_its_name = extra.filter(|(index, (name, _))| {
            *name != "code"
                && self.0.extra[..*index]
                    .iter()
                    .all(|(known, _)| known != name)
        });
        let code = Value::from(self.0.code);
        let members = std::iter::once((&"code", &code))
            .chain(first_of_its_name.map(|(_, (name, value))| (name, value)));
        serializer.collect_map(members)
    }
}

#[cfg(test)]
mod tests {
    use super::MediaType::{EventStream, GraphqlResponse, Json};
    use super::*;

    #[test]
    fn the_media_type_is_the_one_that_is_wanted_most() {
        for (accept, expected) in [
            (None, Some(GraphqlResponse)),
            (Some("text/event-stream"), Some(EventStream)),
            (Some("text/event-stream, */*;q=0.1"), Some(EventStream)),
            (Some("text/event-stream, application/json"), Some(Json)),
            (Some("text/*, */*"), Some(Json)),
            (Some(""), Some(GraphqlResponse)),
            (Some("*/*"), Some(Json)),
            (Some("application/*"), Some(Json)),
            (Some("application/json"), Some(Json)),
            (Some("application/json, */*;q=0.1"), Some(Json)),
            (Some("application/json, text/plain, */*"), Some(Json)),
            (
                Some("application/graphql-response+json"),
                Some(GraphqlResponse),
            ),
            (
                Some("Application/GraphQL-Response+JSON ; Q=0.5"),
                Some(GraphqlResponse),
            ),
            (
                Some(
                    "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
                ),
                Some(GraphqlResponse),
            ),
            (
                Some("application/json, application/graphql-response+json"),
                Some(GraphqlResponse),
            ),
            (
                Some("application/graphql-response+json, application/json;q=0.9"),
                Some(GraphqlResponse),
            ),
            (
                Some("application/graphql-response+json;q=0.8, application/json;q=0.9"),
                Some(Json),
            ),
            (
                Some("application/graphql-response+json;q=0, */*"),
                Some(Json),
            ),
            (Some("application/json;q=0, */*"), Some(GraphqlResponse)),
            (Some("application/json;q=0"), None),
            (Some("text/html"), None),
            (Some("application/graphql+json"), None),
            (Some("application/json;q=2"), None),
            (Some("application/json;q=x"), None),
            (Some(", ;,application/json;;"), Some(Json)),
        ] {
            assert_eq!(negotiate(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn only_json_hides_what_became_of_a_document() {
        assert_eq!(Json.status(Refusal::Document), 200);
        assert_eq!(GraphqlResponse.status(Refusal::Document), 400);
        for media in [Json, GraphqlResponse] {
            assert_eq!(media.status(Refusal::NotWellFormed), 400);
            assert_eq!(media.status(Refusal::Method), 405);
        }
        assert_eq!(Json.content_type(), "application/json; charset=utf-8");
        let own = "application/graphql-response+json; charset=utf-8";
        assert_eq!(GraphqlResponse.content_type(), own);
    }

    #[test]
    fn an_error_says_what_where_and_by_which_code() {
        let extra = [
            ("code", Value::from("another")),
            ("limit", Value::from(10)),
            ("limit", Value::from(11)),
        ];
        let errors = [
            Error {
                message: "a \"b\"\n",
                place: Some(Place { line: 2, column: 3 }),
                code: "graphql_too_costly",
                extra: &extra,
            },
            Error {
                message: "c",
                place: None,
                code: "d",
                extra: &[],
            },
        ];
        let mut out = Vec::new();
        write(&mut out, &errors);
        assert_eq!(
            String::from_utf8(out).as_deref(),
            Ok(concat!(
                r#"{"errors":[{"message":"a \"b\"\n","locations":[{"line":2,"column":3}],"#,
                r#""extensions":{"code":"graphql_too_costly","limit":10}},"#,
                r#"{"message":"c","extensions":{"code":"d"}}]}"#
            ))
        );
    }
}
