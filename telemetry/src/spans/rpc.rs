//! A remote procedure call on spans, by OpenTelemetry's conventions for RPC and gRPC.

use super::text;
use crate::record::{Record, Rpc, RpcStatus};
use opentelemetry::KeyValue;

/// What is called, as in `package.Service/Method`: the name of the span.
pub(super) fn name(record: &Record) -> Option<&str> {
    record.rpc.map(|_| record.rpc_method())
}

/// What the caller was told, on the SERVER span.
pub(super) fn served(record: &Record, call: &Rpc) -> Vec<KeyValue> {
    let mut attributes = of(record, call.status);
    for (key, count) in [
        ("weir.rpc.request.messages", call.request_messages),
        ("weir.rpc.response.messages", call.response_messages),
    ] {
        attributes.push(super::number(key, count));
    }
    attributes
}

/// What was called and how that ended.
pub(super) fn of(record: &Record, status: Option<RpcStatus>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("rpc.system.name", "grpc"),
        text("rpc.method", record.rpc_method()),
    ];
    if let Some(status) = status {
        attributes.push(KeyValue::new("rpc.response.status_code", status.name));
    }
    attributes
}
