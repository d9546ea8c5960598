//! Verdicts of the last while, counted in ten buckets of atomics that are reused in turn.
//!
//! It counts and forgets; what the counts mean is the breaker's business.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BUCKETS: u64 = 10;

/// Bits of each of a bucket's two counts; the 24 bits above them hold its round. Counting stops
/// at a million verdicts per bucket, where more would not change the rate.
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const ROUND_MASK: u64 = (1 << 24) - 1;

/// A rolling window that covers between nine tenths and the whole of its duration.
pub(super) struct Window {
    origin: Instant,
    /// One bucket's share of the window, in nanoseconds.
    width: u64,
    buckets: [AtomicU64; BUCKETS as usize],
}

/// What a window has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) total: u64,
    pub(super) failed: u64,
}

impl Window {
    /// An empty window. The origin is only what time is counted from.
    pub(super) fn new(length: Duration) -> Window {
        Window {
            origin: Instant::now(),
            width: (nanos(length) / BUCKETS).max(1),
            buckets: Default::default(),
        }
    }

    /// Counts one verdict.
    pub(super) fn record(&self, now: Instant, failed: bool) {
        let tick = self.tick(now);
        let add = |old: u64| {
            let mut seen = counts(old, tick);
            if seen.total < COUNT_MAX {
                seen.total += 1;
                seen.failed += u64::from(failed);
            }
            Some(pack(tick, seen))
        };
        // The closure never declines, so neither does the update.
        let _ = self
            .bucket(tick)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Adds up what is not too old.
    pub(super) fn sum(&self, now: Instant) -> Seen {
        let newest = self.tick(now);
        let oldest = newest.saturating_sub(BUCKETS - 1);
        let mut sum = Seen::default();
        for tick in oldest..=newest {
            let seen = counts(self.bucket(tick).load(Ordering::Relaxed), tick);
            sum.total += seen.total;
            sum.failed += seen.failed;
        }
        sum
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Ordering::Relaxed);
        }
    }

    fn tick(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.origin)) / self.width
    }

    fn bucket(&self, tick: u64) -> &AtomicU64 {
        &self.buckets[(tick % BUCKETS) as usize]
    }
}

/// The round of the buckets a tick belongs to, which tells fresh counts from left-over ones.
fn round(tick: u64) -> u64 {
    (tick / BUCKETS) & ROUND_MASK
}

fn pack(tick: u64, seen: Seen) -> u64 {
    round(tick) << (2 * COUNT_BITS) | seen.total << COUNT_BITS | seen.failed
}

/// A bucket's counts if they were made in this tick's round, and none otherwise.
fn counts(bucket: u64, tick: u64) -> Seen {
    if bucket >> (2 * COUNT_BITS) != round(tick) {
        return Seen::default();
    }
    Seen {
        total: bucket >> COUNT_BITS & COUNT_MAX,
        failed: bucket & COUNT_MAX,
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
