//! How far a partition is done. What is committed is only what lies before the first record that is not.

use std::collections::VecDeque;

/// The records of a partition that were taken, from the first that is not done on.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// In their order; whether each is done.
    taken: VecDeque<(i64, bool)>,
    /// The first offset that is not done, once one was, or where it begins.
    next: Option<i64>,
}

impl Track {
    /// Begins there; or where was committed, which is not known here.
    pub(super) fn new(begins: Option<i64>) -> Self {
        Self {
            next: begins,
            ..Self::default()
        }
    }

    /// A record was taken; they come in the order of their offsets.
    pub(super) fn take(&mut self, offset: i64) {
        self.taken.push_back((offset, false));
    }

    /// A record is done.
    pub(super) fn done(&mut self, offset: i64) {
        if let Ok(at) = self
            .taken
            .binary_search_by_key(&offset, |(taken, _)| *taken)
        {
            self.taken[at].1 = true;
        }
        while let Some((offset, true)) = self.taken.front() {
            self.next = Some(offset + 1);
            self.taken.pop_front();
        }
    }

    /// How many records there are from the first that is not done on.
    pub(super) fn ahead(&self) -> usize {
        self.taken.len()
    }

    /// What comes next, as far as is known here.
    pub(super) fn next(&self) -> Option<i64> {
        let waiting = self.taken.front().map(|(offset, _)| *offset);
        waiting.or(self.next)
    }

    /// What is to be committed, if anything is.
    pub(super) const fn due(&self) -> Option<i64> {
        self.next
    }
}
