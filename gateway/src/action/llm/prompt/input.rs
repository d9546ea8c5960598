//! What callers of a prompt send: JSON that fits the route's schema. A refusal says where it does not
//! and which rule it breaks, never what was sent.

use serde_json::{Map, Value, json};
use weir_telemetry::Code;

use crate::config::routes::prompt::Schema;
use crate::config::routes::prompt::schema::Fault;
use crate::error::GatewayError;

/// Reads an input.
///
/// # Errors
/// If it is no JSON, or does not fit; the member `errors` of the problem says where (RFC 9457, 3).
pub(super) fn read(body: &[u8], schema: &Schema) -> Result<Map<String, Value>, GatewayError> {
    let value = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let detail = format!("The body is not JSON: see line {line}, column {column}.");
        GatewayError::public(Code::RequestBodyInvalid, detail)
    })?;
    schema.check(&value, body.len()).map_err(refused)?;
    match value {
        Value::Object(input) => Ok(input),
        // The schema takes objects only.
        _ => Err(refused(None)),
    }
}

/// Reads an input that fitted, as policies left it.
pub(super) fn again(body: &[u8]) -> Result<Map<String, Value>, GatewayError> {
    serde_json::from_slice(body).map_err(|_| refused(None))
}

fn refused(fault: Option<Fault>) -> GatewayError {
    let Some(fault) = fault else {
        let detail = "The body does not fit the schema of this route's input.";
        return GatewayError::public(Code::RequestBodyInvalid, detail);
    };
    let detail = format!("The body does not fit the schema of this route's input: {fault}.");
    let errors = json!([{ "pointer": fault.pointer, "detail": fault.rule }]);
    let mut error = GatewayError::public(Code::RequestBodyInvalid, detail);
    error.member = Some(Box::new(("errors", errors)));
    error.param(fault.pointer)
}
