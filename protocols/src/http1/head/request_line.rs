//! The request line: method, target, version (RFC 9112 §3). Knows nothing of
//! what a method or a path means, CONNECT apart, which no gateway route has.

use std::ops::Range;

use super::{Fault, octet};

/// A request line found sound; ranges are into the line.
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) method: Range<usize>,
    pub(super) target: Range<usize>,
    pub(super) http10: bool,
}

/// Judges one request line, its line end excluded.
pub(super) fn judge(line: &[u8]) -> Result<RequestLine, Fault> {
    judge_parts(line).map_err(|fault| {
        // A stray CR is a sign of smuggling and outranks what it broke.
        if memchr::memchr(b'\r', line).is_some() {
            Fault::BareCr
        } else {
            fault
        }
    })
}

fn judge_parts(line: &[u8]) -> Result<RequestLine, Fault> {
    let method = octet::token_len(line);
    match line.get(method) {
        Some(b' ') if method > 0 => {}
        None if method > 0 => return Err(Fault::TargetMissing),
        _ => return Err(Fault::MethodInvalid),
    }
    if &line[..method] == b"CONNECT" {
        return Err(Fault::ConnectRefused);
    }
    let start = method + 1;
    // From the back, so that a space in the target is blamed on the target.
    let Some(length) = memchr::memrchr(b' ', &line[start..]) else {
        return Err(Fault::VersionInvalid);
    };
    let end = start + length;
    if end + 1 == line.len() {
        return Err(Fault::VersionInvalid);
    }
    judge_target(&line[start..end], &line[..method])?;
    Ok(RequestLine {
        method: 0..method,
        target: start..end,
        http10: judge_version(&line[end + 1..])?,
    })
}

fn judge_target(target: &[u8], method: &[u8]) -> Result<(), Fault> {
    if let Some(octet) = octet::first_bad_in_target(target) {
        return Err(match octet {
            b' ' => Fault::TargetSpace,
            b'#' => Fault::TargetFragment,
            0x80.. => Fault::TargetNonAscii,
            _ => Fault::TargetControl,
        });
    }
    match target {
        [b'/', ..] => Ok(()),
        b"*" if method == b"OPTIONS" => Ok(()),
        [] => Err(Fault::TargetMissing),
        _ if is_absolute(target) => Ok(()),
        _ => Err(Fault::TargetForm),
    }
}

/// absolute-form with an authority and without user information, which RFC
/// 9110 §4.2.4 tells recipients to distrust.
fn is_absolute(target: &[u8]) -> bool {
    let after = |scheme: &[u8]| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let Some(rest) = after(b"http://").or_else(|| after(b"https://")) else {
        return false;
    };
    let authority = memchr::memchr2(b'/', b'?', rest).map_or(rest, |end| &rest[..end]);
    !authority.is_empty() && octet::all_host(authority)
}

/// Whether it is HTTP/1.0 (else 1.1).
fn judge_version(version: &[u8]) -> Result<bool, Fault> {
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(Fault::VersionUnsupported)
        }
        _ => Err(Fault::VersionInvalid),
    }
}
