//! What goes wrong on the caller's side, by name. It knows no session.

use pingora_error::{BError, ErrorType};
use weir_telemetry::Code;

use crate::error::GatewayError;

/// A body beyond `limit` bytes.
pub(super) fn too_large(limit: u64) -> GatewayError {
    GatewayError::public(
        Code::RequestTooLarge,
        format!("The request body is larger than the {limit} bytes allowed here."),
    )
}

/// A failure of the caller's connection.
pub(super) fn client_fault(error: &BError) -> GatewayError {
    let code = match error.etype() {
        ErrorType::Custom("InvalidChunk" | "InvalidTrailerEnd") | ErrorType::InvalidHTTPHeader => {
            Code::RequestBodyMalformed
        }
        ErrorType::ReadTimedout => Code::RequestBodyTimeout,
        _ => Code::ClientDisconnected,
    };
    GatewayError::new(code).source(error)
}
