//! How far a topic was read: for each of its partitions the offset that comes next.

use super::record::Record;

/// Where a partition was to be begun at its end, and nobody could say yet where that is.
pub(crate) const UNKNOWN: i64 = -1;

/// The offset that comes next, by partition. One that is not among them was not there yet: all of it
/// comes next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Positions(Vec<i64>);

impl Positions {
    /// Those offsets, by partition.
    pub(crate) fn new(offsets: Vec<i64>) -> Self {
        Self(offsets)
    }

    /// By partition.
    pub(crate) fn offsets(&self) -> &[i64] {
        &self.0
    }

    /// That of a partition, if it is among them.
    pub(super) fn get(&self, partition: i32) -> Option<i64> {
        let index = usize::try_from(partition).ok()?;
        self.0.get(index).copied()
    }

    /// That of a partition.
    pub(crate) fn of(&self, partition: i32) -> i64 {
        self.get(partition).unwrap_or(0)
    }

    /// Takes over what `begun` says of partitions whose end was not known.
    pub(super) fn learn(&mut self, begun: &Self) {
        for (mine, begun) in self.0.iter_mut().zip(&begun.0) {
            if *mine == UNKNOWN {
                *mine = *begun;
            }
        }
    }

    /// Whether a partition is among them whose end was not known.
    pub(crate) fn are_vague(&self) -> bool {
        self.0.contains(&UNKNOWN)
    }

    /// Says that of a partition.
    pub(crate) fn set(&mut self, partition: i32, offset: i64) {
        let Ok(index) = usize::try_from(partition) else {
            return;
        };
        if index >= self.0.len() {
            self.0.resize(index + 1, 0);
        }
        self.0[index] = offset;
    }

    /// Whether they are the same, where partitions that one does not know have not begun.
    pub(crate) fn are_same(&self, other: &Self) -> bool {
        let partitions = 0..i32::try_from(self.0.len().max(other.0.len())).unwrap_or(i32::MAX);
        partitions
            .into_iter()
            .all(|partition| self.of(partition) == other.of(partition))
    }

    /// Whether a record is at or after them.
    pub(crate) fn are_before(&self, record: &Record) -> bool {
        record.offset >= self.of(record.partition)
    }

    /// Moves on past a record.
    pub(crate) fn pass(&mut self, record: &Record) {
        if self.are_before(record) {
            self.set(record.partition, record.offset + 1);
        }
    }

    /// Whether, in every partition, nothing is missing between them and `floor`: what was kept from there
    /// on. Where the end of a partition was not known to these, nothing can be missing; where it is not
    /// known to `floor`, all may be.
    pub(super) fn reach(&self, floor: &Self) -> bool {
        let partitions = self.0.len().max(floor.0.len());
        (0..partitions).all(|index| {
            let partition = i32::try_from(index).unwrap_or(i32::MAX);
            match (self.of(partition), floor.of(partition)) {
                (UNKNOWN, _) => true,
                (_, UNKNOWN) => false,
                (mine, least) => mine >= least,
            }
        })
    }

    /// How many records lie between them and `end`, at most: what a topic leaves out is counted, too.
    pub(crate) fn behind(&self, end: &Self) -> u64 {
        let partitions = (0..).zip(&end.0);
        let lags = partitions.map(|(partition, &end)| {
            let known = end.max(0);
            let mine = match self.of(partition) {
                UNKNOWN => known,
                mine => mine,
            };
            u64::try_from(known - mine).unwrap_or(0)
        });
        lags.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(offsets: &[i64]) -> Positions {
        Positions::new(offsets.to_vec())
    }

    #[test]
    fn a_reader_joins_where_nothing_is_missing() {
        for (mine, floor, reaches) in [
            (&[5, 7][..], &[5, 7][..], true),
            (&[6, 7], &[5, 7], true),
            (&[4, 9], &[5, 7], false),
            // A partition that was added: all of it is to come.
            (&[5], &[5, 0], true),
            (&[5], &[5, 3], false),
            (&[5, 3], &[5], true),
            (&[5, UNKNOWN], &[5, 900], true),
            (&[5, 3], &[5, UNKNOWN], false),
            (&[5, UNKNOWN], &[5, UNKNOWN], true),
        ] {
            let found = positions(mine).reach(&positions(floor));
            assert_eq!(found, reaches, "{mine:?} and {floor:?}");
        }
    }

    #[test]
    fn the_lag_is_what_is_to_come() {
        let end = positions(&[10, 5, UNKNOWN]);
        assert_eq!(positions(&[10, 5, UNKNOWN]).behind(&end), 0);
        assert_eq!(positions(&[7, 6]).behind(&end), 3);
        assert_eq!(positions(&[UNKNOWN]).behind(&end), 5);
    }
}
