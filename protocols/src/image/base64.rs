//! Base64 (RFC 4648 §4), only from the front and only as far as asked. Takes
//! it as it stands in a JSON string, where a slash may be escaped.

/// Decodes `text` until `limit` bytes are out or it ends, at padding or at
/// anything that is not base64. Both alphabets are taken, the one for URLs too.
pub(super) fn decode(text: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(limit.min(text.len() / 4 * 3 + 3));
    let mut bits = 0_u32;
    let mut held = 0;
    for value in sextets(text) {
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            // The low eight bits of what is left: the ones above are out already.
            out.push((bits >> held & 0xff) as u8);
            if out.len() >= limit {
                break;
            }
        }
    }
    out
}

fn sextets(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text.iter();
    std::iter::from_fn(move || {
        let byte = match rest.next()? {
            // JSON lets `/` be written `\/`.
            b'\\' => rest.next().filter(|byte| **byte == b'/')?,
            byte => byte,
        };
        match byte {
            b'A'..=b'Z' => Some(byte - b'A'),
            b'a'..=b'z' => Some(byte - b'a' + 26),
            b'0'..=b'9' => Some(byte - b'0' + 52),
            b'+' | b'-' => Some(62),
            b'/' | b'_' => Some(63),
            _ => None,
        }
    })
}
