//! Amounts by the step they count in. Knows no windows.

use serde::{Deserialize, Serialize};

/// What counts in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::quota) struct Mark {
    /// All of it.
    pub(in crate::quota) booked: u64,
    /// What of it is known to be used.
    pub(in crate::quota) settled: u64,
}

/// Marks in the order of their steps: a handful, so that a list is quickest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::quota) struct Marks(Vec<(u64, Mark)>);

impl Marks {
    /// The mark of a step, made if need be.
    pub(in crate::quota) fn at(&mut self, step: u64) -> &mut Mark {
        // The latest is what is asked for most.
        let at = match self.0.last() {
            Some((last, _)) if *last == step => self.0.len() - 1,
            Some((last, _)) if *last > step => {
                match self.0.binary_search_by_key(&step, |(of, _)| *of) {
                    Ok(at) => at,
                    Err(at) => {
                        self.0.insert(at, (step, Mark::default()));
                        at
                    }
                }
            }
            _ => {
                self.0.push((step, Mark::default()));
                self.0.len() - 1
            }
        };
        &mut self.0[at].1
    }

    /// The mark of a step, if it has one.
    pub(in crate::quota) fn find(&mut self, step: u64) -> Option<&mut Mark> {
        let at = self.0.binary_search_by_key(&step, |(of, _)| *of).ok()?;
        Some(&mut self.0[at].1)
    }

    pub(in crate::quota) fn retain(&mut self, counts: impl Fn(u64) -> bool) {
        self.0
            .retain(|(step, mark)| mark.booked > 0 && counts(*step));
    }

    pub(in crate::quota) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, Mark)> {
        self.0.iter().copied()
    }

    pub(in crate::quota) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, mark)| mark.booked == 0)
    }

    /// The oldest step in which anything counts.
    pub(in crate::quota) fn oldest(&self) -> Option<u64> {
        let mut marks = self.0.iter();
        marks
            .find(|(_, mark)| mark.booked > 0)
            .map(|(step, _)| *step)
    }

    pub(in crate::quota) fn booked(&self) -> u64 {
        self.0
            .iter()
            .map(|(_, m)| m.booked)
            .fold(0, u64::saturating_add)
    }

    pub(in crate::quota) fn settled(&self) -> u64 {
        self.0
            .iter()
            .map(|(_, m)| m.settled)
            .fold(0, u64::saturating_add)
    }

    /// The same with no amount above `most`.
    pub(in crate::quota) fn clamped(&self, most: u64) -> Self {
        let clamp = |(step, mark): &(u64, Mark)| {
            let [booked, settled] = [mark.booked, mark.settled].map(|amount| amount.min(most));
            (*step, Mark { booked, settled })
        };
        Self(self.0.iter().map(clamp).collect())
    }

    /// Keeps only what is known to be used.
    pub(in crate::quota) fn release(&mut self) {
        for (_, mark) in &mut self.0 {
            mark.booked = mark.settled;
        }
        self.0.retain(|(_, mark)| mark.booked > 0);
    }

    /// What is known to be used in a step.
    pub(in crate::quota) fn settled_in(&self, step: u64) -> u64 {
        let at = self.0.binary_search_by_key(&step, |(of, _)| *of);
        at.map_or(0, |at| self.0[at].1.settled)
    }

    /// Puts all of it into one step.
    pub(in crate::quota) fn gather(&mut self, step: u64) {
        let mark = Mark {
            booked: self.booked(),
            settled: self.settled(),
        };
        self.0.clear();
        if mark.booked > 0 {
            self.0.push((step, mark));
        }
    }
}

impl FromIterator<(u64, Mark)> for Marks {
    fn from_iter<I: IntoIterator<Item = (u64, Mark)>>(marks: I) -> Self {
        let mut all = Self::default();
        for (step, mark) in marks {
            let into = all.at(step);
            into.booked = into.booked.saturating_add(mark.booked);
            into.settled = into.settled.saturating_add(mark.settled);
        }
        all
    }
}
