//! A circuit breaker: refuses calls to an upstream that has too many in flight or fails too often.
//!
//! While it is closed a call costs a few atomic operations; the lock is taken only on the way
//! from one phase to another. It does not know what a call is or what counts as a failure, and it
//! reads no clock: the caller says what time it is and gives the verdict.

mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use window::Window;

/// What is hinted to callers refused while a probe is under way: its verdict is at most a round
/// trip away, and nobody knows how long that is.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// When to refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// At most so many calls at once; `None` for no limit.
    pub(crate) max_in_flight: Option<u32>,
    /// Open when at least this share of the window's calls failed; `None` never opens.
    pub(crate) error_percent: Option<u8>,
    /// Do not judge a window with fewer verdicts than this.
    pub(crate) minimum_requests: u32,
    /// How far back verdicts count.
    pub(crate) window: Duration,
    /// How long to refuse before one call is let through as a probe.
    pub(crate) open_for: Duration,
}

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// `max_in_flight` calls are running.
    InFlight,
    /// Too many calls failed.
    Open {
        /// When asking again may help; never zero.
        retry_after: Duration,
    },
}

/// A verdict that turned the breaker, for whoever logs and counts such things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Calls are refused from now on: the error rate was reached, or the probe failed.
    Opened,
    /// The probe succeeded, and calls are let through again.
    Closed,
}

/// The breaker of one upstream, shared by all its callers.
pub(crate) struct Breaker {
    settings: Settings,
    in_flight: AtomicU32,
    /// Even while closed, odd while open or probing; changes with the phase, under its lock. A
    /// permit remembers the era it began in, so that calls begun before the breaker opened cannot
    /// open it again after it has closed.
    era: AtomicU32,
    phase: Mutex<Phase>,
    window: Window,
}

#[derive(Clone, Copy)]
enum Phase {
    Closed,
    Open { since: Instant },
    Probing { since: Instant },
}

impl Breaker {
    /// A closed breaker.
    pub(crate) fn new(settings: Settings) -> Arc<Breaker> {
        Arc::new(Breaker {
            window: Window::new(settings.window),
            settings,
            in_flight: AtomicU32::new(0),
            era: AtomicU32::new(0),
            phase: Mutex::new(Phase::Closed),
        })
    }

    /// Asks to make one call. The permit must be kept for as long as the call runs.
    pub(crate) fn try_enter(self: &Arc<Self>, now: Instant) -> Result<Permit, Refused> {
        let era = self.era.load(Ordering::Acquire);
        if era.is_multiple_of(2) {
            return self.admit(Role::Counted { era });
        }
        let mut phase = self.phase.lock();
        match *phase {
            Phase::Closed => {
                let era = self.era.load(Ordering::Acquire);
                self.admit(Role::Counted { era })
            }
            Phase::Open { since } => {
                let left = self.left(since, now);
                if !left.is_zero() {
                    return Err(Refused::Open { retry_after: left });
                }
                let permit = self.admit(Role::Probe)?;
                *phase = Phase::Probing { since };
                Ok(permit)
            }
            Phase::Probing { .. } => Err(Refused::Open {
                retry_after: PROBE_WAIT,
            }),
        }
    }

    /// Whether a call would be refused for the error rate now. Not so any more once `open_for` is
    /// over, because the next call is the probe.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        if self.era.load(Ordering::Acquire).is_multiple_of(2) {
            return false;
        }
        match *self.phase.lock() {
            Phase::Closed => false,
            Phase::Open { since } => !self.left(since, now).is_zero(),
            Phase::Probing { .. } => true,
        }
    }

    /// How many permits are out.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn admit(self: &Arc<Self>, role: Role) -> Result<Permit, Refused> {
        let max = self.settings.max_in_flight.unwrap_or(u32::MAX);
        let enter = |running: u32| (running < max).then(|| running + 1);
        self.in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter)
            .map_err(|_| Refused::InFlight)?;
        Ok(Permit {
            breaker: self.clone(),
            role,
        })
    }

    fn left(&self, since: Instant, now: Instant) -> Duration {
        let open = now.saturating_duration_since(since);
        self.settings.open_for.saturating_sub(open)
    }

    fn record(&self, era: u32, now: Instant, failed: bool) -> Option<Change> {
        let percent = self.settings.error_percent?;
        if self.era.load(Ordering::Acquire) != era {
            return None;
        }
        self.window.record(now, failed);
        // Only a failure makes matters worse, so only a failure is worth adding up for.
        if !failed {
            return None;
        }
        let seen = self.window.sum(now);
        if seen.total < u64::from(self.settings.minimum_requests)
            || seen.failed * 100 < seen.total * u64::from(percent)
        {
            return None;
        }
        let mut phase = self.phase.lock();
        if self.era.load(Ordering::Acquire) != era {
            return None; // another call's failure was quicker
        }
        *phase = Phase::Open { since: now };
        self.era.fetch_add(1, Ordering::Release);
        Some(Change::Opened)
    }

    fn probe_succeeded(&self) -> Change {
        let mut phase = self.phase.lock();
        self.window.clear();
        *phase = Phase::Closed;
        self.era.fetch_add(1, Ordering::Release);
        Change::Closed
    }

    fn probe_failed(&self, now: Instant) -> Change {
        *self.phase.lock() = Phase::Open { since: now };
        Change::Opened
    }

    /// The probe ended with no verdict: the next caller probes.
    fn probe_abandoned(&self) {
        let mut phase = self.phase.lock();
        if let Phase::Probing { since } = *phase {
            *phase = Phase::Open { since };
        }
    }
}

/// Leave for one call, counted as in flight until dropped. Dropping it without a verdict (the
/// client went away, the gateway gave up for a reason of its own) says nothing about the upstream.
pub(crate) struct Permit {
    breaker: Arc<Breaker>,
    role: Role,
}

enum Role {
    Counted { era: u32 },
    Probe,
    Judged,
}

impl Permit {
    /// The upstream did what was asked of it. The first verdict on a call is the one that counts;
    /// the call stays in flight until the permit is dropped.
    pub(crate) fn success(&mut self, now: Instant) -> Option<Change> {
        self.judge(now, false)
    }

    /// The upstream failed; otherwise as [`Permit::success`].
    pub(crate) fn failure(&mut self, now: Instant) -> Option<Change> {
        self.judge(now, true)
    }

    fn judge(&mut self, now: Instant, failed: bool) -> Option<Change> {
        match std::mem::replace(&mut self.role, Role::Judged) {
            Role::Counted { era } => self.breaker.record(era, now, failed),
            Role::Probe if failed => Some(self.breaker.probe_failed(now)),
            Role::Probe => Some(self.breaker.probe_succeeded()),
            Role::Judged => None,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.breaker.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Role::Probe = self.role {
            self.breaker.probe_abandoned();
        }
    }
}

#[cfg(test)]
mod tests;
