//! A query string as forms are encoded (`application/x-www-form-urlencoded`, WHATWG URL). Knows no
//! parameter by name.

use std::borrow::Cow;

use crate::json::{Fault, Kind};

/// The values of the parameters called `names`, decoded.
///
/// # Errors
/// If one of them stands twice, or is not UTF-8.
pub(super) fn pick<'a, const N: usize>(
    query: &'a str,
    names: [&'static str; N],
) -> Result<[Option<Cow<'a, str>>; N], Fault> {
    let mut values = [const { None }; N];
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = decode(name) else { continue };
        let Some(index) = names.iter().position(|known| *known == name) else {
            continue;
        };
        let fault = |kind, problem, mend| {
            Err(Fault::new(kind, b"", 0, problem, mend).at_path(names[index]))
        };
        let Some(value) = decode(value) else {
            let mend = "encode it as UTF-8, and then as forms are";
            return fault(Kind::NotUtf8, "the parameter is not UTF-8", mend);
        };
        if values[index].replace(value).is_some() {
            let mend = "send it once: two readers could take two different values";
            return fault(Kind::Duplicate, "the parameter stands twice", mend);
        }
    }
    Ok(values)
}

/// Which of `names` a pair of name and value is of.
pub(super) fn name_of<const N: usize>(
    pair: &str,
    names: [&'static str; N],
) -> Option<&'static str> {
    let name = decode(pair.split_once('=').map_or(pair, |(name, _)| name))?;
    names.into_iter().find(|known| *known == name)
}

/// `None` if it is not UTF-8. A `%` that two hexadecimal digits do not follow is one.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            (other, _) => out.push(*other),
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}
