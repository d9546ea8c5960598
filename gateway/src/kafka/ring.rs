//! The latest records of a topic, within so many bytes. Who reads keeps its place itself; what lies behind
//! the oldest record is gone.

use std::collections::VecDeque;
use std::sync::Arc;

use super::positions::Positions;
use super::record::Record;

/// The records.
pub(super) struct Ring {
    records: VecDeque<Arc<Record>>,
    /// The place of the first of them; each has a place of its own, in the order they came.
    first: u64,
    size: usize,
    max: usize,
    /// Where each partition was begun.
    begun: Positions,
    /// From there on nothing is missing.
    floor: Positions,
    /// What comes after the last of them.
    end: Positions,
}

/// What is at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Records, one after the other.
    Records(Vec<Arc<Record>>),
    /// None yet.
    Nothing,
    /// One that is gone.
    Gone,
}

impl Ring {
    /// Keeps the latest of `max` bytes, and always the last one. What comes is from `start` on.
    pub(super) fn new(max: usize, start: Positions) -> Self {
        Self {
            records: VecDeque::new(),
            first: 0,
            size: 0,
            max,
            begun: start.clone(),
            floor: start.clone(),
            end: start,
        }
    }

    /// Adds one.
    pub(super) fn push(&mut self, record: Record) {
        self.size += record.size();
        self.end.pass(&record);
        self.records.push_back(record.into());
        while self.size > self.max && self.records.len() > 1 {
            if let Some(gone) = self.records.pop_front() {
                self.size -= gone.size();
                self.first += 1;
                self.floor.pass(&gone);
            }
        }
    }

    /// A partition is read from that offset on, which was not known before.
    pub(super) fn begin(&mut self, partition: i32, offset: i64) {
        self.begun.set(partition, offset);
        self.floor.set(partition, offset);
        self.end.set(partition, offset);
    }

    /// The place that the next one will have.
    pub(super) fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// What comes after the last one.
    pub(super) const fn positions(&self) -> &Positions {
        &self.end
    }

    /// Where each partition was begun.
    pub(super) const fn begun(&self) -> &Positions {
        &self.begun
    }

    /// The place of the first record that one who has read so far has not; none, if there was one that is
    /// not kept any more.
    pub(super) fn join(&self, positions: &Positions) -> Option<u64> {
        if !positions.reach(&self.floor) {
            return None;
        }
        let had = self.records.iter();
        let had = had.take_while(|record| !positions.are_before(record));
        Some(self.first + had.count() as u64)
    }

    /// What is at a place and after it, `most` records at most.
    pub(super) fn at(&self, place: u64, most: usize) -> Found {
        let Some(index) = place.checked_sub(self.first) else {
            return Found::Gone;
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if index >= self.records.len() {
            return Found::Nothing;
        }
        let found = self.records.range(index..).take(most);
        Found::Records(found.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64, length: usize) -> Record {
        Record {
            partition,
            offset,
            timestamp: None,
            key: None,
            headers: Box::default(),
            value: Some(vec![b'x'; length].into()),
        }
    }

    fn positions(offsets: &[i64]) -> Positions {
        Positions::new(offsets.to_vec())
    }

    fn one(record: Record) -> Found {
        Found::Records(vec![record.into()])
    }

    #[test]
    fn the_oldest_make_room_and_the_last_one_stays_however_long() {
        let mut ring = Ring::new(3 * (size_of::<Record>() + 10), Positions::default());
        assert_eq!((ring.end(), ring.at(0, 1)), (0, Found::Nothing));
        for offset in 0..4 {
            ring.push(record(0, offset, 10));
        }
        assert_eq!((ring.end(), ring.at(0, 1)), (4, Found::Gone));
        for place in 1..4 {
            assert_eq!(ring.at(place, 1), one(record(0, place as i64, 10)));
        }
        let two = vec![record(0, 2, 10).into(), record(0, 3, 10).into()];
        assert_eq!(ring.at(2, 9), Found::Records(two));
        ring.push(record(0, 4, 100_000));
        assert_eq!((ring.at(3, 1), ring.end()), (Found::Gone, 5));
        assert_eq!(ring.at(4, 1), one(record(0, 4, 100_000)));
        assert_eq!(ring.at(5, 1), Found::Nothing);
        ring.push(record(0, 5, 10));
        assert_eq!(ring.at(4, 1), Found::Gone);
        assert_eq!(ring.at(5, 1), one(record(0, 5, 10)));
    }

    #[test]
    fn who_has_read_so_far_joins_at_the_first_record_it_has_not() {
        let mut ring = Ring::new(4 * (size_of::<Record>() + 10), positions(&[100, 200]));
        assert_eq!(ring.join(&positions(&[100, 200])), Some(0));
        assert_eq!(ring.join(&positions(&[99, 200])), None, "one was before it");
        for (partition, offset) in [(0, 100), (1, 200), (0, 105), (1, 201)] {
            ring.push(record(partition, offset, 10));
        }
        assert_eq!(ring.join(&positions(&[100, 200])), Some(0));
        assert_eq!(ring.join(&positions(&[101, 200])), Some(1));
        assert_eq!(ring.join(&positions(&[101, 202])), Some(2));
        assert_eq!(ring.join(&positions(&[106, 202])), Some(4));
        ring.push(record(0, 106, 10));
        assert_eq!(ring.join(&positions(&[100, 200])), None, "the first went");
        assert_eq!(ring.join(&positions(&[101, 200])), Some(1));
        assert_eq!(ring.positions(), &positions(&[107, 202]));
        ring.begin(2, 50);
        assert_eq!(ring.join(&positions(&[107, 202, 49])), None);
        assert_eq!(ring.join(&positions(&[107, 202, 50])), Some(5));
    }
}
