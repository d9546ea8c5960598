//! Byte pair encoding, as far as its number of tokens: of all neighbours in a piece whose join is
//! a token, those of the lowest rank are joined, the first such pair first, until none is left.
//!
//! A queue of the joins that are possible makes it cost n log n for a piece of n bytes. Knows no
//! text: pieces are bytes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

/// Every token of an encoding, by its bytes, with the rank in which it was learnt.
pub(super) struct Vocabulary(FxHashMap<Box<[u8]>, u32>);

impl Vocabulary {
    /// From tokens in the order of their ranks. `None` if there are more, or longer ones, than a
    /// [`Join`] can tell.
    pub(super) fn new(tokens: impl Iterator<Item = Vec<u8>>) -> Option<Self> {
        let ranked = (0..).zip(tokens).map(|(rank, token)| {
            let fits = rank < Join::RANKS && token.len() < Join::LENGTHS;
            fits.then(|| (token.into(), rank))
        });
        ranked.collect::<Option<_>>().map(Self)
    }

    /// How many tokens there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What merging needs to remember, kept between pieces to save allocations.
#[derive(Default)]
pub(super) struct Merger {
    /// By the start of a part, its end, or 0 if none starts there any more.
    ends: Vec<u32>,
    /// By the start of a part, the start of the one before it.
    before: Vec<u32>,
    /// Joins that were possible when found.
    joins: BinaryHeap<Reverse<Join>>,
}

/// Two neighbours to be joined: the rank of both together, in the highest bits, so that the lowest
/// rank comes first, then where they start, then their length. One number takes half the time of
/// three.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Join(u64);

impl Join {
    const RANKS: u32 = 1 << 20;
    const LENGTHS: usize = 1 << 12;

    fn new(rank: u32, start: u32, end: u32) -> Self {
        Self(u64::from(rank) << 44 | u64::from(start) << 12 | u64::from(end - start))
    }

    /// The start and the end.
    fn span(self) -> (u32, u32) {
        let start = (self.0 >> 12) as u32;
        (start, start + (self.0 & 0xfff) as u32)
    }
}

impl Merger {
    /// How many tokens a piece is.
    pub(super) fn count(&mut self, piece: &[u8], vocabulary: &Vocabulary) -> u64 {
        if piece.len() < 2 || vocabulary.0.contains_key(piece) {
            return piece.len().min(1) as u64;
        }
        let Ok(length) = u32::try_from(piece.len()) else {
            return piece.len() as u64;
        };
        self.begin(piece, vocabulary, length);
        let mut parts = u64::from(length);
        while let Some(Reverse(join)) = self.joins.pop() {
            let (start, end) = join.span();
            let middle = self.ends[start as usize];
            // Stale, if a part of the pair has been joined with another meanwhile.
            if middle == 0 || middle >= end || self.ends[middle as usize] != end {
                continue;
            }
            self.join(start, middle, end, length);
            parts -= 1;
            self.joins.extend(self.found(piece, vocabulary, start));
            if start > 0 {
                let before = self.before[start as usize];
                self.joins.extend(self.found(piece, vocabulary, before));
            }
        }
        parts
    }

    /// Lays out a part per byte, and finds the joins among them.
    fn begin(&mut self, piece: &[u8], vocabulary: &Vocabulary, length: u32) {
        self.ends.clear();
        self.ends.extend(1..=length);
        self.before.clear();
        self.before.push(0);
        self.before.extend(0..length - 1);
        let mut joins = std::mem::take(&mut self.joins).into_vec();
        joins.clear();
        joins.extend((0..length).filter_map(|start| self.found(piece, vocabulary, start)));
        self.joins = joins.into();
    }

    fn join(&mut self, start: u32, middle: u32, end: u32, length: u32) {
        self.ends[start as usize] = end;
        self.ends[middle as usize] = 0;
        if end < length {
            self.before[end as usize] = start;
        }
    }

    /// The join of the part at `start` with the one after it, if that is a token.
    fn found(&self, piece: &[u8], vocabulary: &Vocabulary, start: u32) -> Option<Reverse<Join>> {
        let middle = self.ends[start as usize] as usize;
        let end = *self.ends.get(middle)?;
        let rank = vocabulary.0.get(&piece[start as usize..end as usize])?;
        Some(Reverse(Join::new(*rank, start, end)))
    }
}
