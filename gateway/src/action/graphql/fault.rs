//! What callers are told: each refusal by its code, with what to do about it. Never repeats what was
//! sent.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use weir_protocols::graphql::limits::Exceeded;
use weir_protocols::graphql::response::{self, MediaType, Refusal};
use weir_protocols::graphql::{Fault, Place, RequestFault};
use weir_telemetry::Code;

use super::examine::Unknown;
use crate::error::GatewayError;
use crate::proxy::{Reply, Request};
use crate::runtime::Dialect;

/// It is no request for GraphQL.
pub(super) fn malformed(wrong: &RequestFault) -> GatewayError {
    GatewayError::public(Code::RequestBodyInvalid, wrong.to_string()).param(wrong.path.as_str())
}

/// Something is wrong with its document.
pub(super) fn document(wrong: &Fault) -> GatewayError {
    match wrong {
        Fault::Exceeded(limit) => exceeded(limit),
        _ => GatewayError::public(Code::GraphqlDocumentInvalid, wrong.to_string()),
    }
}

/// It is too much.
pub(super) fn exceeded(exceeded: &Exceeded) -> GatewayError {
    let Exceeded { limit, found, max } = exceeded;
    let mut error = GatewayError::public(Code::GraphqlLimitExceeded, exceeded.to_string())
        .source(format_args!("{}: {found}, at most {max}", limit.name()));
    let figures = json!({ "name": limit.name(), "max": max, "found": found });
    error.member = Some(Box::new(("limit", figures)));
    error
}

/// It came by GET, and does more than read.
pub(super) fn not_by_get() -> GatewayError {
    let public = "By GET nothing is changed; send this mutation by POST.";
    let error = GatewayError::public(Code::MethodNotAllowed, public);
    error.header(ALLOW, HeaderValue::from_static("POST"))
}

/// It is a subscription, or would open a connection for such, and the route has none.
pub(super) fn no_subscriptions() -> GatewayError {
    GatewayError::public(
        Code::GraphqlSubscriptionRefused,
        "This route takes no subscriptions; ask for what is there now by a query.",
    )
}

/// A subscription came by a request that wants one answer.
pub(super) fn not_by_one_answer() -> GatewayError {
    GatewayError::public(
        Code::GraphqlSubscriptionRefused,
        "What a subscription gives are events: send one with `Accept: text/event-stream`, and not in a \
         batch, or on a WebSocket of graphql-transport-ws.",
    )
}

/// The route does not run its document.
pub(super) fn not_trusted() -> GatewayError {
    GatewayError::public(
        Code::GraphqlDocumentNotTrusted,
        "This route runs the documents it knows, and this is none of them; send one that your \
         release registered, as it was registered.",
    )
}

/// It asks for a field that its caller may not see.
pub(super) fn denied(Place { line, column }: Place) -> GatewayError {
    let public = format!(
        "The field at line {line}, column {column} is not for this caller; leave it out, or ask for \
         access to it."
    );
    GatewayError::public(Code::GraphqlFieldDenied, public)
}

/// It asks for the schema, which its caller may not see.
pub(super) fn closed() -> GatewayError {
    GatewayError::public(
        Code::GraphqlFieldDenied,
        "The schema is not shown to this caller; leave `__schema` and `__type` out.",
    )
}

/// The answer to a document that was named and is not known, in the words that clients know it by.
pub(super) fn unknown(request: &Request, unknown: Unknown) -> Reply {
    let media = match request.dialect {
        Dialect::Graphql(media) => media,
        _ => MediaType::Json,
    };
    let one = unknown_error(request, unknown, |error| {
        let mut one = Vec::new();
        match media {
            MediaType::EventStream => response::write_events(&mut one, &[error]),
            MediaType::GraphqlResponse | MediaType::Json => response::write(&mut one, &[error]),
        }
        one
    });
    let body = match unknown.batch {
        Some(requests) if media != MediaType::EventStream => {
            // A client looks for as many answers as it sent requests.
            [&b"["[..], &vec![one; requests].join(&b','), b"]"].concat()
        }
        _ => one,
    };
    let status = StatusCode::from_u16(media.status(Refusal::Document));
    Reply {
        status: status.unwrap_or(StatusCode::BAD_REQUEST),
        headers: vec![
            (CONTENT_TYPE, HeaderValue::from_static(media.content_type())),
            // Sent in full, the same name will be known.
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ],
        body: body.into(),
    }
}

/// The same as `write` tells it.
pub(super) fn unknown_error(
    request: &Request,
    unknown: Unknown,
    write: impl FnOnce(response::Error<'_>) -> Vec<u8>,
) -> Vec<u8> {
    let (message, code) = match unknown.kept {
        true => ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND"),
        false => (
            "PersistedQueryNotSupported",
            "PERSISTED_QUERY_NOT_SUPPORTED",
        ),
    };
    let id = [("request_id", request.record.request_id.as_str().into())];
    write(response::Error {
        message,
        place: None,
        code,
        extra: &id,
    })
}
