//! Passive health: endpoints that fail several times in a row are left out for a while.
//!
//! Whether an endpoint is ejected costs one atomic load; only an ejection itself takes a lock, so
//! that two at once cannot break the ceiling. What a failure is, and whom the traffic goes to
//! meanwhile, is decided elsewhere; no clock is read but the caller's.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// An ejection lasts at most so many times `eject_for`.
const LONGEST: u32 = 10;

/// When to eject, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Failures in a row that eject an endpoint; 0 is taken as 1.
    pub(crate) failures: u32,
    /// How long the first ejection lasts. Each one that follows soon lasts twice as long as the
    /// one before, up to ten times this.
    pub(crate) eject_for: Duration,
    /// The share of endpoints that may be out at once. Above 0, one of several may always be.
    pub(crate) max_ejected_percent: u8,
}

/// An endpoint has just been ejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ejected {
    /// When it comes back.
    pub(crate) until: Instant,
}

/// The failures of one upstream's endpoints, which are known by their index.
pub(crate) struct Outliers {
    settings: Settings,
    /// How many may be out at once.
    ceiling: usize,
    origin: Instant,
    endpoints: Box<[Endpoint]>,
    ejecting: Mutex<()>,
}

#[derive(Default)]
struct Endpoint {
    failures_in_a_row: AtomicU32,
    /// Nanoseconds after the origin at which the latest ejection ends; 0 if there was none.
    back_at: AtomicU64,
    /// How many times `eject_for` the latest ejection lasts. Written under the lock.
    times: AtomicU32,
}

impl Outliers {
    /// `n` endpoints that have not failed yet. A single endpoint is never ejected: there would be
    /// nobody to take its place.
    pub(crate) fn new(n: usize, settings: Settings) -> Outliers {
        let percent = usize::from(settings.max_ejected_percent.min(100));
        let ceiling = match (n, percent) {
            (0 | 1, _) | (_, 0) => 0,
            _ => (n * percent / 100).max(1),
        };
        Outliers {
            settings,
            ceiling,
            origin: Instant::now(),
            endpoints: (0..n).map(|_| Endpoint::default()).collect(),
            ejecting: Mutex::new(()),
        }
    }

    /// Endpoint `i` did what was asked of it: its failures so far are forgiven.
    pub(crate) fn success(&self, i: usize) {
        let failures = &self.endpoints[i].failures_in_a_row;
        // Read first: this is the usual case, and an unchanged cache line stays shared.
        if failures.load(Ordering::Relaxed) != 0 {
            failures.store(0, Ordering::Relaxed);
        }
    }

    /// Endpoint `i` failed; says so if that ejected it. Failures of an endpoint that is out
    /// already are late news and do not count. Where the ceiling forbids ejection, the next
    /// failure asks again.
    pub(crate) fn failure(&self, i: usize, now: Instant) -> Option<Ejected> {
        if self.is_ejected(i, now) {
            return None;
        }
        let endpoint = &self.endpoints[i];
        let before = endpoint.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        if before.saturating_add(1) < self.settings.failures {
            return None;
        }
        let _guard = self.ejecting.lock();
        if self.is_ejected(i, now) || self.ejected(now) >= self.ceiling {
            return None;
        }
        Some(self.eject(endpoint, now))
    }

    /// Whether endpoint `i` is out.
    pub(crate) fn is_ejected(&self, i: usize, now: Instant) -> bool {
        let back_at = self.endpoints[i].back_at.load(Ordering::Acquire);
        back_at != 0 && self.since_origin(now) < back_at
    }

    /// How many endpoints are out.
    pub(crate) fn ejected(&self, now: Instant) -> usize {
        let all = 0..self.endpoints.len();
        all.filter(|&i| self.is_ejected(i, now)).count()
    }

    fn eject(&self, endpoint: &Endpoint, now: Instant) -> Ejected {
        let now = self.since_origin(now);
        let longest = nanos(self.settings.eject_for.saturating_mul(LONGEST));
        let back_at = endpoint.back_at.load(Ordering::Relaxed);
        // Whoever stayed in for as long as the longest ejection starts afresh.
        let fresh = back_at == 0 || now.saturating_sub(back_at) >= longest;
        let times = match endpoint.times.load(Ordering::Relaxed) {
            _ if fresh => 1,
            times => times.saturating_mul(2).clamp(1, LONGEST),
        };
        let lasts = nanos(self.settings.eject_for.saturating_mul(times));
        let back_at = now.saturating_add(lasts);
        endpoint.failures_in_a_row.store(0, Ordering::Relaxed);
        endpoint.times.store(times, Ordering::Relaxed);
        endpoint.back_at.store(back_at, Ordering::Release);
        Ejected {
            until: self.origin + Duration::from_nanos(back_at),
        }
    }

    fn since_origin(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.origin))
    }
}

/// 584 years and more count as 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
