//! Base64 (RFC 4648, 4) of vectors: strict, padded, and whole numbers of floats only.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text of a vector.
pub(super) fn encode(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|float| float.to_le_bytes())
        .collect();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = bits >> (18 - 6 * place) & 0x3f;
            out.push(match place > chunk.len() {
                true => '=',
                false => char::from(ALPHABET[sextet as usize]),
            });
        }
    }
    out
}

/// The vector a text holds. `None` if it is no base64, or of no whole number of floats.
pub(super) fn decode(text: &str) -> Option<Vec<f32>> {
    let text = text.as_bytes();
    let (bare, padding) = match text {
        [bare @ .., b'=', b'='] => (bare, 2),
        [bare @ .., b'='] => (bare, 1),
        bare => (bare, 0),
    };
    // Padding may be left out, as some servers do; half of it may not.
    if padding > 0 && !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(bare.len() / 4 * 3 + 3);
    for chunk in bare.chunks(4) {
        let mut bits = 0_u32;
        for letter in chunk {
            bits = bits << 6 | u32::from(sextet(*letter)?);
        }
        bits <<= 6 * (4 - chunk.len());
        let whole = match chunk.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=whole]);
    }
    let (floats, rest) = bytes.as_chunks::<4>();
    let vector = || floats.iter().map(|bytes| f32::from_le_bytes(*bytes));
    rest.is_empty().then(|| vector().collect())
}

fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_any_length_come_back() {
        let vector = [0.0, -1.5, f32::MIN_POSITIVE, 3.402_823_5e38, 0.1];
        for length in 0..=vector.len() {
            let text = encode(&vector[..length]);
            assert_eq!(text.len() % 4, 0);
            assert_eq!(decode(&text).as_deref(), Some(&vector[..length]), "{text}");
            let bare = text.trim_end_matches('=');
            assert_eq!(decode(bare).as_deref(), Some(&vector[..length]), "{bare}");
        }
        assert_eq!(encode(&[1.0]), "AACAPw==");
    }

    #[test]
    fn what_is_no_vector_is_none() {
        for none in [
            "A",
            "AAAA",
            "AACAPw=",
            "AACA*w==",
            "AACAPw===",
            "====",
            "=",
            "AACA_w==",
        ] {
            assert_eq!(decode(none), None, "{none}");
        }
    }
}
