//! The normal form of a request path: one spelling for every path that means the same.
//!
//! Knows RFC 3986 and the ways in which servers misread it; knows no rules and no routes.
//!
//! | in the request | in the normal form |
//! |---|---|
//! | `%61`, `%7E`, `%2e` | decoded: an encoded unreserved character is that character (§6.2.2.2) |
//! | `%2f`, `%3b`, `%c3%a9` | kept, in capitals: an encoded reserved character is data |
//! | `.` and `..` segments | resolved (§5.2.4), encoded ones too; above the root: refused |
//! | `..%2F`, `..%5C`, `..;x` | refused: some servers see a dot segment here |
//! | `//` | kept (object stores mean it); matched as one slash |
//! | `é`, `{`, `"`, a space | percent-encoded |
//! | `\`, `%00`, controls, `?`, `#`, `%zz` | refused |
//!
//! Decoding happens once: `%252e` is the data `%2e` and stays `%252e`.

use std::borrow::Cow;
use std::fmt;

/// Why a path has no normal form. Each is the client's fault and deserves a 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It does not begin with `/`. The asterisk form of `OPTIONS *` names no resource and ends here
    /// too.
    NotAbsolute,
    /// A `%` without two hexadecimal digits after it.
    BrokenEscape,
    /// A control character.
    Control,
    /// `%00`, which ends the path early for servers written in C.
    Nul,
    /// A raw backslash, which some servers read as a slash.
    Backslash,
    /// A `?` or `#`, which end a path and cannot be in one.
    Delimiter,
    /// More `..` than there are segments above.
    AboveRoot,
    /// A dot segment behind an encoded slash or backslash, or with a `;` parameter.
    HiddenDots,
    /// What a template would capture does not decode to UTF-8.
    NotUtf8,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "the path does not begin with a slash",
            Self::BrokenEscape => {
                "the path has a % without two hexadecimal digits; write a literal % as %25"
            }
            Self::Control => "the path has a control character",
            Self::Nul => "the path has an encoded NUL (%00)",
            Self::Backslash => "the path has a backslash; write it as %5C if it is data",
            Self::Delimiter => "the path has a ? or # in it; write it as %3F or %23 if it is data",
            Self::AboveRoot => "the path climbs above the root with \"..\"",
            Self::HiddenDots => {
                "the path hides a dot segment behind an encoded slash or a semicolon"
            }
            Self::NotUtf8 => "a captured part of the path does not decode to UTF-8",
        })
    }
}

impl std::error::Error for Refused {}

/// Gives the normal form of `path`, the path alone without a query.
///
/// Borrows, after one pass over the bytes, when the path is in normal form already, as nearly all
/// are. The form is stable: normalising it again changes nothing. It is ASCII, begins with `/`, and
/// has no braces and no dot segments. An empty path is `/` (RFC 9110 §4.2.3).
pub fn normalise(path: &str) -> Result<Cow<'_, str>, Refused> {
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    if path.is_empty() {
        return Ok(Cow::Borrowed("/"));
    }
    let Some(segments) = path.strip_prefix('/') else {
        return Err(Refused::NotAbsolute);
    };

    let mut out = String::with_capacity(path.len() + 8);
    let mut ends_in_dots = false;
    for segment in segments.split('/') {
        let start = out.len();
        out.push('/');
        push_segment(&mut out, segment)?;
        ends_in_dots = true;
        match &out[start + 1..] {
            "." => out.truncate(start),
            ".." => {
                out.truncate(start);
                let parent = out.rfind('/').ok_or(Refused::AboveRoot)?;
                out.truncate(parent);
            }
            other if hides_dots(other) => return Err(Refused::HiddenDots),
            _ => ends_in_dots = false,
        }
    }
    if ends_in_dots {
        out.push('/'); // "/a/b/.." names the directory "/a/"
    }
    Ok(Cow::Owned(out))
}

/// Writes one segment with every escape in its one spelling.
fn push_segment(out: &mut String, segment: &str) -> Result<(), Refused> {
    let bytes = segment.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let value = escape(&bytes[at..]).ok_or(Refused::BrokenEscape)?;
                match value {
                    0 => return Err(Refused::Nul),
                    value if is_unreserved(value) => out.push(char::from(value)),
                    value => push_escape(out, value),
                }
                at += 2;
            }
            b'\\' => return Err(Refused::Backslash),
            b'?' | b'#' => return Err(Refused::Delimiter),
            byte if byte.is_ascii_control() => return Err(Refused::Control),
            byte if is_plain(byte) => out.push(char::from(byte)),
            byte => push_escape(out, byte),
        }
        at += 1;
    }
    Ok(())
}

/// Whether `path` is its own normal form; errs on neither side, so that nothing normal is ever
/// copied.
fn is_normal(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let mut at = 0;
    while at < path.len() {
        match path[at] {
            b'/' if path.get(at + 1) == Some(&b'.') && has_dots(segment_at(&path[at + 1..])) => {
                return false;
            }
            b'/' => {}
            b'%' => {
                let digits = path.get(at + 1..at + 3).unwrap_or_default();
                let capital = !digits.iter().any(u8::is_ascii_lowercase);
                match escape(&path[at..]) {
                    Some(value) if capital && value != 0 && !is_unreserved(value) => at += 2,
                    _ => return false,
                }
                // Only an escape can hide dots further into a segment than its beginning.
                if path.get(at + 1) == Some(&b'.') {
                    let start = path[..at]
                        .iter()
                        .rposition(|byte| *byte == b'/')
                        .map_or(0, |slash| slash + 1);
                    if has_dots(segment_at(&path[start..])) {
                        return false;
                    }
                }
            }
            byte if !is_plain(byte) => return false,
            _ => {}
        }
        at += 1;
    }
    true
}

fn segment_at(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Whether a segment is a dot segment or hides one. What is not ASCII or not normal is judged
/// elsewhere.
fn has_dots(segment: &[u8]) -> bool {
    matches!(segment, b"." | b"..") || std::str::from_utf8(segment).is_ok_and(hides_dots)
}

/// Whether a segment, its escapes in capitals, reads as a dot segment to a server that decodes
/// `%2F` or `%5C` before it resolves dots, or that drops `;parameters` first (Tomcat). The plain
/// dot segments count as hidden only with company.
fn hides_dots(segment: &str) -> bool {
    let mut rest = segment;
    let mut alone = true;
    loop {
        let cut = rest.find("%2F").into_iter().chain(rest.find("%5C")).min();
        let part = &rest[..cut.unwrap_or(rest.len())];
        let name_ends = part.find(';').into_iter().chain(part.find("%3B")).min();
        alone &= cut.is_none() && name_ends.is_none();
        if !alone && matches!(&part[..name_ends.unwrap_or(part.len())], "." | "..") {
            return true;
        }
        match cut {
            Some(cut) => rest = &rest[cut + 3..],
            None => return false,
        }
    }
}

/// The octet of the escape that `bytes` begins with.
fn escape(bytes: &[u8]) -> Option<u8> {
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    u8::try_from(digit(1)? * 16 + digit(2)?).ok()
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` without the escapes, RFC 3986 §3.3: what stands in a segment as it is.
const fn is_plain(byte: u8) -> bool {
    const PLAIN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let octet = byte as u8;
            table[byte] = is_unreserved(octet)
                || matches!(
                    octet,
                    b'!' | b'$'
                        | b'&'
                        | b'\''
                        | b'('
                        | b')'
                        | b'*'
                        | b'+'
                        | b','
                        | b';'
                        | b'='
                        | b':'
                        | b'@'
                );
            byte += 1;
        }
        table
    };
    PLAIN[byte as usize]
}

/// The form of a normal path that is compared with rules: runs of slashes are one slash.
pub(super) fn merge_slashes(path: &str) -> Cow<'_, str> {
    // Cheaper than `contains`, which prepares a search that is worth it in longer texts only.
    if !path.as_bytes().windows(2).any(|pair| pair == b"//") {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    for char in path.chars() {
        if char != '/' || !out.ends_with('/') {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
