//! What AWS services have in common on the wire, and no HTTP library knows.
//!
//! | Module | Is |
//! |---|---|
//! | [`event_stream`] | `application/vnd.amazon.eventstream`: messages in binary frames |
//! | [`sigv4`] | Signature Version 4: how a request proves who sent it |
//!
//! Nothing here knows a service, reads a configuration or finds credentials.

pub mod event_stream;
pub mod sigv4;

/// Appends `bytes` with everything but letters, digits and `-._~` as `%XX`: AWS's way of putting a
/// value into a path or a query, slashes and colons included.
pub(crate) fn percent_encode(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}
