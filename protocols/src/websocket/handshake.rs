//! How a connection is opened (RFC 6455, 4): what a client asks for, and what it is to be answered.
//! The fields are given by value; how they came, as HTTP/1.1's or HTTP/2's, it does not know.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The version of the protocol there is.
pub const VERSION: &str = "13";
/// What a key is hashed with (RFC 6455, 1.3).
const SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The extension that compresses messages (RFC 7692).
const DEFLATE: &str = "permessage-deflate";

/// Why a client cannot have a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It wants another version than [`VERSION`], or does not say which.
    Version,
    /// Its key is not 16 bytes in Base64.
    Key,
    /// A field that is no list of what it is to be: its name.
    List(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => write!(f, "Sec-WebSocket-Version is not {VERSION}"),
            Self::Key => f.write_str("Sec-WebSocket-Key is not 16 bytes in Base64"),
            Self::List(name) => write!(f, "{name} is not a list of names"),
        }
    }
}

impl std::error::Error for Fault {}

/// Looks whether the version a client names is the one there is.
///
/// # Errors
/// [`Fault::Version`], to be answered with 426 and [`VERSION`].
pub fn check_version(version: Option<&[u8]>) -> Result<(), Fault> {
    match version.map(<[u8]>::trim_ascii) {
        Some(version) if version == VERSION.as_bytes() => Ok(()),
        _ => Err(Fault::Version),
    }
}

/// What a server answers a client's key with.
///
/// # Errors
/// [`Fault::Key`] if it is none.
pub fn accept(key: &[u8]) -> Result<String, Fault> {
    let key = key.trim_ascii();
    let decoded = STANDARD.decode(key).map_err(|_| Fault::Key)?;
    if decoded.len() != 16 {
        return Err(Fault::Key);
    }
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(SALT);
    Ok(STANDARD.encode(hash.finalize()))
}

/// A key made of these bytes, which nobody else should know.
pub fn key(random: [u8; 16]) -> String {
    STANDARD.encode(random)
}

/// The subprotocols that are asked for, in the order in which they are wanted; the values are those of
/// every `Sec-WebSocket-Protocol`.
///
/// # Errors
/// [`Fault::List`] if one of them is no name, or stands twice.
pub fn protocols<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Vec<&'v str>, Fault> {
    let fault = Fault::List("Sec-WebSocket-Protocol");
    let mut names = Vec::new();
    for name in values
        .into_iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
    {
        let name = name.trim_ascii();
        if !is_token(name) {
            return Err(fault);
        }
        let name = str::from_utf8(name).map_err(|_| fault)?;
        if names.contains(&name) {
            return Err(fault);
        }
        names.push(name);
    }
    Ok(names)
}

/// What of the extensions that are offered or agreed on is `permessage-deflate`, as the value of one
/// `Sec-WebSocket-Extensions`: frames of others would not be understood.
///
/// # Errors
/// [`Fault::List`] if they are none.
pub fn deflate<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Option<String>, Fault> {
    let fault = Fault::List("Sec-WebSocket-Extensions");
    let mut found = Vec::new();
    for extension in values.into_iter().flat_map(elements) {
        let text = str::from_utf8(extension).map_err(|_| fault)?.trim();
        let name = text.split(';').next().unwrap_or_default().trim_end();
        if !is_token(name.as_bytes()) {
            return Err(fault);
        }
        if name.eq_ignore_ascii_case(DEFLATE) {
            found.push(text);
        }
    }
    Ok((!found.is_empty()).then(|| found.join(", ")))
}

/// The elements of a list; a comma in a quoted string parts none.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    })
}

/// Whether it is a token (RFC 9110, 5.6.2).
fn is_token(name: &[u8]) -> bool {
    let of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(of_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let answer = accept(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(answer.as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let key = key(*b"the sample nonce");
        assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn what_is_no_key_and_no_version() {
        for key in [
            "",
            "short",
            "dGhlIHNhbXBsZSBub25j",
            "dGhlIHNhbXBsZSBub25jZSE=\u{e9}",
        ] {
            assert_eq!(accept(key.as_bytes()), Err(Fault::Key), "{key}");
        }
        assert_eq!(check_version(Some(b" 13")), Ok(()));
        for version in [None, Some(&b"8"[..]), Some(b"13, 8")] {
            assert_eq!(check_version(version), Err(Fault::Version));
        }
    }

    #[test]
    fn subprotocols_are_listed_once_each() {
        let values = [&b"graphql-transport-ws, chat.v2"[..], b"mqtt"];
        assert_eq!(
            protocols(values),
            Ok(vec!["graphql-transport-ws", "chat.v2", "mqtt"])
        );
        assert_eq!(protocols([]), Ok(Vec::new()));
        for wrong in [&b"a,,b"[..], b"a, a", b"a b", b"", b"\xff"] {
            assert_eq!(
                protocols([wrong]),
                Err(Fault::List("Sec-WebSocket-Protocol"))
            );
        }
    }

    #[test]
    fn compression_is_the_one_extension_that_is_understood() {
        let read = |value: &'static str| deflate([value.as_bytes()]);
        let offer = "permessage-deflate; client_max_window_bits, x-weir; note=\"a, \\\" b\", permessage-deflate";
        assert_eq!(
            read(offer),
            Ok(Some(
                "permessage-deflate; client_max_window_bits, permessage-deflate".to_owned()
            ))
        );
        assert_eq!(
            read("Permessage-Deflate"),
            Ok(Some("Permessage-Deflate".to_owned()))
        );
        assert_eq!(read("x-weir"), Ok(None));
        assert_eq!(deflate([]), Ok(None));
        for wrong in ["", "a,,b", "; a", "a b"] {
            assert_eq!(
                read(wrong),
                Err(Fault::List("Sec-WebSocket-Extensions")),
                "{wrong}"
            );
        }
    }
}
