//! A request as it is signed: path, query and headers in the one form both sides come to.

use super::Request;
use crate::aws::percent_encode;

/// The request in that form.
pub(super) struct Canonical {
    /// All of it.
    pub(super) text: String,
    /// The names of its headers.
    pub(super) signed: String,
}

pub(super) fn request(
    request: &Request<'_>,
    headers: &[(&str, &str)],
    body_sha256: &str,
) -> Canonical {
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), *value))
        .collect();
    // Stable: values of one name keep their order.
    headers.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut lines = String::new();
    let mut signed = String::new();
    for same in headers.chunk_by(|(left, _), (right, _)| left == right) {
        let name = &same[0].0;
        lines.push_str(name);
        for (at, (_, value)) in same.iter().enumerate() {
            lines.push(if at == 0 { ':' } else { ',' });
            trimmed(&mut lines, value);
        }
        lines.push('\n');
        if !signed.is_empty() {
            signed.push(';');
        }
        signed.push_str(name);
    }
    let path = path(request.path);
    let query = query(request.query);
    let method = request.method;
    let text = format!("{method}\n{path}\n{query}\n{lines}\n{signed}\n{body_sha256}");
    Canonical { text, signed }
}

/// Without spaces around it, and with one where several stood.
fn trimmed(out: &mut String, value: &str) {
    for (at, word) in value.split(' ').filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// Without empty, `.` and `..` segments, and each segment percent-encoded as it is.
fn path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            _ => segments.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len() + 8);
    for segment in &segments {
        out.push('/');
        percent_encode(&mut out, segment.as_bytes());
    }
    if segments.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

/// Names and values decoded and encoded again, sorted by what comes of it.
fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recoded(name), recoded(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Percent-decoded, where it is percent-encoded, and encoded again.
fn recoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, after @ ..] => digit(*high).zip(digit(*low)).zip(Some(after)),
            _ => None,
        };
        match escaped {
            Some(((high, low), after)) => {
                decoded.push(high << 4 | low);
                rest = after;
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    let mut out = String::with_capacity(decoded.len());
    percent_encode(&mut out, &decoded);
    out
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}
