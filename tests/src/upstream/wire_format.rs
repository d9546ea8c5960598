//! Responses as bytes: heads, chunks, and whole messages with a length.
//!
//! It writes what it is told, right or wrong.

/// The end of a chunked body without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// One chunk.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The head of a 200 with a chunked body.
pub(crate) fn chunked_head(headers: &[&str]) -> Vec<u8> {
    head(200, &[headers, &["Transfer-Encoding: chunked"]].concat())
}

/// A response with a length.
pub(crate) fn response(status: u16, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    [
        head(status, &[headers, &[&length]].concat()).as_slice(),
        body,
    ]
    .concat()
}

/// A response head with these header lines.
pub(crate) fn head(status: u16, headers: &[&str]) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unnamed");
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}
