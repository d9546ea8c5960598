//! The checker of a request head, run before any HTTP library parses it.
//!
//! It refuses, byte-exactly, what parsers are lenient about and what request
//! smuggling is made of: bare LF, folding, doubled or conflicting framing,
//! control octets. It finds where the head ends, and nothing more: it does
//! not keep fields, decode paths or know what will be done with the request.
//!
//! [`Scanner::scan`] is called with everything received so far. Lines are
//! judged as they complete, each byte once however slowly they drip in.
//!
//! Follows RFC 9110 and RFC 9112, at the strict end wherever they leave a
//! choice. With absolute-form, RFC 9112 §3.2.2 gives the target's authority
//! precedence over `Host`; whether both agree is for the caller to judge.

mod fault;
mod field;
mod octet;
mod request_line;

use std::ops::Range;

pub use fault::{Fault, Kind};
use field::Seen;
use request_line::RequestLine;

/// What an HTTP/2 client with prior knowledge sends first (RFC 9113 §3.4).
pub const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much a head may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole head, from the first byte to the empty line.
    pub max_bytes: usize,
    /// Field lines.
    pub max_fields: usize,
}

/// What is known after looking at the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing wrong yet, and not the end: read on.
    More,
    /// A complete and sound head.
    Head(Head),
    /// The HTTP/2 connection preface, complete: hand over to HTTP/2.
    Http2Preface,
}

/// A complete and sound head; ranges are into the scanned buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head from the start of the buffer, a tolerated leading
    /// empty line and the final empty line included. The body begins here.
    pub len: usize,
    /// The method.
    pub method: Range<usize>,
    /// The request target, as sent.
    pub target: Range<usize>,
    /// Whether the version is HTTP/1.0; it is HTTP/1.1 otherwise.
    pub http10: bool,
}

/// Where the scan of one head stopped. One per request.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    /// Where the line being received begins; all before it is judged.
    line: usize,
    /// Up to where that line was searched for its end.
    searched: usize,
    request: Option<RequestLine>,
    fields: usize,
    seen: Seen,
}

impl Scanner {
    /// A scanner at the start of a head.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            line: 0,
            searched: 0,
            request: None,
            fields: 0,
            seen: Seen::default(),
        }
    }

    /// Looks on from where the last call stopped. `buf` is everything
    /// received so far, from the first byte of the head on: between calls it
    /// may only grow. The answer does not depend on how the bytes were cut.
    ///
    /// # Errors
    /// The first [`Fault`] in the order of the bytes. It is final.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Step, Fault> {
        if self.line == 0
            && let Some(step) = other_protocol(buf)?
        {
            return Ok(step);
        }
        let window = &buf[..buf.len().min(self.limits.max_bytes)];
        while let Some(at) = memchr::memchr(b'\n', window.get(self.searched..).unwrap_or_default())
        {
            let end = self.searched + at;
            let Some(b'\r') = window[self.line..end].last() else {
                return Err(Fault::BareLf);
            };
            let line = &window[self.line..end - 1];
            if let Some(head) = self.judge(line, end + 1)? {
                return Ok(Step::Head(head));
            }
            self.line = end + 1;
            self.searched = end + 1;
        }
        self.searched = self.searched.max(window.len());
        if window.len() < self.limits.max_bytes {
            return Ok(Step::More);
        }
        Err(match self.request {
            None => Fault::RequestLineTooLong,
            Some(_) => Fault::HeadTooLong,
        })
    }

    /// Judges a complete line; gives the head if that was its last.
    fn judge(&mut self, line: &[u8], next: usize) -> Result<Option<Head>, Fault> {
        let Some(request) = &self.request else {
            if !line.is_empty() {
                let mut request = request_line::judge(line)?;
                shift(&mut request.method, self.line);
                shift(&mut request.target, self.line);
                self.request = Some(request);
            } else if self.line > 0 {
                return Err(Fault::LeadingEmptyLines);
            }
            return Ok(None);
        };
        if line.is_empty() {
            self.seen.complete(request.http10)?;
            return Ok(Some(Head {
                len: next,
                method: request.method.clone(),
                target: request.target.clone(),
                http10: request.http10,
            }));
        }
        if self.fields == self.limits.max_fields {
            return Err(Fault::TooManyFields);
        }
        self.seen.judge(line, request.http10)?;
        self.fields += 1;
        Ok(None)
    }
}

fn shift(range: &mut Range<usize>, by: usize) {
    range.start += by;
    range.end += by;
}

/// What else a client may begin with. `None` means: judge it as HTTP/1.
fn other_protocol(buf: &[u8]) -> Result<Option<Step>, Fault> {
    match buf {
        // A TLS handshake record of any version so far begins with these.
        [0x16, 0x03, ..] => Err(Fault::TlsClientHello),
        [] | [0x16] => Ok(Some(Step::More)),
        // Only a buffer that could still become the preface waits for it: a
        // short HTTP/1.0 request never does.
        [b'P', ..] if buf.starts_with(HTTP2_PREFACE) => Ok(Some(Step::Http2Preface)),
        [b'P', ..] if HTTP2_PREFACE.starts_with(buf) => Ok(Some(Step::More)),
        _ => Ok(None),
    }
}
