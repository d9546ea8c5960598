//! Cursors: where a subscriber is in a topic, as a token that any gateway with the same keys can read. Who
//! is given one cannot change it, and cannot use it for another topic or another cluster.
//!
//! A token is base64url of a version, the next offset of each partition and a signature, which covers the
//! cluster's own name and the topic's, too.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::kafka::Positions;

/// What tokens begin with.
const VERSION: u8 = 1;
/// How much of the signature is kept, in bytes.
const SIGNATURE: usize = 16;
/// No topic has more partitions.
const MOST_PARTITIONS: usize = 100_000;

/// What cursors are signed with: by the first, and all are believed.
#[derive(Clone)]
pub(crate) struct Keys(Vec<Hmac<Sha256>>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Those keys; at least one.
    pub(crate) fn new<'k>(keys: impl IntoIterator<Item = &'k [u8]>) -> Self {
        let keyed = keys.into_iter().filter_map(|key| {
            // It takes keys of any length.
            Hmac::new_from_slice(key).ok()
        });
        Self(keyed.collect())
    }

    /// The same for one topic of a cluster.
    pub(super) fn of(&self, cluster_id: &str, topic: &str) -> Seal {
        self.seal(&["weir-cursor", cluster_id, topic])
    }

    /// The same for tokens of which all this is so, the first being their kind.
    pub(in crate::action) fn seal(&self, parts: &[&str]) -> Seal {
        let keys = self.0.iter().cloned().map(|mut key| {
            for part in parts {
                key.update(&(part.len() as u64).to_be_bytes());
                key.update(part.as_bytes());
            }
            key
        });
        Seal(keys.collect())
    }
}

/// Signs tokens of one kind, as the cursors of one topic.
#[derive(Clone)]
pub(in crate::action) struct Seal(Vec<Hmac<Sha256>>);

impl Seal {
    /// The token of some positions.
    pub(super) fn write(&self, at: &Positions) -> String {
        let mut token = Vec::with_capacity(1 + 5 * at.offsets().len() + SIGNATURE);
        token.push(VERSION);
        write_positions(&mut token, at);
        self.sign(token)
    }

    /// The token that says so.
    pub(in crate::action) fn sign(&self, mut token: Vec<u8>) -> String {
        if let Some(key) = self.0.first() {
            let signature = key.clone().chain_update(&token).finalize().into_bytes();
            token.extend_from_slice(&signature[..SIGNATURE]);
        }
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The positions that a token says, if it is one of ours.
    pub(super) fn read(&self, token: &str) -> Option<Positions> {
        let said = self.open(token)?;
        read_positions(said.strip_prefix(&[VERSION])?)
    }

    /// What a token says, if it is one of ours.
    pub(in crate::action) fn open(&self, token: &str) -> Option<Vec<u8>> {
        let mut token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (said, signature) = token.split_at_checked(token.len().checked_sub(SIGNATURE)?)?;
        let signs = |key: &Hmac<Sha256>| {
            let key = key.clone().chain_update(said);
            key.verify_truncated_left(signature).is_ok()
        };
        if !self.0.iter().any(signs) {
            return None;
        }
        token.truncate(said.len());
        Some(token)
    }
}

/// The next offset of each partition.
pub(in crate::action) fn write_positions(out: &mut Vec<u8>, at: &Positions) {
    for &offset in at.offsets() {
        // The least one says that the end was not known.
        write_number(out, u64::try_from(offset + 1).unwrap_or(0));
    }
}

/// The same from a token, to its end.
pub(in crate::action) fn read_positions(mut rest: &[u8]) -> Option<Positions> {
    let mut offsets = Vec::new();
    while !rest.is_empty() && offsets.len() < MOST_PARTITIONS {
        let number = i64::try_from(read_number(&mut rest)?).ok()?;
        offsets.push(number - 1);
    }
    Some(Positions::new(offsets))
}

/// Seven bits in a byte, the lowest first; the highest bit says that more follow.
fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(keys: &[&str]) -> Keys {
        Keys::new(keys.iter().map(|key| key.as_bytes()))
    }

    proptest! {
        #[test]
        fn a_cursor_says_what_it_was_given(offsets in prop::collection::vec(-1..=i64::MAX - 1, 0..20)) {
            let seal = keys(&["one"]).of("cluster", "topic");
            let positions = Positions::new(offsets);
            prop_assert_eq!(seal.read(&seal.write(&positions)), Some(positions));
        }

        #[test]
        fn nothing_else_is_a_cursor(text in "[A-Za-z0-9_-]{0,80}") {
            prop_assert_eq!(keys(&["one"]).of("cluster", "topic").read(&text), None);
        }
    }

    #[test]
    fn keys_are_replaced_one_after_the_other() {
        let at = Positions::new(vec![3, 141, 59_265]);
        let (old, both, new) = (keys(&["old"]), keys(&["new", "old"]), keys(&["new"]));
        let of = |keys: &Keys| keys.of("cluster", "topic");
        let before = of(&old).write(&at);
        assert_eq!(of(&both).read(&before), Some(at.clone()));
        assert_eq!(of(&new).read(&before), None);
        let after = of(&both).write(&at);
        assert_eq!(of(&new).read(&after), Some(at));
        assert_eq!(of(&old).read(&after), None);
    }

    #[test]
    fn a_cursor_is_of_one_topic_of_one_cluster_and_cannot_be_changed() {
        let keys = keys(&["one"]);
        let at = Positions::new(vec![3, 141]);
        let token = keys.of("cluster", "topic").write(&at);
        assert_eq!(keys.of("cluster", "other").read(&token), None);
        assert_eq!(keys.of("other", "topic").read(&token), None);
        assert_eq!(keys.of("clustert", "opic").read(&token), None);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("it is ASCII");
            assert_eq!(keys.of("cluster", "topic").read(&changed), None, "{at}");
        }
    }
}
