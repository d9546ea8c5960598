//! What a request has to look like to be a call.

use std::sync::Arc;

use http::header::{ALLOW, HeaderValue};
use http::{Method, Version};
use pingora_http::RequestHeader;
use weir_protocols::grpc::content_type::Wire;
use weir_protocols::grpc::path;
use weir_telemetry::Code;
use weir_telemetry::record::Rpc;

use crate::error::GatewayError;
use crate::proxy::grpc;
use crate::runtime::Dialect;

/// What is told of a request before anything is done with it.
pub(crate) struct Told {
    /// The language its caller reads errors in.
    pub(crate) dialect: Dialect,
    /// What is told of the call, if it is one.
    pub(crate) rpc: Option<Rpc>,
    /// What it calls, where its path does not say that.
    pub(crate) called: Option<Arc<str>>,
}

impl Told {
    /// Of what is no call.
    pub(crate) fn of(dialect: Dialect) -> Self {
        Self {
            dialect,
            rpc: None,
            called: None,
        }
    }
}

/// What is told of a request that is a call, if it is one, in words of gRPC.
pub(in crate::action) fn told(head: &RequestHeader) -> Told {
    let dialect = grpc::dialect(head);
    let is_named = path::parse(head.uri.path()).is_ok();
    let is_call = is_named && matches!(dialect, Dialect::Grpc(_));
    Told {
        rpc: is_call.then(Rpc::default),
        ..Told::of(dialect)
    }
}

/// The wire of a call, or why this is none.
pub(super) fn check(head: &RequestHeader) -> Result<Wire, GatewayError> {
    if head.method != Method::POST {
        let error = GatewayError::public(Code::MethodNotAllowed, "A gRPC call is a POST.");
        return Err(error.header(ALLOW, HeaderValue::from_static("POST")));
    }
    let Some(sent) = grpc::content_type(&head.headers) else {
        return Err(GatewayError::public(
            Code::MediaTypeUnsupported,
            "This route serves gRPC: the body has to be application/grpc, application/grpc-web or \
             application/grpc-web-text.",
        ));
    };
    if sent.wire == Wire::Native && head.version != Version::HTTP_2 {
        return Err(GatewayError::public(
            Code::HttpVersionUnsupported,
            "gRPC needs HTTP/2. Over HTTP/1.1 this route serves gRPC-Web.",
        ));
    }
    match path::parse(head.uri.path()) {
        Ok(_) => Ok(sent.wire),
        Err(fault) => Err(GatewayError::public(
            Code::RouteNotFound,
            format!("Nothing is called: {fault}."),
        )),
    }
}
