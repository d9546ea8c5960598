//! The one error of the request's way.
//!
//! A failure is named where it happens, by a [`Code`] of the telemetry catalogue, and keeps two
//! texts apart: what the caller may read, and what only operators see.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use weir_protocols::grpc::status;
use weir_telemetry::Code;

/// Why a request failed.
#[derive(Debug, Clone)]
pub(crate) struct GatewayError {
    /// What happened: status, fault and runbook follow from it.
    pub(crate) code: Code,
    /// One sentence for the caller. Never holds addresses, secrets or another party's text.
    pub(crate) public: Cow<'static, str>,
    /// What operators read in the access log, the span and the flight recorder.
    pub(crate) source: Option<String>,
    /// When trying again may help, if that is known.
    pub(crate) retry_after: Option<Duration>,
    /// The path of the member of the body that is to blame.
    pub(crate) param: Option<Box<str>>,
    /// A further member of the error object, with figures for programs.
    pub(crate) member: Option<Box<(&'static str, serde_json::Value)>>,
    /// Header fields the answer needs, as `Allow` or `WWW-Authenticate`.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// What it is to who calls by gRPC, where the code does not tell.
    pub(crate) rpc: Option<status::Code>,
}

impl GatewayError {
    /// An error whose public text is the code's title.
    pub(crate) fn new(code: Code) -> Self {
        GatewayError {
            code,
            public: Cow::Borrowed(code.title()),
            source: None,
            retry_after: None,
            param: None,
            member: None,
            headers: Vec::new(),
            rpc: None,
        }
    }

    /// An error with a text for the caller.
    pub(crate) fn public(code: Code, public: impl Into<Cow<'static, str>>) -> Self {
        GatewayError {
            public: public.into(),
            ..Self::new(code)
        }
    }

    /// Adds what operators should know.
    pub(crate) fn source(mut self, source: impl fmt::Display) -> Self {
        self.source = Some(source.to_string());
        self
    }

    /// Adds a header field to the answer.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says what it is to who calls by gRPC.
    pub(crate) fn rpc(mut self, code: status::Code) -> Self {
        self.rpc = Some(code);
        self
    }

    /// Names the member of the body that is to blame.
    pub(crate) fn param(mut self, path: impl Into<Box<str>>) -> Self {
        self.param = Some(path.into());
        self
    }

    /// Says when to try again.
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.public)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for GatewayError {}
