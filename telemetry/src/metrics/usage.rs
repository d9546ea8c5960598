//! Records of usage: how many are on their way to their topic, and how many never will be.

use super::Families;
use prometheus::IntCounter;
use std::fmt;
use std::sync::Arc;

/// Why a record was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The disk was slower than requests ended.
    QueueFull,
    /// The spool, or its disk, is full.
    SpoolFull,
    /// The spool cannot be written.
    SpoolFailed,
}

impl Lost {
    const ALL: [Self; 3] = [Self::QueueFull, Self::SpoolFull, Self::SpoolFailed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::SpoolFull => "spool_full",
            Self::SpoolFailed => "spool_failed",
        }
    }
}

/// The series of the records of usage.
pub struct Usage {
    kept: IntCounter,
    lost: [IntCounter; Lost::ALL.len()],
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Usage").finish_non_exhaustive()
    }
}

impl Usage {
    pub(super) fn resolve(families: &Arc<Families>) -> Self {
        Self {
            kept: families.usage_events.with(&[]),
            lost: Lost::ALL.map(|reason| families.usage_lost.with(&[reason.as_str()])),
        }
    }

    /// A record is on disk.
    pub fn kept(&self) {
        self.kept.inc();
    }

    /// A record is nowhere.
    pub fn lost(&self, reason: Lost) {
        self.lost[reason as usize].inc();
    }
}
