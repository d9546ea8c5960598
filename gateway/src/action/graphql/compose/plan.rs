//! What a root field calls: its arguments as a path, a query string and a body.

use std::sync::Arc;

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};
use weir_telemetry::Code;

use super::calls::{Call, Fault, What};
use crate::config::routes::graphql::compose::{Composed, Operation, Piece, Place, Shape, Type};

/// All but what may stand anywhere as it is (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The call that an operation makes, given its arguments.
pub(super) fn plan(
    graph: &Composed,
    operation: &Operation,
    (method, pieces): (&Method, &[Piece]),
    mut arguments: Map<String, Json>,
) -> Result<Call, Arc<Fault>> {
    let mut query = String::new();
    let mut body = None;
    let mut path = Vec::new();
    for (name, argument) in &operation.arguments {
        let Some(value) = arguments.remove(&**name).filter(|value| !value.is_null()) else {
            continue;
        };
        let value = spelled(graph, &argument.member.shape, value);
        let key = &argument.member.key;
        match argument.place {
            Place::Path => path.push((key, text(&value))),
            Place::Query => push(&mut query, key, &value),
            Place::Body => body = Some(value.to_string().into()),
            // Of other kinds of sources.
            Place::Field | Place::Variable => {}
        }
    }
    let mut target = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => target.push_str(text),
            Piece::Parameter(name) => {
                let given = path.iter().find(|(key, _)| *key == name);
                let value = given.map(|(_, value)| value.as_str()).unwrap_or_default();
                // These would make it another path.
                if matches!(value, "" | "." | "..") {
                    return Err(not_in_a_path(name));
                }
                target.extend(utf8_percent_encode(value, RESERVED));
            }
        }
    }
    target.push_str(&query);
    Ok(Call {
        source: operation.source,
        what: What::Rest {
            method: method.clone(),
            target,
            body,
        },
    })
}

fn not_in_a_path(name: &str) -> Arc<Fault> {
    Arc::new(Fault {
        code: Code::RequestBodyInvalid.slug(),
        message: format!("What {name} is given cannot stand in a path; give it another value."),
        source: None,
        status: None,
    })
}

/// A value with its members called as the source calls them.
pub(super) fn spelled(graph: &Composed, shape: &Shape, value: Json) -> Json {
    match (shape, value) {
        (Shape::List(item), Json::Array(items)) => {
            let items = items.into_iter();
            items.map(|value| spelled(graph, item, value)).collect()
        }
        (Shape::Named(name), Json::Object(members)) => {
            let Some(Type::Input(known)) = graph.types.get(name) else {
                return Json::Object(members);
            };
            let members = members
                .into_iter()
                .map(|(name, value)| match known.get(name.as_str()) {
                    Some(member) => (member.key.to_string(), spelled(graph, &member.shape, value)),
                    None => (name, value),
                });
            Json::Object(members.collect())
        }
        // A value may stand for a list of it (3.11).
        (Shape::List(item), value) if !value.is_null() => {
            Json::Array(vec![spelled(graph, item, value)])
        }
        (_, value) => value,
    }
}

/// A value as a part of a URL says it.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A list is said member by member.
fn push(query: &mut String, key: &str, value: &Json) {
    let each = match value {
        Json::Array(items) => &items[..],
        one => std::slice::from_ref(one),
    };
    for value in each {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.extend(utf8_percent_encode(key, RESERVED));
        query.push('=');
        query.extend(utf8_percent_encode(&text(value), RESERVED));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::Method;
    use serde_json::json;

    use super::*;
    use crate::config::routes::graphql::compose::{Argument, Member, Way};

    fn called(arguments: Json) -> Result<(String, Option<String>), &'static str> {
        let argument = |key: &str, place, shape| Argument {
            place,
            member: Member {
                key: key.into(),
                shape,
                required: false,
            },
        };
        let list = Shape::List(Box::new(Shape::named("String")));
        let line = Member {
            key: "line-no".into(),
            shape: Shape::named("Int"),
            required: false,
        };
        let input = Type::Input(BTreeMap::from([("line_no".into(), line)]));
        let graph = Composed {
            types: BTreeMap::from([("In".into(), input)]),
            ..Composed::default()
        };
        let path = [Piece::Text("/a/".into()), Piece::Parameter("b-c".into())];
        let operation = Operation {
            source: 0,
            way: Way::Rest {
                method: Method::POST,
                path: path.to_vec(),
            },
            arguments: BTreeMap::from([
                (
                    "b_c".into(),
                    argument("b-c", Place::Path, Shape::named("String")),
                ),
                ("q".into(), argument("q[]", Place::Query, list)),
                (
                    "input".into(),
                    argument("input", Place::Body, Shape::named("In")),
                ),
            ]),
            answer: Shape::named("JSON"),
        };
        let Json::Object(arguments) = arguments else {
            panic!("an object");
        };
        let call = plan(&graph, &operation, (&Method::POST, &path), arguments);
        let What::Rest { target, body, .. } = call.map_err(|fault| fault.code)?.what else {
            panic!("not called by HTTP");
        };
        let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
        Ok((target, body))
    }

    #[test]
    fn arguments_stand_where_they_belong_and_nowhere_else() {
        let told =
            called(json!({ "b_c": "x/../?y#", "q": ["1&z=2", "ü"], "input": { "line_no": 1 } }));
        let (target, body) = told.expect("a call");
        assert_eq!(
            target,
            "/a/x%2F..%2F%3Fy%23?q%5B%5D=1%26z%3D2&q%5B%5D=%C3%BC"
        );
        assert_eq!(body.as_deref(), Some(r#"{"line-no":1}"#));
        assert_eq!(
            called(json!({ "b_c": 7, "q": "one" })).expect("a call").0,
            "/a/7?q%5B%5D=one"
        );
    }

    #[test]
    fn no_argument_makes_it_another_path() {
        for value in [json!(""), json!("."), json!(".."), json!(null)] {
            let told = called(json!({ "b_c": value }));
            assert_eq!(told.expect_err("a fault"), "request_body_invalid");
        }
    }
}
