//! Names of calls. Anthropic takes letters, digits, `_` and `-`; other providers name theirs as they
//! like. A call and its result are renamed alike, so that they still belong together.

use std::borrow::Cow;

/// The longest name that is written, in bytes.
const LONGEST: usize = 64;

/// The name as it may be written: what may not stand in one becomes `_`, and of a long one the
/// start is kept, followed by a digest of the whole.
pub(super) fn fit(id: &str) -> Cow<'_, str> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !id.is_empty() && id.len() <= LONGEST && id.bytes().all(is_fit) {
        return Cow::Borrowed(id);
    }
    let clean = |c: char| match u8::try_from(c) {
        Ok(byte) if is_fit(byte) => c,
        _ => '_',
    };
    if id.chars().count() <= LONGEST && !id.is_empty() {
        return Cow::Owned(id.chars().map(clean).collect());
    }
    let digest = format!("_{:016x}", digest(id));
    let start = id.chars().map(clean).take(LONGEST - digest.len());
    Cow::Owned(start.chain(digest.chars()).collect())
}

/// FNV-1a of 64 bits: the same in every process, which is all that is asked of it.
fn digest(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_stays_and_others_are_made_to() {
        let long = "x".repeat(LONGEST);
        for id in ["toolu_01-A", &long] {
            assert!(matches!(fit(id), Cow::Borrowed(same) if same == id));
        }
        assert_eq!(fit("call:1/ä"), "call_1__");
        let longer = [format!("{long}a"), format!("{long}b")];
        let [first, second] = [fit(&longer[0]), fit(&longer[1])];
        assert_ne!(first, second);
        for id in [&first, &second, &fit("")] {
            assert!((1..=LONGEST).contains(&id.len()), "{id}");
            assert_eq!(fit(id), **id, "it fits then");
        }
    }
}
