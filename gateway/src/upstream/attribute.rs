//! Names a failure of an upstream: which code it is, and how far the request had got.
//!
//! Pingora reports what its socket saw; whose fault that is depends on the phase it happened in.
//! Every error of an attempt passes through here, so that each has one place where it is named.

use std::error::Error as _;
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
}

impl Failure {
    /// A failure with a known code.
    pub(crate) fn new(code: Code, sent: Sent, detail: impl Into<String>) -> Self {
        Failure { code, detail: detail.into(), sent }
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

/// Names an error met before the response head was whole.
pub(crate) fn awaiting_head(error: &BError, any_byte: bool) -> Failure {
    if let Some(refused) = refused_stream(error) {
        return refused;
    }
    let code = match error.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => Code::HttpResponseTimeout,
        ErrorType::InvalidHTTPHeader | ErrorType::InvalidH2 | ErrorType::H1Error => {
            Code::HttpProtocolError
        }
        ErrorType::H2Error if is_h2_protocol_fault(error) => Code::HttpProtocolError,
        _ if any_byte => Code::HttpResponseIncomplete,
        _ => Code::ConnectionTerminated,
    };
    Failure::new(code, Sent::Some, describe(error))
}

/// Names an error met amid the response body.
pub(crate) fn amid_body(error: &BError) -> Failure {
    let code = match error.etype() {
        ErrorType::ReadTimedout => Code::ResponseStalled,
        ErrorType::Custom("InvalidChunk" | "InvalidTrailerEnd") => Code::HttpProtocolError,
        _ => Code::HttpResponseIncomplete,
    };
    Failure::new(code, Sent::Some, describe(error))
}

/// Names an error met while the request body was written.
pub(crate) fn writing_body(error: &io::Error) -> Failure {
    Failure::new(Code::ConnectionTerminated, Sent::Some, format!("while sending the body: {error}"))
}

/// A stream the peer declared unprocessed may be replayed whatever its method.
fn refused_stream(error: &BError) -> Option<Failure> {
    let h2 = h2_cause(error)?;
    let refused = h2.reason() == Some(h2::Reason::REFUSED_STREAM) && h2.is_reset();
    // h2 ends streams beyond a GOAWAY's last id with the GOAWAY itself.
    let beyond_goaway = h2.is_go_away() && h2.is_remote();
    (refused || beyond_goaway).then(|| {
        Failure::new(Code::StreamRefused, Sent::Refused, format!("the endpoint refused the stream: {h2}"))
    })
}

fn is_h2_protocol_fault(error: &BError) -> bool {
    h2_cause(error).is_some_and(|e| !e.is_io() && !e.is_go_away())
}

fn h2_cause(error: &Error) -> Option<&h2::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(h2) = cause.downcast_ref::<h2::Error>() {
            return Some(h2);
        }
        next = cause.source();
    }
    None
}

/// One line for operators: what Pingora said, and the cause beneath it.
fn describe(error: &BError) -> String {
    let mut text = String::from(error.etype().as_str());
    if let Some(context) = &error.context {
        text.push_str(": ");
        text.push_str(context.as_str());
    }
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
