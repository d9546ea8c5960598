//! Errors of Bedrock: in the body of an answer, and amid a stream (Amazon Bedrock API Reference,
//! "Common errors" and the errors of `Converse` and `ConverseStream`).

use std::borrow::Cow;

use serde::Deserialize;

use crate::json::Text;
use crate::llm::Error;
use crate::llm::error::Kind;

/// Some services write `Message`, some `message`; the type is in a header or in `__type`.
#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow, rename = "Message")]
    capital: Option<Text<'a>>,
    #[serde(borrow, rename = "__type")]
    kind: Option<Text<'a>>,
    #[serde(rename = "originalStatusCode")]
    original_status: Option<u16>,
}

/// Reads an answer whose status says that it failed. `kind_header` is the value of
/// `x-amzn-errortype`. A body that is no error gives the kind of the status and an empty message.
pub fn read<'a>(status: u16, kind_header: Option<&'a str>, body: &'a [u8]) -> Error<'a> {
    of(status, kind_header.map(Cow::Borrowed), body)
}

/// An exception amid a stream, by the name that its message has.
pub(super) fn exception<'a>(name: &str, body: &'a [u8]) -> Error<'a> {
    of(500, Some(Cow::Owned(name.to_owned())), body)
}

/// An error amid a stream that the service does not describe.
pub(super) fn unmodelled<'a>(code: &'a str, message: &'a str) -> Error<'a> {
    Error {
        message: message.into(),
        ..of(500, Some(Cow::Borrowed(code)), b"")
    }
}

fn of<'a>(status: u16, name: Option<Cow<'a, str>>, body: &'a [u8]) -> Error<'a> {
    let body: Body<'a> = serde_json::from_slice(body).unwrap_or_default();
    let name = name.filter(|name| !name.is_empty());
    let name = name.or_else(|| body.kind.and_then(Text::some)).map(bare);
    let named = name
        .as_deref()
        .and_then(|name| kind(name, body.original_status));
    let message = body.message.or(body.capital);
    Error {
        kind: named.unwrap_or_else(|| Kind::of_status(status)),
        message: message.unwrap_or_default().0,
        param: None,
        code: name,
    }
}

/// Without the namespace before it and the address behind it: `ns#Name:http://…`.
fn bare(name: Cow<'_, str>) -> Cow<'_, str> {
    let cut = |name: &str| {
        let end = name.find(':').unwrap_or(name.len());
        let start = name[..end].rfind('#').map_or(0, |at| at + 1);
        start..end
    };
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[cut(name)]),
        Cow::Owned(name) => Cow::Owned(name[cut(&name)].to_owned()),
    }
}

/// What an exception means, whose name begins small in streams and large elsewhere. `None` if only
/// the status tells.
fn kind(name: &str, original_status: Option<u16>) -> Option<Kind> {
    const NAMES: [(&str, Kind); 20] = [
        ("ThrottlingException", Kind::RateLimited),
        ("TooManyRequestsException", Kind::RateLimited),
        ("ServiceQuotaExceededException", Kind::RateLimited),
        ("ServiceUnavailableException", Kind::Overloaded),
        ("ServiceUnavailable", Kind::Overloaded),
        ("ModelNotReadyException", Kind::Overloaded),
        ("ModelTimeoutException", Kind::Timeout),
        ("InternalServerException", Kind::Internal),
        ("InternalFailure", Kind::Internal),
        ("ValidationException", Kind::InvalidRequest),
        ("ResourceNotFoundException", Kind::NotFound),
        ("AccessDeniedException", Kind::Permission),
        ("UnrecognizedClientException", Kind::Authentication),
        ("InvalidSignatureException", Kind::Authentication),
        ("IncompleteSignatureException", Kind::Authentication),
        ("IncompleteSignature", Kind::Authentication),
        ("MissingAuthenticationTokenException", Kind::Authentication),
        ("InvalidClientTokenId", Kind::Authentication),
        ("ExpiredTokenException", Kind::Authentication),
        ("RequestExpired", Kind::Authentication),
    ];
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("ModelErrorException") || is("ModelStreamErrorException") {
        // The model's own status, where it is told; 424 in any case, which is no fault of the caller.
        return Some(original_status.map_or(Kind::Internal, Kind::of_status));
    }
    let known = NAMES.iter().find(|(known, _)| is(known));
    known.map(|(_, kind)| *kind)
}
