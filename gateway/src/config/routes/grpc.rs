//! `routes[].grpc`, checked.

use std::sync::Arc;
use std::time::Duration;

use weir_protocols::grpc::descriptor::{Limits, Pool};
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::transcode::response::{Options, Stream};
use weir_protocols::grpc::transcode::route::Fault;
use weir_protocols::grpc::transcode::{Route, Table};

use super::actions::Around;
use super::destination::{self, Destination};
use crate::config::check::{At, Checker};
use crate::config::raw::grpc as raw;
use crate::config::raw::routes::Rewrite;
use crate::config::raw::upstreams::Protocol;
use crate::config::units::Size;

/// Passes gRPC calls to an upstream.
#[derive(Debug, Clone)]
pub struct Grpc {
    /// Where to: upstreams that speak HTTP/2. The path is left as it is.
    pub to: Destination,
    /// The longest a call may take.
    pub timeout: Option<Duration>,
    /// The longest message of a caller, in bytes.
    pub max_request: u32,
    /// The longest of an upstream.
    pub max_response: u32,
    /// Statuses after which a call is tried again.
    pub retry_on: Vec<Code>,
    /// What is known of the methods, where they are called by HTTP and JSON as well.
    pub transcoding: Option<Transcoding>,
}

/// Calls by HTTP and JSON.
#[derive(Debug, Clone)]
pub struct Transcoding {
    /// Which requests are for which methods.
    pub table: Arc<Table>,
    /// How answers of many messages are sent to callers who do not say.
    pub stream: Stream,
    /// How messages become JSON.
    pub options: Options,
}

/// Checks what a `grpc` action says.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Grpc,
    around: &Around<'_>,
) -> Option<Grpc> {
    let rewrite = raw.rewrite.as_ref().map(|rewrite| Rewrite {
        path: None,
        host: rewrite.host.clone(),
    });
    let to = destination::check(cx, at, &raw.backends, rewrite.as_ref(), around);
    for (index, backend) in raw.backends.iter().enumerate() {
        let name = &backend.upstream.0;
        if cx.protocol_of(name) == Some(Protocol::Http1) {
            let message = format!("the upstream \"{name}\" speaks http1, and gRPC is HTTP/2");
            let hint = "give it `protocol: http2`";
            cx.fault(
                &at.key("backends").index(index).key("upstream"),
                message,
                hint,
            );
        }
    }
    let max = &raw.max_message;
    let mut retry_on = Vec::new();
    for (index, status) in raw.retries.on.iter().enumerate() {
        let code = code(*status);
        if retry_on.contains(&code) {
            let at = at.key("retries").key("on").index(index);
            cx.fault(&at, "this is given twice", "leave one out");
        }
        retry_on.push(code);
    }
    let transcoding = match &raw.transcoding {
        Some(raw) => check_transcoding(cx, &at.key("transcoding"), raw).map(Some),
        None => Some(None),
    };
    Some(Grpc {
        to: to?,
        timeout: raw.timeout.map(|timeout| timeout.0),
        max_request: bytes(max.request),
        max_response: max.response.map_or(u32::MAX, bytes),
        retry_on,
        transcoding: transcoding?,
    })
}

fn check_transcoding(cx: &mut Checker<'_>, at: &At, raw: &raw::Transcoding) -> Option<Transcoding> {
    let at = at.key("descriptors");
    let set = cx.read(&at, &raw.descriptors)?;
    let file = &raw.descriptors;
    let table = match Pool::read(&set, Limits::default()) {
        Ok(pool) => table(&pool, raw.plain).map_err(|fault| (fault.to_string(), "mend the rule")),
        Err(fault) => {
            let hint =
                "write it with `protoc --include_imports --descriptor_set_out` or `buf build`";
            Err((fault.to_string(), hint))
        }
    };
    let table = match table {
        Ok(table) => table,
        Err((fault, hint)) => {
            cx.fault(&at, format!("\"{file}\" cannot be used: {fault}"), hint);
            return None;
        }
    };
    if table.routes().is_empty() {
        let message = format!("no method in \"{file}\" has a rule of google.api.http");
        let hint = "add rules, or say `plain: true` to call methods by their names";
        cx.fault(&at, message, hint);
        return None;
    }
    Some(Transcoding {
        table: Arc::new(table),
        stream: match raw.stream {
            raw::Stream::Ndjson => Stream::Lines,
            raw::Stream::Sse => Stream::Events,
        },
        options: Options {
            always_print_defaults: raw.json.defaults,
            preserve_field_names: raw.json.proto_names,
            enums_as_numbers: raw.json.enum_numbers,
            longs_as_numbers: false,
        },
    })
}

/// All ways by which the methods of a set are called.
fn table(pool: &Pool, plain: bool) -> Result<Table, Fault> {
    let mut routes = Vec::new();
    for method in pool.methods() {
        routes.extend(Route::of(method)?);
        if plain {
            routes.push(Route::plain(method)?);
        }
    }
    Table::build(routes)
}

/// A message's length is said in 32 bits: more than those hold is no limit.
fn bytes(size: Size) -> u32 {
    u32::try_from(size.0).unwrap_or(u32::MAX)
}

fn code(status: raw::Status) -> Code {
    match status {
        raw::Status::Aborted => Code::Aborted,
        raw::Status::Cancelled => Code::Cancelled,
        raw::Status::DeadlineExceeded => Code::DeadlineExceeded,
        raw::Status::Internal => Code::Internal,
        raw::Status::ResourceExhausted => Code::ResourceExhausted,
        raw::Status::Unavailable => Code::Unavailable,
        raw::Status::Unknown => Code::Unknown,
    }
}
