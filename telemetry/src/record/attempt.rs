//! One try to have an upstream answer, as it was recorded.

use std::sync::Arc;
use std::time::Duration;

use super::RpcStatus;
use crate::code::Code;

/// One try to have an upstream answer.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// `address:port` of the endpoint; empty if none could be picked.
    pub endpoint: Arc<str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The method it was asked with, where that is not the request's own.
    pub method: Option<http::Method>,
    /// The path it was asked for, without the query, where that is not the request's own.
    pub path: Option<Box<str>>,
    /// The CLIENT span's id, as sent upstream in `traceparent`.
    pub span_id: [u8; 8],
    /// When the attempt began, counted from the request's start.
    pub started: Duration,
    /// How long a new connection took, TLS included; `None` when one was
    /// reused or none came about.
    pub connect: Option<Duration>,
    /// From the request being sent to the response's first byte.
    pub first_byte: Option<Duration>,
    /// From the response's first byte to its last.
    pub body: Option<Duration>,
    /// The whole attempt.
    pub total: Duration,
    /// Whether the connection had served before.
    pub reused: bool,
    /// How long ago the connection was opened, when the attempt began.
    pub connection_age: Duration,
    /// How long it had been idle, when the attempt began.
    pub connection_idle: Duration,
    /// Set if the endpoint ended the connection, which had been idle, instead of an answer.
    pub keep_alive_race: Option<Race>,
    /// The status of the upstream's response, if a head came.
    pub status: Option<u16>,
    /// How the remote procedure call ended, where it was one and the upstream said so.
    pub rpc: Option<RpcStatus>,
    /// Why the attempt failed.
    pub code: Option<Code>,
    /// More about the failure, for operators only.
    pub detail: Option<String>,
    /// Bytes of the request, head included, given to the connection.
    pub bytes_sent: u64,
    /// Why another attempt followed this one; `fallback` if somebody else was asked.
    pub retried: Option<&'static str>,
    /// Why none did, though it failed.
    pub not_retried: Option<NotRetried>,
}

/// Why an attempt that failed was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRetried {
    /// The upstream allows no retries, or no more.
    Max,
    /// The request's deadline had passed.
    Deadline,
    /// Part of the request's body was gone already.
    Body,
    /// The endpoint may have processed it, and its method is not idempotent.
    Method,
    /// The endpoint may have processed it, or still does, and it would not have helped to ask another.
    Failure,
    /// There was nobody else to ask.
    Endpoint,
    /// Too many requests had been tried again of late.
    Budget,
}

impl NotRetried {
    /// The word in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Deadline => "deadline",
            Self::Body => "body",
            Self::Method => "method",
            Self::Failure => "failure",
            Self::Endpoint => "endpoint",
            Self::Budget => "budget",
        }
    }
}

/// An endpoint ended an idle connection as a request was sent on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Race {
    /// How it did: `closed` in order, or `reset`.
    pub how: &'static str,
    /// For how long it leaves idle connections open, as far as is known since.
    pub idle_timeout: Option<Duration>,
}

impl Attempt {
    /// An attempt that has only begun; whoever makes it fills in the rest.
    pub fn begin(upstream: Arc<str>, endpoint: Arc<str>, started: Duration) -> Self {
        Self {
            upstream,
            endpoint,
            scheme: "http",
            method: None,
            path: None,
            span_id: crate::trace::span_id(),
            started,
            connect: None,
            first_byte: None,
            body: None,
            total: Duration::ZERO,
            reused: false,
            connection_age: Duration::ZERO,
            connection_idle: Duration::ZERO,
            keep_alive_race: None,
            status: None,
            rpc: None,
            code: None,
            detail: None,
            bytes_sent: 0,
            retried: None,
            not_retried: None,
        }
    }
}
