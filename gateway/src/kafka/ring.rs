//! The latest records of a topic, within so many bytes. Who reads keeps its place itself; what lies behind
//! the oldest record is gone.

use std::collections::VecDeque;
use std::sync::Arc;

/// A record of a topic.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The partition it is in.
    pub(crate) partition: i32,
    /// Its offset there.
    pub(crate) offset: i64,
    /// Its value; none, where it says that a key is no more.
    pub(crate) value: Option<Box<[u8]>>,
}

impl Record {
    /// What it takes up, in bytes.
    fn size(&self) -> usize {
        size_of::<Self>() + self.value.as_deref().map_or(0, <[u8]>::len)
    }
}

/// The records.
pub(super) struct Ring {
    records: VecDeque<Arc<Record>>,
    /// The place of the first of them; each has a place of its own, in the order they came.
    first: u64,
    size: usize,
    max: usize,
}

/// What is at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record.
    Record(Arc<Record>),
    /// None yet.
    Nothing,
    /// One that is gone.
    Gone,
}

impl Ring {
    /// Keeps the latest of `max` bytes, and always the last one.
    pub(super) const fn new(max: usize) -> Self {
        Self {
            records: VecDeque::new(),
            first: 0,
            size: 0,
            max,
        }
    }

    /// Adds one.
    pub(super) fn push(&mut self, record: Record) {
        self.size += record.size();
        self.records.push_back(record.into());
        while self.size > self.max && self.records.len() > 1 {
            if let Some(gone) = self.records.pop_front() {
                self.size -= gone.size();
                self.first += 1;
            }
        }
    }

    /// The place that the next one will have.
    pub(super) fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// What is at a place.
    pub(super) fn at(&self, place: u64) -> Found {
        let Some(index) = place.checked_sub(self.first) else {
            return Found::Gone;
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        match self.records.get(index) {
            Some(record) => Found::Record(record.clone()),
            None => Found::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, length: usize) -> Record {
        Record {
            partition: 0,
            offset,
            value: Some(vec![b'x'; length].into()),
        }
    }

    #[test]
    fn the_oldest_make_room_and_the_last_one_stays_however_long() {
        let mut ring = Ring::new(3 * (size_of::<Record>() + 10));
        assert_eq!((ring.end(), ring.at(0)), (0, Found::Nothing));
        for offset in 0..4 {
            ring.push(record(offset, 10));
        }
        assert_eq!((ring.end(), ring.at(0)), (4, Found::Gone));
        for place in 1..4 {
            let expected = record(place as i64, 10);
            assert_eq!(ring.at(place), Found::Record(expected.into()));
        }
        ring.push(record(4, 100_000));
        assert_eq!((ring.at(3), ring.end()), (Found::Gone, 5));
        assert_eq!(ring.at(4), Found::Record(record(4, 100_000).into()));
        assert_eq!(ring.at(5), Found::Nothing);
        ring.push(record(5, 10));
        assert_eq!(ring.at(4), Found::Gone);
        assert_eq!(ring.at(5), Found::Record(record(5, 10).into()));
    }
}
