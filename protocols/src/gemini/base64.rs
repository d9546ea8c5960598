//! Base64 in both of its alphabets. Google's client libraries send bytes in the one for URLs
//! (RFC 4648, 5), other providers take only the plain one (RFC 4648, 4). Decodes nothing.

use std::borrow::Cow;

/// An alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// With `+` and `/`.
    Plain,
    /// With `-` and `_`.
    Url,
}

/// The alphabet of `text`, if it is whole base64: padded, and all of one alphabet.
pub(super) fn alphabet(text: &str) -> Option<Alphabet> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if text.is_empty() || !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let (mut plain, mut url) = (false, false);
    for byte in digits.bytes() {
        match byte {
            b'+' | b'/' => plain = true,
            b'-' | b'_' => url = true,
            _ if byte.is_ascii_alphanumeric() => {}
            _ => return None,
        }
    }
    match (plain, url) {
        (true, true) => None,
        (_, true) => Some(Alphabet::Url),
        _ => Some(Alphabet::Plain),
    }
}

/// The same bytes in the plain alphabet, padded.
pub(super) fn plain(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(['-', '_']) && text.len().is_multiple_of(4) {
        return text;
    }
    let mut plain = text.replace('-', "+").replace('_', "/");
    while !plain.len().is_multiple_of(4) {
        plain.push('=');
    }
    Cow::Owned(plain)
}

/// The same bytes in the alphabet for URLs.
pub(super) fn url(text: &str) -> String {
    text.replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alphabet_is_told_from_what_is_none() {
        for (text, expected) in [
            ("AAAA", Some(Alphabet::Plain)),
            ("A+/=", Some(Alphabet::Plain)),
            ("A-_=", Some(Alphabet::Url)),
            ("A-/=", None),
            ("AAA", None),
            ("A===", None),
            ("A=AA", None),
            ("", None),
            ("\u{e4}AA", None),
        ] {
            assert_eq!(alphabet(text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_can_go_from_one_alphabet_to_the_other() {
        assert!(matches!(plain("A+/=".into()), Cow::Borrowed("A+/=")));
        assert_eq!(plain("A-_=".into()), "A+/=");
        assert_eq!(plain("AA".into()), "AA==");
        assert_eq!(url("A+/="), "A-_=");
    }
}
