//! Receipts as bytes: each a length in four bytes, little-endian, and MessagePack.

use serde::{Deserialize, Serialize};

use crate::quota::store::{WrittenTerms, write};

/// What an account settled in one step, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::quota) struct Record {
    /// What the holder is called in the file.
    pub(in crate::quota) id: u32,
    pub(in crate::quota) step: u64,
    pub(in crate::quota) settled: u64,
    /// All it ever used beyond its reservations.
    pub(in crate::quota) overrun: u64,
}

/// Who a holder is, and all that it settled so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::quota) struct Holding {
    pub(in crate::quota) key: String,
    pub(in crate::quota) root: String,
    pub(in crate::quota) terms: WrittenTerms,
    pub(in crate::quota) holder: u64,
    /// By step.
    pub(in crate::quota) settled: Vec<(u64, u64)>,
    pub(in crate::quota) overrun: u64,
    /// How much of that the book has heard of.
    pub(in crate::quota) told: u64,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Line {
    Holder(u32, Holding),
    Settled(Record),
}

impl Record {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        Line::Settled(self).to_bytes()
    }
}

impl Holding {
    pub(super) fn into_bytes(self, id: u32) -> Vec<u8> {
        Line::Holder(id, self).to_bytes()
    }
}

impl Line {
    fn to_bytes(&self) -> Vec<u8> {
        let body = write(self);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(4 + body.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The lines of a file, as far as they are whole: the last may have been cut short.
    pub(super) fn all(mut bytes: &[u8]) -> Vec<Self> {
        let mut lines = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some((body, rest)) = rest.split_at_checked(length) else {
                break;
            };
            let Ok(line) = rmp_serde::from_slice(body) else {
                break;
            };
            lines.push(line);
            bytes = rest;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::book::Terms;
    use crate::quota::window::{Period, Window};

    #[test]
    fn lines_are_read_as_far_as_they_are_whole() {
        let terms = Terms {
            window: Window::Fixed {
                every: Period::Hour,
            },
            limit: 10,
        };
        let holding = Holding {
            key: "{a}:q".to_owned(),
            root: "a".to_owned(),
            terms: terms.into(),
            holder: 7,
            settled: vec![(3, 20)],
            overrun: 1,
            told: 0,
        };
        let record = Record {
            id: 0,
            step: 3,
            settled: 25,
            overrun: 1,
        };
        let lines = [Line::Holder(0, holding), Line::Settled(record)];
        let bytes: Vec<u8> = lines.iter().flat_map(Line::to_bytes).collect();
        let first = lines[0].to_bytes().len();
        for end in 0..=bytes.len() {
            let whole = usize::from(end >= first) + usize::from(end == bytes.len());
            assert_eq!(Line::all(&bytes[..end]), lines[..whole], "{end}");
        }
    }
}
