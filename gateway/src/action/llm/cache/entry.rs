//! An answer that is kept: what its provider said, byte for byte, and who that was. Knows neither who
//! asked nor what.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::action::llm::api::Outbound;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) head: Head,
    /// As the provider said it; vectors as the caller got them.
    pub(super) body: Bytes,
}

/// What is known of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) form: Form,
    /// In whose words it is.
    pub(super) speaks: Outbound,
    /// Who gave it.
    pub(super) provider: Arc<str>,
    /// What that calls the model.
    pub(super) model: Arc<str>,
    /// What of the call did not go to it, as callers are told.
    pub(super) dropped: Option<String>,
    /// When it was kept, in milliseconds since the Unix epoch.
    pub(super) kept_at: u64,
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    /// One document.
    Whole,
    /// A stream.
    Stream,
    /// The document of vectors, in OpenAI's dialect.
    Vectors,
}

/// What an entry begins with where other processes read it, which may be of another version.
const FORMAT: u8 = 1;

/// What an entry takes beside its bytes, roughly.
const AROUND: usize = 512;

/// The present, in milliseconds since the Unix epoch.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

impl Entry {
    /// How long ago it was kept.
    pub(super) fn age(&self, now: u64) -> Duration {
        Duration::from_millis(now.saturating_sub(self.head.kept_at))
    }

    /// What it takes in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        self.body.len() + self.head.dropped.as_ref().map_or(0, String::len) + AROUND
    }

    /// In bytes, for other processes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let head = rmp_serde::to_vec(&self.head).expect("text and numbers always serialise");
        let mut out = Vec::with_capacity(5 + head.len() + self.body.len());
        out.push(FORMAT);
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(&self.body);
        out
    }

    /// What another process wrote; `None` if it is none of this format.
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let (&format, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        if format != FORMAT || length > rest.len() {
            return None;
        }
        Some(Self {
            head: rmp_serde::from_slice(&rest[..length]).ok()?,
            body: bytes.slice(5 + length..),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn entry(body: &[u8]) -> Entry {
        Entry {
            head: Head {
                form: Form::Stream,
                speaks: Outbound::Messages,
                provider: "claude".into(),
                model: "claude-opus-4-6".into(),
                dropped: Some("user".to_owned()),
                kept_at: 1_700_000_000_000,
            },
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let entry = entry(b"data: {}\n\n");
        assert_eq!(Entry::decode(&entry.encode().into()), Some(entry));
    }

    proptest! {
        #[test]
        fn what_is_none_is_not_taken_for_one(mut bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _anything = Entry::decode(&bytes.clone().into());
            bytes.splice(0..0, [FORMAT + 1]);
            prop_assert_eq!(Entry::decode(&bytes.into()), None);
        }
    }

    #[test]
    fn one_that_is_cut_short_in_its_head_is_none() {
        let whole = entry(b"").encode();
        for length in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..length]);
            assert_eq!(Entry::decode(&cut), None, "{length}");
        }
    }
}
