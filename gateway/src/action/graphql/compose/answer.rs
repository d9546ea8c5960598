//! What callers are told of operations that were run here.

use async_graphql::{BatchResponse, Response, Value};
use async_graphql_value::indexmap::IndexMap;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value as Json;
use weir_protocols::graphql::response::{self, MediaType};
use weir_telemetry::Code;

use crate::error::GatewayError;
use crate::proxy::{Reply, Request};
use crate::runtime::Dialect;

/// The answer as a reply by HTTP.
pub(super) fn reply(request: &Request, answers: BatchResponse) -> Result<Reply, GatewayError> {
    let mut body = body(request, answers)?;
    let media = match request.dialect {
        Dialect::Graphql(media) => media,
        _ => MediaType::Json,
    };
    if media == MediaType::EventStream {
        let result = std::mem::take(&mut body);
        response::write_whole(&mut body, &result);
    }
    Ok(Reply {
        status: StatusCode::OK,
        headers: vec![(CONTENT_TYPE, HeaderValue::from_static(media.content_type()))],
        body: body.into(),
    })
}

/// The answer as JSON. An operation that is not valid by the schema is refused as other documents are,
/// unless it is one of a batch.
pub(in super::super) fn body(
    request: &Request,
    answers: BatchResponse,
) -> Result<Vec<u8>, GatewayError> {
    let body = match answers {
        BatchResponse::Single(one) if !was_run(&one) => return Err(refused(&one)),
        BatchResponse::Single(one) => serde_json::to_vec(&told(request, one)),
        BatchResponse::Batch(all) => {
            let all = all.into_iter().map(|one| told(request, one));
            serde_json::to_vec(&all.collect::<Vec<_>>())
        }
    };
    body.map_err(|error| GatewayError::new(Code::InternalError).source(error))
}

/// Why an operation was not run, if it was not.
pub(super) fn refusal(answer: &Response) -> Option<GatewayError> {
    (!was_run(answer)).then(|| refused(answer))
}

/// Whether it came to running it: errors of fields say which.
fn was_run(answer: &Response) -> bool {
    let of_fields = |error: &async_graphql::ServerError| !error.path.is_empty();
    answer.data != Value::Null || answer.errors.iter().all(of_fields)
}

fn refused(answer: &Response) -> GatewayError {
    let said = answer.errors.first();
    let message = said.map_or("It is not valid.", |error| &error.message);
    let place = said.and_then(|error| error.locations.first());
    let public = match place {
        Some(place) => format!("{message} (line {}, column {})", place.line, place.column),
        None => message.to_owned(),
    };
    GatewayError::public(Code::GraphqlDocumentInvalid, public)
}

/// An answer as it is written: its fields in their order.
#[derive(Serialize)]
struct Told {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

fn told(request: &Request, answer: Response) -> Told {
    let run = was_run(&answer);
    let id = request.record.request_id.as_str();
    let errors = answer.errors.iter().map(|error| {
        let mut error = serde_json::to_value(error).unwrap_or_default();
        if !run {
            error["extensions"]["code"] = Code::GraphqlDocumentInvalid.slug().into();
        }
        error["extensions"]["request_id"] = id.into();
        error
    });
    Told {
        errors: errors.collect(),
        data: run.then(|| match answer.data {
            // Nothing was selected: every field was left out by `@skip`.
            Value::Null => Value::Object(IndexMap::new()),
            data => data,
        }),
    }
}
