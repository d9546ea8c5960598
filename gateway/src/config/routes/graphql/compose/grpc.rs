//! gRPC services, by a set of descriptors, as parts of a graph: unary methods become root fields, the
//! fields of what they take arguments, and messages types.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_protocols::grpc::descriptor::shape::Kind;
use weir_protocols::grpc::descriptor::{Limits, Method, Pool};
use weir_protocols::grpc::transcode::Route;

use super::messages::{Direction, Messages};
use super::model::{Argument, Member, Operation, Place, Shape, Way};
use super::name;
use super::part::{Names, Part, Root};
use crate::config::check::{At, Checker};
use crate::config::fault::suggest;
use crate::config::raw::upstreams::Protocol;

/// What a source of the kind says for itself.
pub(super) struct Said<'a> {
    /// Who is called.
    pub(super) upstream: &'a str,
    /// The file of descriptors.
    pub(super) descriptors: &'a str,
    /// The methods that are shown.
    pub(super) methods: Option<&'a [String]>,
    /// Those that only read, whatever their options say.
    pub(super) queries: &'a [String],
}

/// The part of a gRPC server.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    said: &Said<'_>,
    source: usize,
    names: &Names<'_>,
) -> Option<Part> {
    if cx.protocol_of(said.upstream) == Some(Protocol::Http1) {
        let upstream = said.upstream;
        let message = format!("the upstream \"{upstream}\" speaks http1, and gRPC is HTTP/2");
        cx.fault(&at.key("upstream"), message, "give it `protocol: http2`");
    }
    let at_descriptors = at.key("descriptors");
    let set = cx.read(&at_descriptors, said.descriptors)?;
    let pool = match Pool::read(&set, Limits::default()) {
        Ok(pool) => pool,
        Err(fault) => {
            let message = format!("\"{}\" cannot be used: {fault}", said.descriptors);
            let hint =
                "write it with `protoc --include_imports --descriptor_set_out` or `buf build`";
            cx.fault(&at_descriptors, message, hint);
            return None;
        }
    };
    let shown = shown(cx, at, said, &pool);
    let mut messages = Messages::new(names);
    let mut roots: Vec<Root> = Vec::new();
    let mut taken: BTreeMap<(bool, String), String> = BTreeMap::new();
    for method in shown {
        let called = called(method);
        let id = names.method(&called, &method.name);
        let reads = only_reads(method) || said.queries.contains(&called);
        if let Some(other) = taken.insert((reads, id.clone()), called.clone()) {
            let message = format!("{other} and {called} would both be called {id}");
            let hint = "say `rename: { fields: { package.Service/Method: other } }`, or `methods`";
            cx.fault(&at_descriptors, message, hint);
            continue;
        }
        match operation(method, reads, source, &mut messages) {
            Ok(operation) => roots.push(Root {
                id,
                reads,
                operation,
            }),
            Err(why) => {
                let message = format!("{called}: {why}");
                cx.fault(&at_descriptors, message, "leave it out of `methods`");
            }
        }
    }
    Some(Part {
        types: messages.made,
        roots,
    })
}

/// `package.Service/Method`.
fn called(method: &Method) -> String {
    format!("{}/{}", method.service, method.name)
}

/// Whether a method says that it changes nothing, or is called by GET.
fn only_reads(method: &Method) -> bool {
    method.only_reads || method.rules.iter().any(|rule| rule.http_method == "GET")
}

const fn is_unary(method: &Method) -> bool {
    !method.client_streaming && !method.server_streaming
}

/// The methods that become fields. No two of them have one name.
fn shown<'p>(
    cx: &mut Checker<'_>,
    at: &At,
    said: &Said<'_>,
    pool: &'p Pool,
) -> Vec<&'p Arc<Method>> {
    let known: Vec<String> = pool.methods().map(|method| called(method)).collect();
    for (key, wanted) in [("methods", said.methods), ("queries", Some(said.queries))] {
        for (index, wanted) in wanted.into_iter().flatten().enumerate() {
            let at = at.key(key).index(index);
            match pool.methods().find(|method| called(method) == *wanted) {
                None => {
                    let message = format!("the descriptors have no method \"{wanted}\"");
                    let hint = suggest(wanted, known.iter().map(String::as_str));
                    cx.fault(&at, message, hint);
                }
                Some(method) if !is_unary(method) => {
                    let message =
                        format!("{wanted} streams, and a field is asked and answered once");
                    cx.fault(&at, message, "leave it out");
                }
                Some(_) => {}
            }
        }
    }
    let is_shown = |method: &&Arc<Method>| {
        let listed = |all: &[String]| all.contains(&called(method));
        is_unary(method) && said.methods.is_none_or(listed)
    };
    let shown: Vec<_> = pool.methods().filter(is_shown).collect();
    for (index, query) in said.queries.iter().enumerate() {
        let hidden = known.contains(query) && !shown.iter().any(|method| called(method) == *query);
        if hidden && said.methods.is_some() {
            let message = format!("{query} is not among `methods`");
            cx.fault(&at.key("queries").index(index), message, "add it there");
        }
    }
    shown
}

/// What calls a method.
fn operation(
    method: &Arc<Method>,
    reads: bool,
    source: usize,
    messages: &mut Messages<'_>,
) -> Result<Operation, String> {
    let route = Route::json(method).map_err(|fault| fault.to_string())?;
    let mut arguments = BTreeMap::new();
    match method.takes() {
        Kind::Object(message) => {
            for field in message.fields() {
                let member = messages.member(&field, Direction::Input)?;
                let place = Place::Field;
                let name = Arc::from(name::nearest(&field.name));
                arguments.insert(name, Argument { place, member });
            }
        }
        Kind::Empty => {}
        whole => {
            let member = Member {
                key: "input".into(),
                shape: messages.shape(&whole, Direction::Input)?,
                required: false,
            };
            let place = Place::Body;
            arguments.insert("input".into(), Argument { place, member });
        }
    }
    let answer: Shape = messages.shape(&method.gives(), Direction::Output)?;
    Ok(Operation {
        source,
        way: Way::Grpc {
            route: Arc::new(route),
            reads,
        },
        arguments,
        answer,
    })
}
