//! Errors as callers by gRPC read them: a status in the head where nothing else was sent, and else
//! in trailers. What the call is for is not known here.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use pingora_http::RequestHeader;
use weir_protocols::grpc::content_type::{ContentType, Wire};
use weir_protocols::grpc::status::{Code, details, message};
use weir_protocols::grpc::transcode::response::{Failure, Status};
use weir_telemetry::Code as Slug;
use weir_telemetry::record::RpcStatus;

use super::reply::{self, Reply};
use super::request::Request;
use crate::error::GatewayError;
use crate::runtime::Dialect;

/// How a call ended.
pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(crate) const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// What a request's body is, if it is gRPC's.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<ContentType<'_>> {
    ContentType::parse(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

/// The dialect of whoever sends this head: gRPC's, if it is a call that has an answer in it.
pub(crate) fn dialect(head: &RequestHeader) -> Dialect {
    let wire = content_type(&head.headers).map(|sent| sent.wire);
    match wire {
        Some(wire)
            if head.method == Method::POST
                && (wire != Wire::Native || head.version == Version::HTTP_2) =>
        {
            Dialect::Grpc(wire)
        }
        _ => Dialect::Problem,
    }
}

/// An error as the whole answer: nothing but a head.
pub(super) fn reply(
    request: &Request,
    head: &RequestHeader,
    wire: Wire,
    error: &GatewayError,
) -> Reply {
    let sent = content_type(&head.headers).unwrap_or(ContentType { wire, format: None });
    let mut headers = Vec::with_capacity(8);
    headers.push((CONTENT_TYPE, reply::text(sent.on(wire))));
    headers.extend(fields(request, error));
    headers.push((reply::PROXY_STATUS, reply::proxy_status(error)));
    headers.extend(reply::retry_after(error).map(|after| (RETRY_AFTER, after)));
    headers.extend(error.headers.iter().cloned());
    Reply {
        status: StatusCode::OK,
        headers,
        body: Bytes::new(),
    }
}

/// What says how a call ended that failed by `error`, with the error's name.
pub(crate) fn fields(request: &Request, error: &GatewayError) -> [(HeaderName, HeaderValue); 4] {
    let code = code(error);
    let (reason, runbook) = (
        error.code.slug().to_ascii_uppercase(),
        request.gateway.runbook_url(error.code),
    );
    let trace = request.record.trace.trace_id_hex();
    let details = details::Details {
        code,
        message: &error.public,
        info: Some(details::ErrorInfo {
            reason: &reason,
            domain: "weir",
            metadata: &[
                ("request_id", request.record.request_id.as_str()),
                ("trace_id", &trace),
                ("runbook", &runbook),
            ],
        }),
        retry_after: error.retry_after,
    };
    let text = message::encode(&error.public).into_owned();
    [
        (STATUS, HeaderValue::from(u16::from(code.number()))),
        (MESSAGE, reply::text(text)),
        (DETAILS, reply::text(details::encode(&details))),
        (
            reply::WEIR_ERROR,
            HeaderValue::from_static(error.code.slug()),
        ),
    ]
}

/// An error as what ends a call.
pub(crate) struct Own<'a> {
    code: Code,
    message: &'a str,
    details: HeaderValue,
}

impl<'a> Own<'a> {
    /// As its fields would say it.
    pub(crate) fn of(request: &Request, error: &'a GatewayError) -> Self {
        let [_, _, (_, details), _] = fields(request, error);
        Self {
            code: code(error),
            message: &error.public,
            details,
        }
    }

    /// As who writes JSON of it takes it.
    pub(crate) fn status(&self) -> Status<'_> {
        Status {
            code: self.code,
            message: self.message,
            details: self.details.as_bytes(),
        }
    }
}

/// An error as a google.rpc.Status in JSON, for who calls by that.
pub(super) fn json(request: &Request, error: &GatewayError) -> Bytes {
    Failure::of(&Own::of(request, error).status()).json
}

/// A status as the record holds it.
pub(crate) fn record(code: Code) -> RpcStatus {
    RpcStatus {
        number: code.number(),
        name: code.name(),
    }
}

/// Writes down that a call failed by `error`.
pub(super) fn failed(request: &mut Request, error: &GatewayError) {
    if let Some(call) = &mut request.record.rpc {
        call.status = Some(record(code(error)));
    }
}

/// Writes down how a call ended of which nobody said so: it was broken off, or a policy answered it.
pub(super) fn settle(request: &mut Request) {
    let (failure, status) = (request.record.code, request.record.status);
    if let Some(call) = &mut request.record.rpc
        && call.status.is_none()
    {
        let code = failure.map_or(Code::from_http(status), of);
        call.status = Some(record(code));
    }
}

fn code(error: &GatewayError) -> Code {
    error.rpc.unwrap_or_else(|| of(error.code))
}

/// What each of our errors is in gRPC.
///
/// | gRPC | when |
/// |---|---|
/// | `CANCELLED` | the caller left |
/// | `INVALID_ARGUMENT` | what was asked is not what the route takes, or a guard does not let it pass |
/// | `DEADLINE_EXCEEDED` | something took too long, here or behind |
/// | `NOT_FOUND` | a model or a topic is not there |
/// | `ABORTED` | the same is under way already |
/// | `PERMISSION_DENIED` | the caller is known and may not |
/// | `RESOURCE_EXHAUSTED` | a quota is used up, a limit reached, something too large |
/// | `UNIMPLEMENTED` | nothing of the kind is served here |
/// | `INTERNAL` | somebody broke a protocol's rules, or the gateway failed |
/// | `UNAVAILABLE` | what stands behind cannot be reached now |
/// | `DATA_LOSS` | what a subscriber was to get is gone, or is no message |
/// | `UNKNOWN` | nobody said how the call ended |
/// | `UNAUTHENTICATED` | the caller did not prove who it is |
pub(crate) const fn of(slug: Slug) -> Code {
    match slug {
        Slug::ClientDisconnected => Code::Cancelled,
        Slug::RequestBodyInvalid
        | Slug::QueryInvalid
        | Slug::CursorInvalid
        | Slug::ExpectationFailed
        | Slug::GraphqlDocumentInvalid
        | Slug::GraphqlLimitExceeded
        | Slug::WebsocketHandshakeInvalid
        | Slug::WebsocketFrameInvalid
        | Slug::WebsocketMessageInvalid
        | Slug::PromptDenied
        | Slug::CompletionDenied
        | Slug::GuardDenied
        | Slug::IdempotencyKeyInvalid
        | Slug::IdempotencyKeyReused
        | Slug::KafkaRecordInvalid
        | Slug::KafkaRecordRejected => Code::InvalidArgument,
        Slug::IdempotencyInProgress => Code::Aborted,
        Slug::RequestHeadTimeout
        | Slug::RequestBodyTimeout
        | Slug::ConnectionTimeout
        | Slug::HttpResponseTimeout
        | Slug::ResponseStalled
        | Slug::RequestDeadlineExceeded
        | Slug::KafkaReplyTimeout
        | Slug::KafkaOutcomeUnknown => Code::DeadlineExceeded,
        Slug::SubscriberTooSlow => Code::ResourceExhausted,
        Slug::TablePreconditionFailed | Slug::TablePreconditionRequired => Code::FailedPrecondition,
        Slug::ModelNotFound
        | Slug::KafkaTopicUnknown
        | Slug::KafkaReplyGone
        | Slug::TableKeyUnknown
        | Slug::StatusUrlInvalid => Code::NotFound,
        Slug::ConsumerDenied
        | Slug::KafkaIdentityMissing
        | Slug::KafkaTopicDenied
        | Slug::ModelNotAllowed
        | Slug::AddressDenied
        | Slug::OriginDenied
        | Slug::GraphqlDocumentNotTrusted
        | Slug::GraphqlFieldDenied
        | Slug::GraphqlSubscriptionRefused => Code::PermissionDenied,
        Slug::RequestHeadTooLarge
        | Slug::RequestTooLarge
        | Slug::MessageTooLarge
        | Slug::WebsocketMessageTooLarge
        | Slug::WebsocketRateExceeded
        | Slug::ResponseMessageTooLarge
        | Slug::QuotaExhausted
        | Slug::ModelLimitReached
        | Slug::ProviderRateLimited
        | Slug::KafkaRecordTooLarge => Code::ResourceExhausted,
        Slug::RouteNotFound
        | Slug::MethodRefused
        | Slug::MethodNotAllowed
        | Slug::MediaTypeUnsupported
        | Slug::UpgradeRequired
        | Slug::HttpVersionUnsupported => Code::Unimplemented,
        Slug::RequestHeadMalformed
        | Slug::RequestBodyMalformed
        | Slug::InternalError
        | Slug::HttpResponseIncomplete
        | Slug::HttpProtocolError
        | Slug::ProviderCredentialRejected
        | Slug::ProviderError
        | Slug::ProviderResponseInvalid
        | Slug::ModelOutputInvalid
        | Slug::WebsocketUpstreamInvalid
        | Slug::SchemaUnusable
        | Slug::KafkaReplyInvalid
        | Slug::KafkaAccessRefused
        | Slug::GrpcMessageInvalid => Code::Internal,
        Slug::GuardUnavailable
        | Slug::QuotaStoreUnavailable
        | Slug::ConnectionLimit
        | Slug::Draining
        | Slug::ConnectionRefused
        | Slug::ConnectionTerminated
        | Slug::DestinationUnroutable
        | Slug::DestinationUnavailable
        | Slug::ConnectionLimitReached
        | Slug::BreakerOpen
        | Slug::DnsError
        | Slug::TlsProtocolError
        | Slug::TlsCertificateError
        | Slug::StreamRefused
        | Slug::ProviderOverloaded
        | Slug::KafkaUnavailable
        | Slug::KafkaQueueFull
        | Slug::IdempotencyStoreUnavailable
        | Slug::KafkaPrincipalsExhausted
        | Slug::SpoolFull
        | Slug::TableNotReady
        | Slug::TableTooLarge
        | Slug::SpoolUnavailable
        | Slug::SchemaRegistryUnavailable => Code::Unavailable,
        Slug::KafkaRecordsExpired | Slug::KafkaRecordUndecodable => Code::DataLoss,
        Slug::GrpcStatusMissing => Code::Unknown,
        Slug::CredentialMissing | Slug::CredentialInvalid | Slug::CredentialExpired => {
            Code::Unauthenticated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, version: Version, media: &str) -> RequestHeader {
        let mut head = RequestHeader::build(method, b"/a.B/C", None).expect("a request");
        head.set_version(version);
        head.insert_header(CONTENT_TYPE, media).expect("a header");
        head
    }

    #[test]
    fn a_call_is_answered_in_grpc_where_it_can_be() {
        for (method, version, media, dialect) in [
            (
                "POST",
                Version::HTTP_2,
                "application/grpc+proto",
                Dialect::Grpc(Wire::Native),
            ),
            (
                "POST",
                Version::HTTP_11,
                "application/grpc",
                Dialect::Problem,
            ),
            (
                "POST",
                Version::HTTP_11,
                "application/grpc-web",
                Dialect::Grpc(Wire::Web),
            ),
            ("GET", Version::HTTP_2, "application/grpc", Dialect::Problem),
            ("POST", Version::HTTP_2, "text/plain", Dialect::Problem),
        ] {
            let head = head(method, version, media);
            assert_eq!(
                super::dialect(&head),
                dialect,
                "{method} {version:?} {media}"
            );
        }
    }

    #[test]
    fn no_error_of_ours_is_ok() {
        for slug in Slug::ALL {
            assert_ne!(of(*slug), Code::Ok, "{slug}");
        }
        // One's own fault is never said to go away by itself.
        let retried = Slug::ALL
            .iter()
            .filter(|slug| of(**slug) == Code::Unavailable);
        for slug in retried {
            assert!(slug.status() >= 500, "{slug}");
        }
    }
}
