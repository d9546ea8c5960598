//! The method of gRPC that a route answers itself, checked: it is there, and the route is reached by its path.

pub mod publish;
pub mod subscribe;

use std::sync::Arc;

use weir_protocols::grpc::descriptor::{Limits, Pool};
use weir_protocols::grpc::transcode::Message;

use super::actions::Around;
use super::matches::Path;
use crate::config::check::{At, Checker};
use crate::config::raw::grpc_method::Value;
use crate::grpc_events;

/// A method that a route answers.
#[derive(Debug, Clone)]
pub struct Method {
    /// What calls of it are sent to: `/package.Service/Method`.
    pub path: Arc<str>,
    /// The type of its requests.
    pub input: Message,
    /// The type of its answers.
    pub output: Message,
    /// Whether it takes any number of messages.
    pub client_streaming: bool,
    /// Whether it answers with any number of messages.
    pub server_streaming: bool,
}

/// Looks up the method of this name, in a file of descriptors or among Weir's own.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    (name, descriptors): (&str, Option<&str>),
    around: &Around<'_>,
) -> Option<Method> {
    let file = descriptors.map(|file| (at.key("descriptors"), file));
    let pool = match &file {
        Some((at, file)) => read(cx, at, file)?,
        None => own(cx, at)?,
    };
    let path = format!("/{name}");
    let Some(method) = pool.method(&path) else {
        let whose = match &file {
            Some((_, file)) => format!("\"{file}\""),
            None => "weir.events.v1".to_owned(),
        };
        let names: Vec<&str> = pool.methods().map(|method| &method.path[1..]).collect();
        let message = format!(
            "{whose} has no method \"{name}\"; it has {}",
            names.join(", ")
        );
        let hint = match file {
            Some(_) => "write it as package.Service/Method",
            None => "name one of them, or the file that has it in `descriptors`",
        };
        cx.fault(&at.key("method"), message, hint);
        return None;
    };
    if around
        .paths
        .iter()
        .flatten()
        .all(|known| !reaches(known, &path))
        && !around.paths.is_empty()
    {
        let message =
            format!("no match of the route is reached by calls of it, which are sent to {path}");
        let (service, method) = name.split_once('/').unwrap_or_default();
        let hint = format!("match on `rpc: {{ service: {service}, method: {method} }}`");
        cx.fault(&at.key("method"), message, hint);
    }
    Some(Method {
        input: pool.message(method.input())?,
        output: pool.message(method.output())?,
        client_streaming: method.client_streaming,
        server_streaming: method.server_streaming,
        path: path.into(),
    })
}

fn read(cx: &mut Checker<'_>, at: &At, file: &str) -> Option<Pool> {
    let set = cx.read(at, file)?;
    let pool = Pool::read(&set, Limits::default());
    pool.map_err(|fault| {
        let hint = "write it with `protoc --include_imports --descriptor_set_out` or `buf build`";
        cx.fault(at, format!("\"{file}\" cannot be used: {fault}"), hint);
    })
    .ok()
}

fn own(cx: &mut Checker<'_>, at: &At) -> Option<Pool> {
    let pool = grpc_events::pool();
    pool.map_err(|why| cx.fault(at, why, "name a file in `descriptors`"))
        .ok()
        .cloned()
}

/// Whether requests to `path` may be for this match.
fn reaches(known: &Path, path: &str) -> bool {
    match known {
        Path::Exact(exact) => **exact == *path,
        Path::Prefix(prefix) => path
            .strip_prefix(&**prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        Path::Template(_) => true,
    }
}

/// What values are to be: what is said, unless something else says it.
fn check_value(
    cx: &mut Checker<'_>,
    at: &At,
    (said, by_schema): (Option<Value>, bool),
    unsaid: Option<&'static str>,
) -> Value {
    let unsaid = unsaid.or(by_schema.then_some("`schema` says already what values are"));
    if let (Some(why), Some(_)) = (unsaid, said) {
        cx.fault(&at.key("value"), why, "leave it out");
    }
    match by_schema {
        true => Value::Json,
        false => said.unwrap_or_default(),
    }
}
