//! Random ids and how they are written. It knows nothing of spans.
//!
//! Ids have to be unique, not secret: a fast generator per thread, seeded from
//! the operating system (xoshiro256++, by Blackman and Vigna).

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    static STATE: Cell<[u64; 4]> = Cell::new(seed());
}

fn seed() -> [u64; 4] {
    let mut bytes = [0_u8; 32];
    if getrandom::fill(&mut bytes).is_err() {
        return seed_without_the_system();
    }
    let mut words = [0_u64; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = chunk.iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
    }
    // All zero is the one state the generator never leaves.
    words[0] |= 1;
    words
}

/// Where the system has no randomness to give, ids still must differ between
/// threads and restarts: spread a counter and the clock (splitmix64).
fn seed_without_the_system() -> [u64; 4] {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64);
    let thread = THREADS.fetch_add(1, Ordering::Relaxed);
    let mut x = now ^ thread.rotate_left(48) ^ u64::from(std::process::id()).rotate_left(24);
    std::array::from_fn(|_| {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

fn next() -> u64 {
    STATE.with(|state| {
        let [s0, s1, s2, s3] = state.get();
        let result = s0.wrapping_add(s3).rotate_left(23).wrapping_add(s0);
        let t = s1 << 17;
        let s2 = s2 ^ s0;
        let s3 = s3 ^ s1;
        state.set([s0 ^ s3, s1 ^ s2, s2 ^ t, s3.rotate_left(45)]);
        result
    })
}

/// Random bytes, never all zero. `N` is a multiple of eight.
pub(super) fn random_id<const N: usize>() -> [u8; N] {
    loop {
        let mut id = [0_u8; N];
        for chunk in id.chunks_exact_mut(8) {
            chunk.copy_from_slice(&next().to_be_bytes());
        }
        if id != [0; N] {
            return id;
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Write `bytes` as lowercase hexadecimal; `out` is twice as long.
pub(super) fn put_hex(bytes: &[u8], out: &mut [u8]) {
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Read exactly `2 * N` lowercase hexadecimal digits.
pub(super) fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut out = [0_u8; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(out)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// A short ASCII text of fixed length, without the heap.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ascii<const N: usize>([u8; N]);

impl<const N: usize> Ascii<N> {
    /// `bytes` must be ASCII; every maker in this module writes only that.
    pub(super) const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// `N` is twice the length of `bytes`.
    pub(super) fn hex_of(bytes: &[u8]) -> Self {
        let mut out = [b'0'; N];
        put_hex(bytes, &mut out);
        Self(out)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII is ever put in")
    }
}

impl<const N: usize> Deref for Ascii<N> {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> fmt::Display for Ascii<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Ascii<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The name of one request, told to the caller and found in every log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(Repr);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Own(Ascii<32>),
    Given(Box<str>),
}

impl RequestId {
    /// The longest id taken over from a trusted caller, in bytes.
    pub const MAX_LEN: usize = 128;

    /// A new id: 128 random bits as 32 lowercase hexadecimal digits.
    pub fn random() -> Self {
        Self(Repr::Own(Ascii::hex_of(&random_id::<16>())))
    }

    /// No id, an empty text: what is left in place of one that was moved away.
    pub fn unset() -> Self {
        Self(Repr::Given(Box::default()))
    }

    /// Take over the id a trusted caller sent: 1 to 128 characters out of
    /// letters, digits and `-._~:+=@`, so that it is safe in a log, a header
    /// and a path. `None` for anything else.
    pub fn from_header(value: &[u8]) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&value.len())
            && value
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~:+=@".contains(b));
        let text = std::str::from_utf8(value).ok()?;
        fits.then(|| Self(Repr::Given(text.into())))
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Own(text) => text.as_str(),
            Repr::Given(text) => text,
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_do_not_repeat_within_or_across_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| (0..10_000).map(|_| random_id::<8>()).collect::<Vec<_>>())
            })
            .collect();
        let mut seen = HashSet::new();
        for thread in threads {
            for id in thread.join().expect("no panic") {
                assert!(seen.insert(id), "{id:?} twice");
            }
        }
    }

    #[test]
    fn the_fallback_seed_differs_each_time() {
        assert_ne!(seed_without_the_system(), seed_without_the_system());
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        let bytes = [0x00, 0x0f, 0xf0, 0xa9];
        let text: Ascii<8> = Ascii::hex_of(&bytes);
        assert_eq!(text.as_str(), "000ff0a9");
        assert_eq!(from_hex::<4>(text.as_bytes()), Some(bytes));
        assert_eq!(from_hex::<4>(b"000FF0A9"), None);
        assert_eq!(from_hex::<4>(b"000ff0a"), None);
    }

    #[test]
    fn a_request_id_is_taken_over_only_if_it_is_harmless() {
        let id = RequestId::from_header(b"01JABC-7.x~y:z").expect("harmless");
        assert_eq!(id.as_str(), "01JABC-7.x~y:z");
        for bad in [
            &b""[..],
            b"a b",
            b"a\nb",
            b"a/b",
            b"a\"b",
            b"\xff",
            &[b'a'; 129],
        ] {
            assert_eq!(RequestId::from_header(bad), None, "{bad:?}");
        }
        assert!(RequestId::from_header(&[b'a'; 128]).is_some());
        assert_eq!(RequestId::random().as_str().len(), 32);
    }
}
