//! `routes[].graphql.compose`, checked: one graph from what its sources' documents say.
//!
//! | Module | Knows |
//! |---|---|
//! | `model` | a graph, and what each of its root fields calls |
//! | `openapi` | operations of OpenAPI documents |
//! | `types` | their schemas |
//! | `grpc` | methods of gRPC services |
//! | `messages` | what those take and answer |
//! | `graphql` | root fields of GraphQL schemas |
//! | `definitions` | their types |
//! | `introspection` | what servers say of their schemas |
//! | `part` | what one source gives, under names that no other has |
//! | `link` | fields between sources |
//! | `feed` | fields that the records of topics feed |
//! | `name` | which names GraphQL takes |
//! | `sdl` | the definition language |

mod definitions;
mod feed;
mod graphql;
#[cfg(test)]
mod graphql_tests;
mod grpc;
mod introspection;
mod link;
mod messages;
mod model;
mod name;
mod openapi;
mod part;
mod sdl;
#[cfg(test)]
mod tests;
mod types;

use std::sync::Arc;

use http::HeaderName;
pub use model::{
    Argument, Asked, Composed, Endpoint, Feed, Field, Given, Interface, Link, Member, Operation,
    Piece, Place, Root, Shape, Source, Taken, Type, Way,
};
use part::{Names, Part};
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
        let hint = "give a source that has something to read, or show it";
        cx.fault(&at.key("sources"), "the graph has no query", hint);
        return None;
    }
    for (index, feed) in raw.feeds.iter().enumerate() {
        feed::check(cx, &at.key("feeds").index(index), feed, around, &mut graph);
    }
    for (index, link) in raw.links.iter().enumerate() {
        link::check(cx, &at.key("links").index(index), link, &mut graph);
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
    let raw::Shared {
        name,
        upstream,
        prefix,
        rename,
        headers,
    } = raw.shared();
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
    let names = Names::new(prefix, rename);
    let part = match raw {
        raw::Source::Openapi {
            document,
            operations,
            ..
        } => check_openapi(cx, at, document, operations.as_deref(), number, &names),
        raw::Source::Grpc {
            upstream,
            descriptors,
            methods,
            queries,
            ..
        } => {
            let said = grpc::Said {
                upstream: &upstream.0,
                descriptors,
                methods: methods.as_deref(),
                queries,
            };
            grpc::check(cx, at, &said, number, &names)
        }
        raw::Source::Graphql {
            schema,
            path,
            fields,
            ..
        } => {
            let said = graphql::Said {
                schema,
                path,
                fields: fields.as_deref(),
            };
            graphql::check(cx, at, &said, number, &names)
        }
    };
    if let Some(part) = part {
        part::add(cx, at, part, &names, graph);
    }
}

/// The part of a REST API.
fn check_openapi(
    cx: &mut Checker<'_>,
    at: &At,
    document: &str,
    operations: Option<&[String]>,
    source: usize,
    names: &Names<'_>,
) -> Option<Part> {
    let at_document = at.key("document");
    let document = match openapi::parse(document) {
        Ok(document) => document,
        Err(why) => {
            let message = format!("this is no OpenAPI 3 document: {why}");
            cx.fault(&at_document, message, "give one, as ${file:openapi.yaml}");
            return None;
        }
    };
    let known = openapi::ids(&document);
    for (index, wanted) in operations.into_iter().flatten().enumerate() {
        if !known.contains(wanted) {
            let message = format!("the document has no operation \"{wanted}\"");
            let hint = suggest(wanted, known.iter().map(String::as_str));
            cx.fault(&at.key("operations").index(index), message, hint);
        }
    }
    let naming = |ty: &str| names.ty(ty);
    let mut types = types::Types::new(&document, &naming);
    let wanted = |id: &str| operations.is_none_or(|all| all.iter().any(|wanted| wanted == id));
    let mut wrong = Vec::new();
    let roots = openapi::roots(&document, source, &wanted, &mut types, &mut wrong);
    for wrong in wrong {
        let hint = "mend it, or leave it out of `operations`";
        cx.fault(&at_document, wrong, hint);
    }
    Some(Part {
        types: types.made,
        roots,
    })
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
