//! Where a token ends (GraphQL, section 2.1). Knows one token at a time.

/// What is no token.
pub(super) struct Wrong {
    pub(super) problem: &'static str,
    /// The byte at which it is.
    pub(super) at: usize,
}

/// The first byte from `at` on that is none to be ignored.
pub(super) fn skip_ignored(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\n' | b'\r' | b',') => at += 1,
            Some(b'#') => {
                let comment = &bytes[at..];
                at += memchr::memchr2(b'\n', b'\r', comment).unwrap_or(comment.len());
            }
            // A byte order mark may stand anywhere.
            Some(0xef) if bytes[at..].starts_with(b"\xef\xbb\xbf") => at += 3,
            _ => return at,
        }
    }
}

/// The byte after the token that begins at `at`, which must be within `bytes`.
pub(super) fn end(bytes: &[u8], at: usize) -> Result<usize, Wrong> {
    match bytes[at] {
        b'{' | b'}' | b'[' | b']' | b'(' | b')' | b'!' | b'$' | b'&' | b':' | b'=' | b'@'
        | b'|' => Ok(at + 1),
        b'.' if bytes[at..].starts_with(b"...") => Ok(at + 3),
        b'_' | b'a'..=b'z' | b'A'..=b'Z' => Ok(skip(bytes, at + 1, is_name)),
        b'-' | b'0'..=b'9' => number(bytes, at),
        b'"' if bytes[at..].starts_with(b"\"\"\"") => block_string(bytes, at),
        b'"' => string(bytes, at),
        _ => Err(Wrong {
            problem: "no token of GraphQL begins with this",
            at,
        }),
    }
}

fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// The first byte from `at` on that `is` not said of.
fn skip(bytes: &[u8], at: usize, is: fn(u8) -> bool) -> usize {
    let rest = bytes[at..].iter();
    at + rest.take_while(|byte| is(**byte)).count()
}

fn number(bytes: &[u8], at: usize) -> Result<usize, Wrong> {
    let whole = at + usize::from(bytes[at] == b'-');
    let mut end = match bytes.get(whole) {
        // Nothing may follow a leading zero, which the last look below sees to.
        Some(b'0') => whole + 1,
        _ => digits(bytes, whole)?,
    };
    if bytes.get(end) == Some(&b'.') {
        end = digits(bytes, end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits(bytes, end + 1 + usize::from(signed))?;
    }
    match bytes.get(end) {
        Some(byte) if is_name(*byte) || *byte == b'.' => Err(Wrong {
            problem: "a number ends here, and something else begins",
            at: end,
        }),
        _ => Ok(end),
    }
}

fn digits(bytes: &[u8], at: usize) -> Result<usize, Wrong> {
    match skip(bytes, at, is_digit) {
        end if end > at => Ok(end),
        _ => Err(Wrong {
            problem: "a digit is missing here",
            at,
        }),
    }
}

fn string(bytes: &[u8], start: usize) -> Result<usize, Wrong> {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            // What may be escaped is the parser's to know; a quote is not the end of the string.
            Some(b'\\') if matches!(bytes.get(at + 1), Some(b'"' | b'\\')) => at += 2,
            None | Some(b'\n' | b'\r') => return Err(unterminated(start)),
            Some(_) => at += 1,
        }
    }
}

fn block_string(bytes: &[u8], start: usize) -> Result<usize, Wrong> {
    let mut from = start + 3;
    loop {
        let Some(quote) = memchr::memchr(b'"', &bytes[from..]) else {
            return Err(unterminated(start));
        };
        let quote = from + quote;
        if !bytes[quote..].starts_with(b"\"\"\"") {
            from = quote + 1;
        } else if bytes[quote - 1] == b'\\' {
            from = quote + 3;
        } else {
            return Ok(quote + 3);
        }
    }
}

fn unterminated(at: usize) -> Wrong {
    Wrong {
        problem: "a string begins here and does not end",
        at,
    }
}
