//! What is known of a key, and what may become of it. It knows no store.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use sha2::{Digest as _, Sha256};

use crate::kafka::Positions;

/// A key within its scope. What it is made of cannot be read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(pub(super) [u8; 32]);

/// What a key was used for, so far as that must be the same when it is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(super) [u8; 32]);

impl Id {
    /// The one of these parts, whatever is in them.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        Self(digest(parts))
    }
}

impl Fingerprint {
    /// The one of these parts, whatever is in them.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        Self(digest(parts))
    }
}

/// Each part with its length, so that no two lists of parts are the same bytes.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Nothing fails that is written to a string.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Tells one who has a key from all others who ever had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonce(pub(super) u128);

impl Nonce {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(u128::from_le_bytes(bytes)))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// On what terms somebody has a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) nonce: Nonce,
    /// For how long nobody else gets it.
    pub(super) lease: Duration,
    /// How long an answer is known.
    pub(super) keep: Duration,
}

/// How far topics were before anything was written to them: there it would be found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Places(pub(crate) BTreeMap<Arc<str>, Positions>);

impl Places {
    pub(super) fn encode(&self) -> String {
        let places = self.0.iter();
        let places = places.map(|(topic, at)| (&**topic, at.offsets()));
        // Texts and numbers can always be written.
        serde_json::to_string(&places.collect::<BTreeMap<_, _>>()).unwrap_or_default()
    }

    pub(super) fn decode(text: &[u8]) -> Option<Self> {
        let places: BTreeMap<String, Vec<i64>> = serde_json::from_slice(text).ok()?;
        let places = places.into_iter();
        let places = places.map(|(topic, at)| (topic.into(), Positions::new(at)));
        Some(Self(places.collect()))
    }
}

/// An answer to give again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// JSON.
    pub(crate) body: Bytes,
}

impl Answer {
    pub(super) fn encode(&self) -> Vec<u8> {
        [self.status.as_str().as_bytes(), &self.body].concat()
    }

    pub(super) fn decode(mut bytes: Bytes) -> Option<Self> {
        let status = (bytes.len() >= 3).then(|| bytes.split_to(3))?;
        Some(Self {
            status: StatusCode::from_bytes(&status).ok()?,
            body: bytes,
        })
    }
}

/// What whoever comes with a key is told by a store.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// It is theirs. If anything may have been written with it before: from where on.
    Ours(Option<Places>),
    Answered(Answer),
    /// Somebody has it, for so long at most.
    Busy(Duration),
    Reused,
}

/// What whoever has a key may do with it.
#[derive(Debug)]
pub(super) enum Change {
    /// From now on something may be written, and the lease begins anew.
    Send(Places),
    /// All is done.
    Answer(Answer),
    /// Nothing was done, for certain.
    Release,
    /// What was done can be found at once, and is to be gone on with.
    Suspend,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_a_key_is_read() {
        let answer = Answer {
            status: StatusCode::MULTI_STATUS,
            body: Bytes::from_static(b"{}"),
        };
        let read = Answer::decode(answer.encode().into());
        assert_eq!(read, Some(answer));
        for broken in ["", "20", "xyz{}"] {
            assert_eq!(Answer::decode(Bytes::from_static(broken.as_bytes())), None);
        }
        let places = [
            ("a\"b".into(), Positions::new(vec![3, -1])),
            ("c".into(), Positions::default()),
        ];
        let places = Places(places.into());
        assert_eq!(Places::decode(places.encode().as_bytes()), Some(places));
        assert_eq!(Places::decode(b"[1]"), None);
    }

    #[test]
    fn parts_are_told_apart_wherever_they_end() {
        assert_ne!(Id::of(&[b"a", b"bc"]), Id::of(&[b"ab", b"c"]));
        assert_eq!(Id::of(&[b"a"]).to_string().len(), 64);
    }
}
