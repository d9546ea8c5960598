//! OpenAPI 3 (3.0 and 3.1) as parts of a graph: operations become root fields, schemas types.
//!
//! What a document says and GraphQL has no word for, as maps and alternatives, is of the scalar `JSON`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value};

use super::model::{Argument, Member, Operation, Piece, Place, Shape, Way};
use super::name;
use super::part::Root;
use super::types::{Direction, Types};

/// Reads a document, YAML or JSON.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    let document: Value =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
    match document["openapi"].as_str() {
        Some(version) if version.starts_with("3.") => Ok(document),
        Some(version) => Err(format!("it is of version {version}")),
        None => Err("it has no key `openapi`".to_owned()),
    }
}

/// The names of its operations, in order.
pub(super) fn ids(document: &Value) -> Vec<String> {
    let operations = operations(document).into_iter();
    operations
        .map(|(path, method, _, said)| id(&path, &method, said))
        .collect()
}

/// The root fields of source number `source`, and the types they need in `types`. What is wrong goes to
/// `faults`.
pub(super) fn roots<'d>(
    document: &'d Value,
    source: usize,
    wanted: &dyn Fn(&str) -> bool,
    types: &mut Types<'d>,
    faults: &mut Vec<String>,
) -> Vec<Root> {
    let base = base_path(document);
    let mut roots = Vec::new();
    for (path, method, item, said) in operations(document) {
        let id = id(&path, &method, said);
        if !wanted(&id) {
            continue;
        }
        let mut reader = Reader {
            document,
            id: &id,
            types,
        };
        match reader.operation(source, &format!("{base}{path}"), &method, item, said) {
            Ok(operation) => roots.push(Root {
                reads: method == Method::GET,
                id,
                operation,
            }),
            Err(fault) => faults.push(format!("operation {id}: {fault}")),
        }
    }
    roots
}

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

type Said<'a> = (String, Method, &'a Value, &'a Value);

/// Every operation: its path, method, path item, and what is said of it.
fn operations(document: &Value) -> Vec<Said<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut all = Vec::new();
    for (path, item) in paths {
        for method in METHODS {
            let key = method.as_str().to_ascii_lowercase();
            if let Some(said) = item.get(&key) {
                all.push((path.clone(), method, item, said));
            }
        }
    }
    all
}

fn id(path: &str, method: &Method, said: &Value) -> String {
    match said["operationId"].as_str() {
        Some(id) => id.to_owned(),
        None => name::of_operation(method.as_str(), path),
    }
}

/// What all paths begin with: the path of the first server.
fn base_path(document: &Value) -> String {
    let url = document["servers"][0]["url"].as_str().unwrap_or_default();
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    path.trim_end_matches('/').to_owned()
}

struct Reader<'a, 't, 'd> {
    document: &'d Value,
    id: &'a str,
    types: &'t mut Types<'d>,
}

impl<'d> Reader<'_, '_, 'd> {
    fn operation(
        &mut self,
        source: usize,
        path: &str,
        method: &Method,
        item: &'d Value,
        said: &'d Value,
    ) -> Result<Operation, String> {
        let mut arguments = BTreeMap::new();
        // An operation's own parameters come last, and have the last word.
        let shared = item["parameters"].as_array().into_iter().flatten();
        let own = said["parameters"].as_array().into_iter().flatten();
        for parameter in shared.chain(own) {
            if let Some((name, argument)) = self.parameter(resolve(self.document, parameter)?)? {
                arguments.insert(name, argument);
            }
        }
        if let Some(body) = said.get("requestBody") {
            let body = resolve(self.document, body)?;
            let argument = self.body(body)?;
            if arguments.insert("input".into(), argument).is_some() {
                return Err("a parameter is called `input` as its body is".to_owned());
            }
        }
        let path = pieces(path)?;
        for piece in &path {
            let known = |name: &Arc<str>| {
                let mut all = arguments.values();
                all.any(|argument| argument.place == Place::Path && argument.member.key == *name)
            };
            if let Piece::Parameter(name) = piece
                && !known(name)
            {
                return Err(format!("its path has {{{name}}}, which is no parameter"));
            }
        }
        Ok(Operation {
            source,
            way: Way::Rest {
                method: method.clone(),
                path,
            },
            arguments,
            answer: self.answer(said)?,
        })
    }

    /// What of a call a parameter says; `None` of headers and cookies, which callers do not set.
    fn parameter(&mut self, said: &'d Value) -> Result<Option<(Arc<str>, Argument)>, String> {
        let key = said["name"].as_str().ok_or("a parameter has no name")?;
        let required = said["required"].as_bool().unwrap_or(false);
        let place = match said["in"].as_str() {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            _ if required => {
                return Err(format!(
                    "it requires {key} where no argument goes: only path and query do"
                ));
            }
            _ => return Ok(None),
        };
        let around = format!("{}{}", name::upper_first(self.id), name::upper_first(key));
        let schema = &said["schema"];
        let shape = self.types.shape(schema, &around, Direction::Input)?;
        let argument = Argument {
            place,
            member: Member {
                key: key.into(),
                shape,
                required: required || place == Place::Path,
            },
        };
        Ok(Some((name::nearest(key).into(), argument)))
    }

    fn body(&mut self, said: &'d Value) -> Result<Argument, String> {
        let schema = json(&said["content"]).ok_or("its body is not JSON")?;
        let shape = self.types.shape(schema, self.id, Direction::Input)?;
        Ok(Argument {
            place: Place::Body,
            member: Member {
                key: "input".into(),
                shape,
                required: said["required"].as_bool().unwrap_or(false),
            },
        })
    }

    /// What it answers where it succeeds. Answers without a body are null, of the scalar `JSON`.
    fn answer(&mut self, said: &'d Value) -> Result<Shape, String> {
        let answers = said["responses"].as_object();
        let successes = answers.into_iter().flatten();
        let success = successes
            .filter(|(status, _)| status.starts_with('2') || *status == "default")
            .min_by_key(|(status, _)| status.as_str());
        let Some((_, answer)) = success else {
            return Ok(self.types.json());
        };
        let answer = resolve(self.document, answer)?;
        match json(&answer["content"]) {
            Some(schema) => self.types.shape(schema, self.id, Direction::Output),
            None => Ok(self.types.json()),
        }
    }
}

/// The schema of the JSON among media types.
fn json(content: &Value) -> Option<&Value> {
    let types: &Map<String, Value> = content.as_object()?;
    let is_json = |media: &str| {
        let media = media.split(';').next().unwrap_or_default().trim();
        media == "application/json" || media.ends_with("+json") || media == "*/*"
    };
    let (_, found) = types.iter().find(|(media, _)| is_json(media))?;
    Some(&found["schema"])
}

/// What a reference within the document stands for.
pub(super) fn resolve<'d>(document: &'d Value, said: &'d Value) -> Result<&'d Value, String> {
    let mut said = said;
    for _ in 0..MAX_HOPS {
        let Some(reference) = said.get("$ref").and_then(Value::as_str) else {
            return Ok(said);
        };
        let found = reference.strip_prefix('#').map(|at| document.pointer(at));
        said = match found {
            Some(Some(found)) => found,
            Some(None) => return Err(format!("{reference} leads nowhere")),
            None => return Err(format!("{reference} is in another document; bundle them")),
        };
    }
    Err("its references go in circles".to_owned())
}

const MAX_HOPS: usize = 32;

/// `/orders/{id}` in pieces.
fn pieces(path: &str) -> Result<Vec<Piece>, String> {
    let wrong = || format!("{path} is no path");
    let sendable = path.starts_with('/')
        && path
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#');
    if !sendable {
        return Err(wrong());
    }
    let mut pieces = Vec::new();
    let mut rest = path;
    while let Some((text, after)) = rest.split_once('{') {
        let (parameter, after) = after.split_once('}').ok_or_else(wrong)?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        pieces.push(Piece::Parameter(parameter.into()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.into()));
    }
    Ok(pieces)
}
