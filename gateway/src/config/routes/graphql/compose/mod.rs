//! `routes[].graphql.compose`, checked: one graph from what its sources' documents say.
//!
//! | Module | Knows |
//! |---|---|
//! | `model` | a graph, and what each of its root fields calls |
//! | `openapi` | operations of OpenAPI documents |
//! | `types` | their schemas |
//! | `name` | which names GraphQL takes |
//! | `sdl` | the definition language |

mod model;
mod name;
mod openapi;
mod sdl;
#[cfg(test)]
mod tests;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, Method};
pub use model::{
    Argument, Composed, Field, Given, Link, Member, Operation, Piece, Place, Shape, Source, Type,
};
pub(crate) use types::{JSON, LONG};
use weir_protocols::graphql::schema::Schema;

use crate::config::check::{At, Checker, Noun};
use crate::config::fault::suggest;
use crate::config::raw::compose as raw;
use crate::config::routes::actions::Around;

/// Checks what a composed graph is made of; with its schema, by which fields are told.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Compose,
    around: &Around<'_>,
) -> Option<(Composed, Arc<Schema>)> {
    let faults = cx.faults.len();
    let mut graph = Composed {
        max_calls: raw.max_calls,
        ..Composed::default()
    };
    for (index, source) in raw.sources.iter().enumerate() {
        check_source(
            cx,
            &at.key("sources").index(index),
            source,
            around,
            &mut graph,
        );
    }
    if cx.faults.len() > faults {
        return None;
    }
    if graph.query.is_empty() {
        let hint = "give a source that has a GET operation, or expose one";
        cx.fault(&at.key("sources"), "the graph has no query", hint);
        return None;
    }
    for (index, link) in raw.links.iter().enumerate() {
        check_link(cx, &at.key("links").index(index), link, &mut graph);
    }
    match Schema::parse(&sdl::print(&graph)) {
        Ok(schema) => Some((graph, Arc::new(schema))),
        Err(fault) => {
            let message = format!("the sources make no schema: {fault}");
            cx.fault(&at.key("sources"), message, "rename what it names");
            None
        }
    }
}

fn check_source(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Source,
    around: &Around<'_>,
    graph: &mut Composed,
) {
    let raw::Source::Openapi {
        name,
        upstream,
        document,
        prefix,
        rename,
        operations,
        headers,
    } = raw;
    if graph.sources.iter().any(|other| *other.name == *name.0) {
        let message = format!("two sources are called \"{}\"", name.0);
        cx.fault(&at.key("name"), message, "rename one");
    }
    let upstream = cx.resolve(
        &at.key("upstream"),
        Noun::Upstream,
        &upstream.0,
        around.owner(),
    );
    let headers = check_headers(cx, &at.key("headers"), headers);
    let source = Source {
        name: name.0.as_str().into(),
        upstream: upstream.unwrap_or_default(),
        headers,
    };
    graph.sources.push(source);
    let number = graph.sources.len() - 1;
    let at_document = at.key("document");
    let document = match openapi::parse(document) {
        Ok(document) => document,
        Err(why) => {
            let message = format!("this is no OpenAPI 3 document: {why}");
            cx.fault(&at_document, message, "give one, as ${file:openapi.yaml}");
            return;
        }
    };
    let known = openapi::ids(&document);
    for (index, wanted) in operations.iter().flatten().enumerate() {
        if !known.contains(wanted) {
            let message = format!("the document has no operation \"{wanted}\"");
            let hint = suggest(wanted, known.iter().map(String::as_str));
            cx.fault(&at.key("operations").index(index), message, hint);
        }
    }
    let names = Names {
        prefix: prefix.as_deref().unwrap_or_default(),
        rename,
    };
    let naming = |ty: &str| names.ty(ty);
    let mut made = types::Types::new(&document, &naming);
    let wanted = |id: &str| match operations {
        Some(wanted) => wanted.iter().any(|wanted| wanted == id),
        None => true,
    };
    let mut wrong = Vec::new();
    let roots = openapi::roots(&document, number, &wanted, &mut made, &mut wrong);
    for wrong in wrong {
        cx.fault(
            &at_document,
            wrong,
            "mend it, or leave it out of `operations`",
        );
    }
    let mut used: Vec<String> = Vec::new();
    add_types(cx, at, made.made, &names, graph, &mut used);
    add_roots(cx, at, roots, &names, graph, &mut used);
    unused(cx, &at.key("rename"), rename, &used);
}

fn check_headers(cx: &mut Checker<'_>, at: &At, raw: &[String]) -> Vec<HeaderName> {
    let mut headers = Vec::new();
    for (index, text) in raw.iter().enumerate() {
        match text.parse::<HeaderName>() {
            Ok(name) if !OURS.contains(&name.as_str()) => headers.push(name),
            _ => cx.fault(
                &at.index(index),
                format!("\"{text}\" is no header field that goes along"),
                "name one that says something of the caller, as Authorization",
            ),
        }
    }
    headers
}

/// What a call says by itself.
const OURS: [&str; 12] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "accept-encoding",
    "traceparent",
];

/// What a source's types and fields are called in the graph.
struct Names<'a> {
    prefix: &'a str,
    rename: &'a raw::Rename,
}

impl Names<'_> {
    fn ty(&self, own: &str) -> String {
        let prefix = name::upper_first(self.prefix);
        match self.rename.types.get(own) {
            Some(other) => other.clone(),
            None => format!("{prefix}{own}"),
        }
    }

    fn root(&self, id: &str) -> String {
        let own = name::lower_first(&name::nearest(id));
        match self.prefix {
            "" => own,
            prefix => format!("{}{}", name::lower_first(prefix), name::upper_first(&own)),
        }
    }

    /// The name that a field of a type has in the end.
    fn field(&self, ty: &str, own: &str, used: &mut Vec<String>) -> Arc<str> {
        let key = format!("{ty}.{own}");
        match self.rename.fields.get(&key) {
            Some(other) => {
                used.push(key);
                other.as_str().into()
            }
            None => own.into(),
        }
    }
}

fn add_types(
    cx: &mut Checker<'_>,
    at: &At,
    made: BTreeMap<Arc<str>, Type>,
    names: &Names<'_>,
    graph: &mut Composed,
    used: &mut Vec<String>,
) {
    for (ty, made) in made {
        let made = match made {
            Type::Object(fields) => {
                let named = |(name, field)| (names.field(&ty, name, used), field);
                let fields = fields.iter().map(|(n, f)| (&**n, f.clone()));
                Type::Object(fields.map(named).collect())
            }
            Type::Input(members) => {
                let named = |(name, member)| (names.field(&ty, name, used), member);
                let members = members.iter().map(|(n, m)| (&**n, m.clone()));
                Type::Input(members.map(named).collect())
            }
            other => other,
        };
        let shared = matches!(made, Type::Scalar);
        let taken = BUILT_IN.contains(&&*ty) || (!shared && graph.types.contains_key(&ty));
        if taken || !name::is_name(&ty) {
            let message = format!("the graph cannot have another type \"{ty}\"");
            cx.fault(at, message, "give the source a prefix, or rename the type");
            continue;
        }
        graph.types.insert(ty, made);
    }
}

const BUILT_IN: [&str; 8] = [
    "Query",
    "Mutation",
    "Subscription",
    "Int",
    "Float",
    "String",
    "Boolean",
    "ID",
];

fn add_roots(
    cx: &mut Checker<'_>,
    at: &At,
    roots: Vec<openapi::Root>,
    names: &Names<'_>,
    graph: &mut Composed,
    used: &mut Vec<String>,
) {
    for openapi::Root { id, operation } in roots {
        let (ty, fields) = match operation.method {
            Method::GET => ("Query", &mut graph.query),
            _ => ("Mutation", &mut graph.mutation),
        };
        let name = names.field(ty, &names.root(&id), used);
        if fields.contains_key(&name) || !name::is_name(&name) {
            let message = format!("the graph cannot have another field \"{ty}.{name}\"");
            cx.fault(at, message, "give the source a prefix, or rename the field");
            continue;
        }
        fields.insert(name, Arc::new(operation));
    }
}

/// A new name for what does not exist is a mistake.
fn unused(cx: &mut Checker<'_>, at: &At, rename: &raw::Rename, used: &[String]) {
    for key in rename.fields.keys().filter(|key| !used.contains(key)) {
        let message = format!("the source has no field \"{key}\"");
        let at = at.key("fields").key(key);
        cx.fault(&at, message, "write it as Query.getOrder, with the prefix");
    }
}

fn check_link(cx: &mut Checker<'_>, at: &At, raw: &raw::Link, graph: &mut Composed) {
    let Some(operation) = graph.query.get(raw.query.as_str()).cloned() else {
        let message = format!("the graph has no query \"{}\"", raw.query);
        let hint = suggest(&raw.query, graph.query.keys().map(|name| &**name));
        return cx.fault(&at.key("query"), message, hint);
    };
    let names: Vec<Arc<str>> = graph.types.keys().cloned().collect();
    let Some(Type::Object(fields)) = graph.types.get_mut(raw.ty.as_str()) else {
        let message = format!("the graph has no object type \"{}\"", raw.ty);
        let hint = suggest(&raw.ty, names.iter().map(|name| &**name));
        return cx.fault(&at.key("type"), message, hint);
    };
    let mut arguments = BTreeMap::new();
    for (name, text) in &raw.arguments {
        let at = at.key("arguments").key(name);
        if !operation.arguments.contains_key(name.as_str()) {
            let message = format!("{} takes no argument \"{name}\"", raw.query);
            cx.fault(&at, message, "name one that it takes, or leave it out");
        }
        let parent = text
            .strip_prefix("{parent.")
            .and_then(|t| t.strip_suffix('}'));
        let given = match parent {
            Some(member) => {
                let known = |field: &Field| matches!(field, Field::Member(m) if *m.key == *member);
                if !fields.values().any(known) {
                    let message = format!("what makes a {} has no member \"{member}\"", raw.ty);
                    cx.fault(&at, message, "name one as its source calls it");
                }
                Given::Parent(member.into())
            }
            None => Given::Text(text.as_str().into()),
        };
        arguments.insert(Arc::from(name.as_str()), given);
    }
    for (name, argument) in &operation.arguments {
        if argument.member.required && !arguments.contains_key(name) {
            let message = format!("{} requires the argument \"{name}\"", raw.query);
            cx.fault(&at.key("arguments"), message, "say what it is");
        }
    }
    if fields.contains_key(raw.field.as_str()) || !name::is_name(&raw.field) {
        let message = format!("{} cannot have another field \"{}\"", raw.ty, raw.field);
        return cx.fault(&at.key("field"), message, "call it otherwise");
    }
    let link = Link {
        operation,
        arguments,
    };
    fields.insert(raw.field.as_str().into(), Field::Link(link));
}
