//! `grpc-message`: a text for people as UTF-8, percent-encoded so that a header field can carry it.

use std::borrow::Cow;

/// Escapes all that is not printable ASCII, and `%` itself.
///
/// ```
/// # use weir_protocols::grpc::status::message;
/// assert_eq!(message::encode("50% of 3 \u{20ac}"), "50%25 of 3 %E2%82%AC");
/// ```
pub fn encode(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'%';
    if text.bytes().all(is_plain) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    out.into()
}

/// Reads an escaped text. Never fails: an escape that is none, or does not make UTF-8, is left as it
/// stands, and raw bytes that are no UTF-8 become the replacement character. What comes out may hold
/// line ends and other control characters.
///
/// ```
/// # use weir_protocols::grpc::status::message;
/// assert_eq!(message::decode(b"3 %E2%82%AC, 100%, %ff"), "3 \u{20ac}, 100%, %ff");
/// ```
pub fn decode(value: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(value);
    if !text.contains('%') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // A character's escapes stand together, so what stands together is what can be UTF-8.
        let bytes: Vec<u8> = rest.as_bytes().chunks(3).map_while(escape).collect();
        if bytes.is_empty() {
            out.push('%');
            rest = &rest[1..];
            continue;
        }
        let (escapes, after) = rest.split_at(bytes.len() * 3);
        unescape(&bytes, escapes, &mut out);
        rest = after;
    }
    out.push_str(rest);
    out.into()
}

/// Writes what is UTF-8 in `bytes`, and for the rest the `escapes` they come from.
fn unescape(bytes: &[u8], escapes: &str, out: &mut String) {
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        at += chunk.valid().len();
        let end = at + chunk.invalid().len();
        out.push_str(&escapes[at * 3..end * 3]);
        at = end;
    }
}

fn escape(text: &[u8]) -> Option<u8> {
    let &[b'%', high, low] = text else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_survives() {
        for text in ["", "plain ~", "100%", "a\r\nb\0", "\u{e4}\u{1f600}", "%41"] {
            let encoded = encode(text);
            assert!(encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            assert_eq!(decode(encoded.as_bytes()), text);
        }
        assert!(matches!(encode("plain"), Cow::Borrowed(_)));
        assert!(matches!(decode(b"plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_no_escape_stays() {
        for (value, expected) in [
            ("%", "%"),
            ("%4", "%4"),
            ("%%41", "%A"),
            ("%g1%41", "%g1A"),
            ("%+1", "%+1"),
            ("%ff%41%C3", "%ffA%C3"),
            ("%e4%", "%e4%"),
            ("%c3%a4%e2%82x", "\u{e4}%e2%82x"),
            ("\u{e4}%2", "\u{e4}%2"),
            ("%2\u{e4}", "%2\u{e4}"),
        ] {
            assert_eq!(decode(value.as_bytes()), expected, "{value}");
        }
        assert_eq!(decode(b"a\xff%41"), "a\u{fffd}A");
    }
}
