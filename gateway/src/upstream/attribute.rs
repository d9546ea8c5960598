//! Names a failure of an upstream: which code it is, and how far the request had got.
//!
//! Pingora reports what its socket saw; whose fault that is depends on the phase it happened in.
//! Every error of an attempt passes through here, so that each has one place where it is named.

use std::io;

use pingora_error::{BError, Error, ErrorType};
use weir_telemetry::Code;

/// How much of the request the endpoint may have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sent {
    /// Not a byte: the connection was never made.
    Nothing,
    /// The endpoint said itself that it did not process it (REFUSED_STREAM, GOAWAY).
    Refused,
    /// Some of it, or all: it may have been processed.
    Some,
}

/// Why one attempt failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The code the caller would see if nobody tries again.
    pub(crate) code: Code,
    /// What the socket said, for operators.
    pub(crate) detail: String,
    /// Whether replaying is safe depends on this.
    pub(crate) sent: Sent,
    /// Why the endpoint gave the stream up, if it did and said so (RFC 9113, 7).
    pub(crate) reset: Option<u32>,
}

impl Failure {
    /// A failure with a known code.
    pub(crate) fn new(code: Code, sent: Sent, detail: impl Into<String>) -> Self {
        Failure {
            code,
            detail: detail.into(),
            sent,
            reset: None,
        }
    }

    /// Whether the endpoint is to blame, rather than a limit of ours.
    pub(crate) fn is_the_endpoints(&self) -> bool {
        !matches!(
            self.code,
            Code::ConnectionLimitReached | Code::RequestDeadlineExceeded
        )
    }
}

/// Names an error met while connecting: nothing was sent.
pub(crate) fn connecting(error: &BError) -> Failure {
    let code = match error.etype() {
        ErrorType::ConnectTimedout => Code::ConnectionTimeout,
        ErrorType::ConnectRefused => Code::ConnectionRefused,
        ErrorType::ConnectNoRoute => Code::DestinationUnroutable,
        ErrorType::InvalidCert => Code::TlsCertificateError,
        ErrorType::TLSHandshakeTimedout => Code::ConnectionTimeout,
        ErrorType::TLSHandshakeFailure | ErrorType::TLSWantX509Lookup => Code::TlsProtocolError,
        ErrorType::H2Error | ErrorType::InvalidH2 | ErrorType::HandshakeError => {
            Code::HttpProtocolError
        }
        _ => Code::ConnectionTerminated,
    };
    Failure::new(code, Sent::Nothing, describe(error))
}

/// Names an error met before the response head was whole; `any_byte` if some of it came.
pub(crate) fn awaiting_head(error: &BError, any_byte: bool) -> Failure {
    if let Some(refused) = refused_stream(error) {
        return refused;
    }
    let code = match error.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => Code::HttpResponseTimeout,
        ErrorType::InvalidHTTPHeader | ErrorType::InvalidH2 | ErrorType::H1Error => {
            Code::HttpProtocolError
        }
        ErrorType::H2Downgrade => Code::HttpProtocolError,
        _ if is_h2_protocol_fault(error) => Code::HttpProtocolError,
        _ if any_byte => Code::HttpResponseIncomplete,
        _ => Code::ConnectionTerminated,
    };
    Failure {
        reset: reset(error),
        ..Failure::new(code, Sent::Some, describe(error))
    }
}

/// Names an error met amid the response body.
pub(crate) fn amid_body(error: &BError) -> Failure {
    let code = match error.etype() {
        ErrorType::ReadTimedout => Code::ResponseStalled,
        ErrorType::Custom("InvalidChunk" | "InvalidTrailerEnd") => Code::HttpProtocolError,
        _ if is_h2_protocol_fault(error) => Code::HttpProtocolError,
        _ => Code::HttpResponseIncomplete,
    };
    Failure {
        reset: reset(error),
        ..Failure::new(code, Sent::Some, describe(error))
    }
}

/// Names an error met while the request body was written.
pub(crate) fn writing_body(error: &io::Error) -> Failure {
    Failure::new(
        Code::ConnectionTerminated,
        Sent::Some,
        format!("while sending the body: {error}"),
    )
}

/// How the peer ended the connection: in order, or not.
pub(crate) fn how_it_ended(error: &BError) -> &'static str {
    let cause: Option<&io::Error> = error.root_cause().downcast_ref();
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => "reset",
        _ => "closed",
    }
}

/// A stream the peer declared unprocessed may be replayed whatever its method.
fn refused_stream(error: &BError) -> Option<Failure> {
    let h2 = h2_cause(error)?;
    let refused =
        h2.reason() == Some(h2::Reason::REFUSED_STREAM) && h2.is_reset() && h2.is_remote();
    // h2 ends streams beyond a GOAWAY's last id with the GOAWAY itself.
    let beyond_goaway = h2.is_go_away() && h2.is_remote();
    (refused || beyond_goaway).then(|| {
        Failure::new(
            Code::StreamRefused,
            Sent::Refused,
            format!("the endpoint refused the stream: {h2}"),
        )
    })
}

/// Why the peer reset the stream, if it did.
fn reset(error: &BError) -> Option<u32> {
    let h2 = h2_cause(error).filter(|h2| h2.is_reset() && h2.is_remote())?;
    h2.reason().map(u32::from)
}

/// Whether one side broke HTTP/2's rules. A stream that the endpoint gave up for reasons of its
/// own (INTERNAL_ERROR, CANCEL) is a connection that ended, not a protocol error.
fn is_h2_protocol_fault(error: &BError) -> bool {
    use h2::Reason;
    h2_cause(error).is_some_and(|e| {
        let accused = matches!(
            e.reason(),
            Some(
                Reason::PROTOCOL_ERROR
                    | Reason::FLOW_CONTROL_ERROR
                    | Reason::FRAME_SIZE_ERROR
                    | Reason::COMPRESSION_ERROR
                    | Reason::STREAM_CLOSED
            )
        );
        !e.is_io() && (e.is_library() || accused)
    })
}

/// Pingora's errors keep their cause to themselves: `source()` says nothing, `root_cause()` does.
fn h2_cause(error: &Error) -> Option<&h2::Error> {
    error.root_cause().downcast_ref()
}

/// One line for operators: what Pingora said, and the cause beneath it.
fn describe(error: &BError) -> String {
    let mut text = String::from(error.etype().as_str());
    if let Some(context) = &error.context {
        text.push_str(": ");
        text.push_str(context.as_str());
    }
    let root = error.root_cause();
    if root.downcast_ref::<Error>().is_none() {
        text.push_str(": ");
        text.push_str(&root.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h2_error(reason: h2::Reason) -> BError {
        Error::because(
            ErrorType::H2Error,
            "while reading h2 header",
            h2::Error::from(reason),
        )
    }

    #[test]
    fn what_h2_said_is_found_and_told() {
        let failure = awaiting_head(&h2_error(h2::Reason::PROTOCOL_ERROR), false);
        assert_eq!(failure.code, Code::HttpProtocolError);
        assert!(
            failure.detail.contains("unspecific protocol error"),
            "{}",
            failure.detail
        );
        let failure = awaiting_head(&h2_error(h2::Reason::CANCEL), false);
        assert_eq!(failure.code, Code::ConnectionTerminated);
    }

    #[test]
    fn part_of_a_head_is_more_than_nothing() {
        let error = Error::explain(
            ErrorType::ConnectionClosed,
            "while reading response headers",
        );
        assert_eq!(
            awaiting_head(&error, false).code,
            Code::ConnectionTerminated
        );
        assert_eq!(
            awaiting_head(&error, true).code,
            Code::HttpResponseIncomplete
        );
    }

    #[test]
    fn a_limit_of_ours_is_no_failure_of_the_endpoint() {
        let failure = |code| Failure::new(code, Sent::Nothing, "");
        assert!(!failure(Code::ConnectionLimitReached).is_the_endpoints());
        assert!(failure(Code::ConnectionRefused).is_the_endpoints());
    }
}
