//! Reads a request's head before any HTTP library sees it.
//!
//! Pingora answers a malformed head by itself, with no hook, code or record, and mends some that
//! must not be mended. So the bytes are read here, under one deadline for the whole head, judged
//! byte for byte by [`weir_protocols::http1::head`], and only then handed on.

use std::time::Duration;

use bytes::BytesMut;
use pingora_core::protocols::Stream;
use pingora_http::authority::{RawTargetAuthority, raw_target_authority};
use tokio::io::AsyncReadExt as _;
use weir_protocols::http1::head::{Fault, Kind, Limits, Scanner, Step};
use weir_telemetry::Code;

/// What one head may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// From its first byte to its last.
    pub(crate) head: Duration,
    /// Before its first byte.
    pub(crate) idle: Duration,
    /// In bytes.
    pub(crate) max_bytes: usize,
    /// In header fields.
    pub(crate) max_fields: usize,
}

/// What a connection turned out to say.
pub(crate) enum Opening {
    /// A whole HTTP/1 head, at the beginning of the buffer.
    Http1,
    /// HTTP/2's preface.
    Http2,
    /// Nothing: it was closed, or idle too long.
    Closed,
}

/// Why a head is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    /// What it is called.
    pub(crate) code: Code,
    /// What exactly is wrong.
    pub(crate) reason: &'static str,
}

/// Reads until a whole head is in `buffer`, which may already hold bytes of it.
pub(crate) async fn read_head(
    stream: &mut Stream,
    buffer: &mut BytesMut,
    allowance: &Allowance,
) -> Result<Opening, Refusal> {
    let limits = Limits {
        max_bytes: allowance.max_bytes,
        max_fields: allowance.max_fields,
    };
    let mut scanner = Scanner::new(limits);
    if buffer.is_empty() {
        let first = tokio::time::timeout(allowance.idle, fill(stream, buffer)).await;
        match first {
            Ok(Ok(read)) if read > 0 => {}
            _ => return Ok(Opening::Closed),
        }
    }
    if let Some(opening) = judge(&mut scanner, buffer)? {
        return Ok(opening);
    }
    let rest = tokio::time::timeout(allowance.head, read_rest(stream, buffer, &mut scanner)).await;
    rest.unwrap_or(Err(Refusal {
        code: Code::RequestHeadTimeout,
        reason: "the head was not complete in time",
    }))
}

async fn read_rest(
    stream: &mut Stream,
    buffer: &mut BytesMut,
    scanner: &mut Scanner,
) -> Result<Opening, Refusal> {
    loop {
        match fill(stream, buffer).await {
            Ok(read) if read > 0 => {}
            _ => {
                return Err(Refusal {
                    code: Code::ClientDisconnected,
                    reason: "the client left amid the head",
                });
            }
        }
        if let Some(opening) = judge(scanner, buffer)? {
            return Ok(opening);
        }
    }
}

async fn fill(stream: &mut Stream, buffer: &mut BytesMut) -> std::io::Result<usize> {
    buffer.reserve(READ);
    stream.read_buf(buffer).await
}

/// How much is read at once; most heads fit.
const READ: usize = 4096;

fn judge(scanner: &mut Scanner, buffer: &BytesMut) -> Result<Option<Opening>, Refusal> {
    match scanner.scan(buffer) {
        Ok(Step::More) => Ok(None),
        Ok(Step::Head(head)) => match two_hosts(&buffer[..head.len], &buffer[head.target]) {
            false => Ok(Some(Opening::Http1)),
            true => Err(Refusal {
                code: Code::RequestHeadMalformed,
                reason: "the target and the Host header name different hosts",
            }),
        },
        Ok(Step::Http2Preface) => Ok(Some(Opening::Http2)),
        Err(fault) => Err(refusal(&fault)),
    }
}

/// Whether a target in absolute form names another host than `Host` does. RFC 9112 (3.2.2) lets
/// the target win; whoever else reads the request may let the other one, so neither does here.
fn two_hosts(head: &[u8], target: &[u8]) -> bool {
    let authority = match raw_target_authority(target) {
        RawTargetAuthority::None => return false,
        RawTargetAuthority::AmbiguousAuthority => return true,
        RawTargetAuthority::Absolute { authority, .. } => authority,
    };
    let host = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(5)?;
        name.eq_ignore_ascii_case(b"host:")
            .then(|| value.trim_ascii())
    });
    host.is_some_and(|host| host != authority)
}

fn refusal(fault: &Fault) -> Refusal {
    let code = match fault.kind() {
        Kind::Malformed => Code::RequestHeadMalformed,
        Kind::TooLarge => Code::RequestHeadTooLarge,
        Kind::VersionUnsupported => Code::HttpVersionUnsupported,
        Kind::MethodRefused => Code::MethodRefused,
    };
    Refusal {
        code,
        reason: fault.reason(),
    }
}
