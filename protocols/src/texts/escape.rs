//! JSON strings and the text they are. Unlike the readers of dialects this refuses nothing: what a
//! lenient provider would read must be seen here as well.

use std::borrow::Cow;

/// The text of the inside of a JSON string. Half of a surrogate pair, which no text can hold, is
/// U+FFFD; an escape that is none stands for itself.
pub(super) fn text(inside: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut out = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else {
            break;
        };
        rest = &rest[escape.len_utf8()..];
        match escape {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => rest = unit(rest, &mut out),
            other => out.push(other),
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Reads the digits after `\u`, and the other half after them; what follows.
fn unit<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(first) = four(rest) else {
        out.push(char::REPLACEMENT_CHARACTER);
        return rest;
    };
    let after = &rest[4..];
    let second = after.strip_prefix("\\u").and_then(four);
    if let (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) = (first, second) {
        let code = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        return &after[6..];
    }
    out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    after
}

fn four(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// A text as a JSON string, its quotes included.
pub(super) fn string(text: &str) -> String {
    serde_json::to_string(text).expect("text always serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_a_lenient_reader_would() {
        for (inside, expected) in [
            ("plain", "plain"),
            (r#"a\"b\\c\/d\n"#, "a\"b\\c/d\n"),
            (r"\u00e4\ud83d\ude00", "ä😀"),
            (r"\ud83d x \u0061", "\u{fffd} x a"),
            (r"\ud83d\u0061", "\u{fffd}a"),
            (r"\u12", "\u{fffd}12"),
            (r"\u+123", "\u{fffd}+123"),
            ("\\", ""),
        ] {
            assert_eq!(text(inside), expected, "{inside}");
        }
    }
}
