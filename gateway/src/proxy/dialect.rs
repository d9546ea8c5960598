//! Errors in the words of callers of language models.

use bytes::Bytes;
use http::StatusCode;
use weir_protocols::llm::Error;
use weir_protocols::llm::error::Kind;
use weir_protocols::{anthropic, gemini, openai};

use super::request::Request;
use crate::error::GatewayError;
use crate::runtime::Dialect;

/// An error of our own.
pub(super) fn own(request: &Request, dialect: Dialect, error: &GatewayError) -> Bytes {
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
        Dialect::OpenAi | Dialect::Problem => {
            openai::error::write_canonical(&mut out, error, extra);
        }
        Dialect::Anthropic => {
            anthropic::error::write(&mut out, status.as_u16(), error, extra, id);
        }
        Dialect::Gemini => gemini::error::write(&mut out, status.as_u16(), error, extra, id),
    }
    out.into()
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
