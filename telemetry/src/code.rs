//! The closed list of everything that can go wrong, and what each means to the
//! caller and to the engineer on call.
//!
//! One table row is one failure: its slug (the same word in the `Weir-Error`
//! header, `error.type`, the metric label, the access log and the runbook's
//! file name), its HTTP status, whose fault it is, whether a retry by the
//! caller can help, its `Proxy-Status` error token (RFC 9209 §2.3) and one
//! sentence for people. The module does not know where in the gateway a code
//! is raised, nor in which dialect the caller is told.

use std::fmt;
use std::str::FromStr;

/// Who has to act for the failure to go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller sent something it should not have sent.
    Client,
    /// The gateway works; a rule the operator wrote says no.
    Policy,
    /// The gateway itself: its limits, its shutdown, its bugs.
    Gateway,
    /// What stands behind the gateway.
    Upstream,
}

impl Fault {
    /// The word used as a metric label and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Policy => "policy",
            Self::Gateway => "gateway",
            Self::Upstream => "upstream",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

struct Row {
    slug: &'static str,
    status: u16,
    fault: Fault,
    retryable: bool,
    proxy_error: &'static str,
    title: &'static str,
}

macro_rules! codes {
    ($($variant:ident $slug:literal $status:literal $fault:ident $retry:literal $token:literal $title:literal;)*) => {
        /// One way a request can fail. Adding a variant without a runbook page
        /// and a test that provokes it fails the build's contract tests.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        const TABLE: &[Row] = &[$(Row {
            slug: $slug,
            status: $status,
            fault: Fault::$fault,
            retryable: $retry,
            proxy_error: $token,
            title: $title,
        },)*];

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];
            /// How many codes there are; `code as usize` is always below it.
            pub const COUNT: usize = Self::ALL.len();
        }
    };
}

codes! {
    RequestHeadMalformed "request_head_malformed" 400 Client false "http_request_error"
        "The request's head is not valid HTTP.";
    RequestHeadTooLarge "request_head_too_large" 431 Client false "http_request_error"
        "The request's head is larger than the listener accepts.";
    RequestHeadTimeout "request_head_timeout" 408 Client true "http_request_error"
        "The request's head did not arrive in time.";
    HttpVersionUnsupported "http_version_unsupported" 505 Client false "http_request_error"
        "The listener does not speak this version of HTTP.";
    ExpectationFailed "expectation_failed" 417 Client false "http_request_error"
        "The request expects something that the gateway cannot meet.";
    MethodRefused "method_refused" 405 Client false "http_request_denied"
        "The gateway does not serve this method on any route.";
    RequestBodyMalformed "request_body_malformed" 400 Client false "http_request_error"
        "The framing of the request's body is broken.";
    RequestBodyTimeout "request_body_timeout" 408 Client true "http_request_error"
        "The request's body stopped arriving.";
    RequestBodyInvalid "request_body_invalid" 400 Client false "http_request_error"
        "The request's body is not what this route expects.";
    RequestTooLarge "request_too_large" 413 Client false "http_request_denied"
        "The request's body is larger than this route accepts.";
    MessageTooLarge "message_too_large" 413 Client false "http_request_denied"
        "A message of the call is larger than this route accepts.";
    MediaTypeUnsupported "media_type_unsupported" 415 Client false "http_request_error"
        "The request's body is of a media type that this route does not serve.";
    ClientDisconnected "client_disconnected" 499 Client true "http_request_error"
        "The client went away before the response was complete.";
    UpgradeRequired "upgrade_required" 426 Client false "http_request_denied"
        "This route takes WebSocket connections only.";
    WebsocketHandshakeInvalid "websocket_handshake_invalid" 400 Client false "http_request_error"
        "The request asks for a WebSocket connection in a way that cannot be granted.";
    WebsocketFrameInvalid "websocket_frame_invalid" 400 Client false "http_request_error"
        "The client sent something that is no WebSocket frame, or none that may come now.";
    WebsocketMessageInvalid "websocket_message_invalid" 400 Client false "http_request_error"
        "The client sent a message that this route does not take.";
    WebsocketMessageTooLarge "websocket_message_too_large" 413 Client false "http_request_denied"
        "The client sent a message larger than this route takes.";
    RouteNotFound "route_not_found" 404 Client false "destination_not_found"
        "No route matches this request.";
    MethodNotAllowed "method_not_allowed" 405 Client false "http_request_denied"
        "A route matches this path, but not with this method.";
    ModelNotFound "model_not_found" 404 Client false "destination_not_found"
        "No model of this name is offered on this route.";
    CredentialMissing "credential_missing" 401 Client false "http_request_denied"
        "The route asks for a credential and none was sent.";
    CredentialInvalid "credential_invalid" 401 Client false "http_request_denied"
        "The credential is not known here.";
    CredentialExpired "credential_expired" 401 Client false "http_request_denied"
        "The credential has expired.";
    ConsumerDenied "consumer_denied" 403 Policy false "http_request_denied"
        "This consumer is not among those the route admits.";
    ModelNotAllowed "model_not_allowed" 403 Policy false "http_request_denied"
        "This consumer may not use the model it asked for.";
    AddressDenied "address_denied" 403 Policy false "http_request_denied"
        "The client's address may not use this route.";
    OriginDenied "origin_denied" 403 Policy false "http_request_denied"
        "Pages of this origin may not open connections to this route.";
    WebsocketRateExceeded "websocket_rate_exceeded" 429 Policy true "http_request_denied"
        "The client sent messages faster than this route takes them.";
    PromptDenied "prompt_denied" 400 Policy false "http_request_denied"
        "A rule of the route does not let this prompt pass.";
    CompletionDenied "completion_denied" 400 Policy false "http_request_denied"
        "A rule of the route does not let the model's answer pass.";
    GuardDenied "guard_denied" 400 Policy false "http_request_denied"
        "The guard that this route asks does not let this prompt pass.";
    GraphqlDocumentInvalid "graphql_document_invalid" 400 Client false "http_request_error"
        "The GraphQL document cannot be read, or does not hold the operation that is asked for.";
    GraphqlLimitExceeded "graphql_limit_exceeded" 400 Policy false "http_request_denied"
        "The GraphQL operation is more than a limit of the route allows.";
    GraphqlDocumentNotTrusted "graphql_document_not_trusted" 403 Policy false "http_request_denied"
        "The GraphQL document is not among those that the route runs.";
    GraphqlFieldDenied "graphql_field_denied" 403 Policy false "http_request_denied"
        "The GraphQL operation asks for a field that this caller may not see.";
    GraphqlSubscriptionRefused "graphql_subscription_refused" 403 Policy false "http_request_denied"
        "The route takes no GraphQL subscriptions.";
    GuardUnavailable "guard_unavailable" 503 Upstream true "destination_unavailable"
        "The guard that this route asks did not answer, and nothing passes unseen.";
    QuotaExhausted "quota_exhausted" 429 Policy true "http_request_denied"
        "A quota this request falls under has nothing left in its window.";
    ModelLimitReached "model_limit_reached" 429 Policy true "connection_limit_reached"
        "Every target of the model is at the limit it was given here.";
    QuotaStoreUnavailable "quota_store_unavailable" 503 Gateway true "proxy_internal_error"
        "The store of a quota did not answer, and the quota lets nothing through unseen.";
    ConnectionLimit "connection_limit" 503 Gateway true "connection_limit_reached"
        "The gateway is at its own limit of connections or streams.";
    Draining "draining" 503 Gateway true "destination_unavailable"
        "The gateway shut down before this request was over.";
    InternalError "internal_error" 500 Gateway false "proxy_internal_error"
        "The gateway failed by a fault of its own.";
    ConnectionRefused "connection_refused" 502 Upstream true "connection_refused"
        "The upstream refused the connection.";
    ConnectionTimeout "connection_timeout" 504 Upstream true "connection_timeout"
        "The upstream did not accept the connection in time.";
    ConnectionTerminated "connection_terminated" 502 Upstream true "connection_terminated"
        "The upstream closed the connection before any byte of a response.";
    DestinationUnroutable "destination_unroutable" 502 Upstream true "destination_ip_unroutable"
        "There is no network path to the upstream.";
    DestinationUnavailable "destination_unavailable" 503 Upstream true "destination_unavailable"
        "No endpoint of the upstream is healthy.";
    ConnectionLimitReached "connection_limit_reached" 503 Upstream true "connection_limit_reached"
        "The upstream already has as many requests in flight as its breaker allows.";
    BreakerOpen "breaker_open" 503 Upstream true "destination_unavailable"
        "The upstream failed too often and its breaker is open.";
    DnsError "dns_error" 502 Upstream true "dns_error"
        "The upstream's name could not be resolved.";
    TlsProtocolError "tls_protocol_error" 502 Upstream false "tls_protocol_error"
        "The TLS handshake with the upstream failed.";
    TlsCertificateError "tls_certificate_error" 502 Upstream false "tls_certificate_error"
        "The upstream's certificate could not be verified.";
    HttpResponseTimeout "http_response_timeout" 504 Upstream true "http_response_timeout"
        "The upstream sent no first byte of a response in time.";
    ResponseStalled "response_stalled" 504 Upstream true "http_response_timeout"
        "The upstream stopped sending in the middle of its response.";
    RequestDeadlineExceeded "request_deadline_exceeded" 504 Upstream true "http_response_timeout"
        "The request took longer than its total deadline.";
    HttpResponseIncomplete "http_response_incomplete" 502 Upstream true "http_response_incomplete"
        "The upstream's response ended before it was complete.";
    HttpProtocolError "http_protocol_error" 502 Upstream false "http_protocol_error"
        "The upstream's response is not valid HTTP.";
    WebsocketUpstreamInvalid "websocket_upstream_invalid" 502 Upstream false "http_protocol_error"
        "The upstream broke the WebSocket protocol, or sent what this route does not take.";
    StreamRefused "stream_refused" 503 Upstream true "connection_terminated"
        "The upstream refused the stream and no retry was left.";
    ResponseMessageTooLarge "response_message_too_large" 502 Upstream false "http_response_body_size"
        "A message of the upstream's answer is larger than this route lets through.";
    GrpcStatusMissing "grpc_status_missing" 502 Upstream true "http_response_incomplete"
        "The upstream's answer does not say how the call ended.";
    GrpcMessageInvalid "grpc_message_invalid" 502 Upstream false "http_protocol_error"
        "A message of the upstream's answer is not what the route's descriptors say.";
    ProviderRateLimited "provider_rate_limited" 429 Upstream true "http_request_denied"
        "The model's provider is limiting the rate of this account.";
    ProviderOverloaded "provider_overloaded" 503 Upstream true "destination_unavailable"
        "The model's provider is overloaded.";
    ProviderCredentialRejected "provider_credential_rejected" 502 Upstream false "http_request_denied"
        "The model's provider rejected the gateway's credential.";
    ProviderError "provider_error" 502 Upstream true "http_protocol_error"
        "The model's provider failed.";
    ProviderResponseInvalid "provider_response_invalid" 502 Upstream true "http_protocol_error"
        "The model's provider answered with something its dialect does not allow.";
    ModelOutputInvalid "model_output_invalid" 502 Upstream true "http_protocol_error"
        "The model's answer does not fit the schema that this route promises.";
    KafkaUnavailable "kafka_unavailable" 503 Upstream true "destination_unavailable"
        "No broker of the Kafka cluster can be reached.";
    KafkaQueueFull "kafka_queue_full" 503 Gateway true "connection_limit_reached"
        "The gateway's queue of records for Kafka is full.";
    KafkaTopicUnknown "kafka_topic_unknown" 404 Client false "destination_not_found"
        "The Kafka cluster has no topic of this name.";
    KafkaRecordInvalid "kafka_record_invalid" 422 Client false "http_request_error"
        "The record does not fit the schema of its topic.";
    SchemaRegistryUnavailable "schema_registry_unavailable" 503 Upstream true "destination_unavailable"
        "The schema registry could not be asked what the record is to be.";
    SchemaUnusable "schema_unusable" 502 Upstream false "destination_not_found"
        "The schema registry has no schema for the record, or none that can be used.";
    KafkaRecordTooLarge "kafka_record_too_large" 413 Client false "http_request_denied"
        "The record is larger than the Kafka cluster accepts.";
    KafkaRecordRejected "kafka_record_rejected" 502 Upstream false "http_request_denied"
        "The Kafka broker refused the record.";
    KafkaAccessRefused "kafka_access_refused" 502 Upstream false "http_request_denied"
        "The Kafka cluster does not take the gateway's credentials, or they may not do this.";
    KafkaIdentityMissing "kafka_identity_missing" 403 Policy false "http_request_denied"
        "This caller has no identity for the Kafka cluster.";
    KafkaTopicDenied "kafka_topic_denied" 403 Policy false "http_request_denied"
        "This caller may not do this with the topic.";
    KafkaPrincipalsExhausted "kafka_principals_exhausted" 503 Gateway true "connection_limit_reached"
        "As many Kafka principals as may be connected at once are in use.";
    SubscriberTooSlow "subscriber_too_slow" 429 Client true "connection_terminated"
        "The subscriber took events more slowly than they came, and fell too far behind.";
    QueryInvalid "query_invalid" 400 Client false "http_request_error"
        "The query asks for something in a way that this route does not know.";
    KafkaReplyTimeout "kafka_reply_timeout" 504 Upstream false "http_response_timeout"
        "The request is in its topic, and no reply to it came in time.";
    KafkaReplyInvalid "kafka_reply_invalid" 502 Upstream false "http_protocol_error"
        "The reply to the request cannot be given as an answer.";
    KafkaReplyGone "kafka_reply_gone" 410 Policy false "http_request_denied"
        "The reply to the request can no longer be had.";
    KafkaRecordsExpired "kafka_records_expired" 410 Policy false "http_request_denied"
        "Records that the subscriber was to get are no longer in the topic.";
    KafkaRecordUndecodable "kafka_record_undecodable" 502 Upstream false "http_protocol_error"
        "A record of the topic is not what it is to be given out as.";
    StatusUrlInvalid "status_url_invalid" 404 Client false "http_request_error"
        "This is no status URL of this caller's.";
    CursorInvalid "cursor_invalid" 400 Client false "http_request_error"
        "The cursor was not given out by this gateway, or not for this topic.";
    TableKeyUnknown "table_key_unknown" 404 Client false "destination_not_found"
        "The table has no value of this key.";
    TablePreconditionFailed "table_precondition_failed" 412 Client false "http_request_denied"
        "The value is not what the request expects it to be.";
    TablePreconditionRequired "table_precondition_required" 428 Client false "http_request_denied"
        "This route writes only if the request says what it expects the value to be.";
    TableNotReady "table_not_ready" 503 Gateway true "destination_unavailable"
        "The gateway's view of the topic has not got that far yet.";
    TableTooLarge "table_too_large" 503 Gateway false "proxy_internal_error"
        "The topic holds more than the gateway's view of it may.";
    SpoolFull "spool_full" 503 Gateway true "proxy_internal_error"
        "There is no room on disk to keep the record until the Kafka cluster takes it.";
    SpoolUnavailable "spool_unavailable" 503 Gateway true "proxy_internal_error"
        "The disk on which records wait for the Kafka cluster fails.";
    IdempotencyKeyInvalid "idempotency_key_invalid" 400 Client false "http_request_error"
        "The route wants an Idempotency-Key, or what was sent is none.";
    IdempotencyKeyReused "idempotency_key_reused" 422 Client false "http_request_error"
        "The Idempotency-Key was used before, for another request.";
    IdempotencyInProgress "idempotency_in_progress" 409 Client true "http_request_denied"
        "A request with this Idempotency-Key was begun, and it is not known yet what came of it.";
    IdempotencyStoreUnavailable "idempotency_store_unavailable" 503 Gateway true "proxy_internal_error"
        "Idempotency keys cannot be remembered now, so nothing was sent.";
    KafkaOutcomeUnknown "kafka_outcome_unknown" 504 Upstream false "http_response_timeout"
        "The record was sent and no acknowledgement came in time: it may have been written.";
}

impl Code {
    const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The stable snake_case name.
    pub const fn slug(self) -> &'static str {
        self.row().slug
    }

    /// The HTTP status a caller is answered with, if a head can still be sent.
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// Who has to act.
    pub const fn fault(self) -> Fault {
        self.row().fault
    }

    /// Whether the same request, sent again by the caller, can succeed without
    /// anybody changing anything, and is safe as far as the gateway knows.
    pub const fn retryable(self) -> bool {
        self.row().retryable
    }

    /// The `error` parameter of `Proxy-Status` (RFC 9209 §2.3).
    pub const fn proxy_error(self) -> &'static str {
        self.row().proxy_error
    }

    /// One sentence for people; safe to show to callers.
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// The page that says what to do, relative to the repository's root.
    pub fn runbook(self) -> String {
        format!("runbooks/{}.md", self.slug())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// The slug names no code of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCode(String);

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no error code named {:?}", self.0)
    }
}

impl std::error::Error for UnknownCode {}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(slug: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.slug() == slug)
            .ok_or_else(|| UnknownCode(slug.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn slugs_are_unique_and_snake_case() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            let slug = code.slug();
            assert!(seen.insert(slug), "{slug} twice");
            assert!(
                slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                    && !slug.starts_with('_')
                    && !slug.ends_with('_')
                    && !slug.contains("__"),
                "{slug} is not snake_case"
            );
        }
    }

    #[test]
    fn the_table_is_indexed_by_the_variant() {
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index);
            assert_eq!(code.slug().parse(), Ok(*code));
        }
        assert_eq!(Code::ALL.len(), TABLE.len());
    }

    #[test]
    fn status_and_fault_agree() {
        for code in Code::ALL {
            match code.fault() {
                Fault::Client => assert!(
                    (400..500).contains(&code.status()) || *code == Code::HttpVersionUnsupported,
                    "{code}"
                ),
                Fault::Policy => assert!((400..500).contains(&code.status()), "{code}"),
                Fault::Gateway => assert!((500..600).contains(&code.status()), "{code}"),
                Fault::Upstream => assert!(
                    (500..600).contains(&code.status()) || *code == Code::ProviderRateLimited,
                    "{code}"
                ),
            }
            assert!(code.title().ends_with('.'), "{code}: a title is a sentence");
        }
    }

    #[test]
    fn an_unknown_slug_is_named_in_the_error() {
        let error = "no_such_code".parse::<Code>().expect_err("must not parse");
        assert!(error.to_string().contains("no_such_code"));
    }
}
