//! What a request has to look like to be a call.

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

/// What is told of a call, if this is one.
pub(crate) fn told(head: &RequestHeader) -> Option<Rpc> {
    let named = path::parse(head.uri.path()).is_ok();
    let called = named && matches!(grpc::dialect(head), Dialect::Grpc(_));
    called.then(Rpc::default)
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
