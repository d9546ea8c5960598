//! Errors in the words of callers of language models and of GraphQL.

use bytes::Bytes;
use http::StatusCode;
use weir_protocols::graphql::response::{MediaType, Refusal};
use weir_protocols::llm::Error;
use weir_protocols::llm::error::Kind;
use weir_protocols::{anthropic, gemini, graphql, openai};
use weir_telemetry::Code;

use super::request::Request;
use crate::error::GatewayError;
use crate::runtime::Dialect;

/// An error of our own.
pub(super) fn own(request: &Request, dialect: Dialect, error: &GatewayError) -> Bytes {
    if let Dialect::Graphql(media) = dialect {
        return in_graphql(request, error, |error| {
            let mut out = Vec::new();
            match media {
                MediaType::EventStream => graphql::response::write_events(&mut out, &[error]),
                MediaType::GraphqlResponse | MediaType::Json => {
                    graphql::response::write(&mut out, &[error]);
                }
            }
            out.into()
        });
    }
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let extra = error.member.as_deref().map(|(name, value)| (*name, value));
    self::error(request, dialect, status, &canonical(error), extra)
}

/// An error in a dialect, with a member beyond those it has.
pub(crate) fn error(
    request: &Request,
    dialect: Dialect,
    status: StatusCode,
    error: &Error<'_>,
    extra: Option<(&str, &serde_json::Value)>,
) -> Bytes {
    let mut out = Vec::new();
    let id = request.record.request_id.as_str();
    match dialect {
        Dialect::OpenAi
        | Dialect::Problem
        | Dialect::Graphql(_)
        | Dialect::Grpc(_)
        | Dialect::Rpc => {
            openai::error::write_canonical(&mut out, error, extra);
        }
        Dialect::Anthropic => {
            anthropic::error::write(&mut out, status.as_u16(), error, extra, id);
        }
        Dialect::Gemini => gemini::error::write(&mut out, status.as_u16(), error, extra, id),
    }
    out.into()
}

/// The status of an error of our own. Readers of GraphQL in plain JSON take a body for GraphQL's only if
/// the status is 200 (GraphQL over HTTP, draft), and pages see events only then, so that what is wrong
/// with a document is told in such.
pub(super) fn status(dialect: Dialect, error: &GatewayError) -> StatusCode {
    let of_document = matches!(
        error.code,
        Code::GraphqlDocumentInvalid
            | Code::GraphqlLimitExceeded
            | Code::GraphqlDocumentNotTrusted
            | Code::GraphqlFieldDenied
            | Code::GraphqlSubscriptionRefused
    );
    let status = match dialect {
        Dialect::Graphql(media @ (MediaType::Json | MediaType::EventStream)) if of_document => {
            media.status(Refusal::Document)
        }
        _ => error.code.status(),
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// The media type of an error of our own.
pub(super) const fn content_type(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Problem => "application/problem+json",
        Dialect::OpenAi | Dialect::Anthropic | Dialect::Gemini | Dialect::Rpc => "application/json",
        Dialect::Graphql(media) => media.content_type(),
        // A status is told in the head: see `grpc`.
        Dialect::Grpc(_) => "application/grpc",
    }
}

/// An error of our own as GraphQL tells it, written by `write`.
pub(crate) fn in_graphql<T>(
    request: &Request,
    error: &GatewayError,
    write: impl FnOnce(graphql::response::Error<'_>) -> T,
) -> T {
    let trace = request.record.trace.trace_id_hex();
    let mut extra = vec![
        ("request_id", request.record.request_id.as_str().into()),
        ("trace_id", trace.to_string().into()),
        ("type", request.gateway.runbook_url(error.code).into()),
    ];
    extra.extend(error.member.as_deref().cloned());
    write(graphql::response::Error {
        message: &error.public,
        place: None,
        code: error.code.slug(),
        extra: &extra,
    })
}

/// An error of our own as every dialect can tell it.
pub(crate) fn canonical(error: &GatewayError) -> Error<'_> {
    Error {
        kind: Kind::of_status(error.code.status()),
        message: (&*error.public).into(),
        param: error
            .param
            .as_deref()
            .filter(|param| !param.is_empty())
            .map(Into::into),
        code: Some(error.code.slug().into()),
    }
}
