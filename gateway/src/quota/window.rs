//! When a quota's limit comes back. A window cuts time into numbered *steps*; an amount taken
//! in a step counts during that step and the [`span`](Window::span) steps after it.
//!
//! A fixed window is one step that spans nothing more: it starts on a calendar boundary, in UTC.
//! A sliding window is 60 steps long and counts 61, the one that just began and the one that is
//! being left included. So it never lets more than the limit through in any stretch of its
//! length, and what was taken comes back at most one step (a sixtieth) late.
//!
//! Knows nothing of amounts. Time inside the ledger is the [`Duration`] since the Unix epoch;
//! clocks set before it count as the epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::civil;

/// How many steps a sliding window is cut into.
const SLIDING_STEPS: u64 = 60;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The calendar period of a fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// From second 0 to second 0.
    Minute,
    /// From minute 0 to minute 0.
    Hour,
    /// From midnight to midnight, UTC.
    Day,
    /// From midnight on the first of the month, UTC.
    Month,
}

/// The stretch of time a limit is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Aligned to the calendar in UTC: everything comes back at once when the period ends.
    Fixed {
        /// The calendar period.
        every: Period,
    },
    /// The latest `every`, at each moment: each amount comes back `every` after it was taken.
    Sliding {
        /// The length; below 60 ns it is 60 ns.
        every: Duration,
    },
}

impl Window {
    /// The stretch in which an amount taken at `now` counts: start included, end excluded. For
    /// a fixed window, the calendar period that holds `now`.
    #[cfg(test)]
    pub fn bounds(self, now: SystemTime) -> (SystemTime, SystemTime) {
        let step = self.step(since_epoch(now));
        let at = |step| UNIX_EPOCH.checked_add(self.start(step)).unwrap_or(now);
        (at(step), at(self.expiry(step)))
    }

    /// The length in whole seconds, rounded up, as `RateLimit-Policy` wants it: one figure for
    /// all months, that of the longest, so that no caller counts on one being over too soon.
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Fixed { every } => match every {
                Period::Minute => MINUTE,
                Period::Hour => HOUR,
                Period::Day => DAY,
                Period::Month => 31 * DAY,
            },
            Self::Sliding { every } => every
                .as_secs()
                .saturating_add((every.subsec_nanos() > 0) as u64),
        }
    }

    /// The step that holds a moment.
    pub(super) fn step(self, now: Duration) -> u64 {
        let seconds = now.as_secs();
        match self {
            Self::Fixed { every } => match every {
                Period::Minute => seconds / MINUTE,
                Period::Hour => seconds / HOUR,
                Period::Day => seconds / DAY,
                Period::Month => civil::month_of(seconds / DAY),
            },
            Self::Sliding { every } => nanoseconds(now) / granule(every),
        }
    }

    /// The moment a step starts.
    pub(super) fn start(self, step: u64) -> Duration {
        match self {
            Self::Fixed { every } => Duration::from_secs(match every {
                Period::Minute => step.saturating_mul(MINUTE),
                Period::Hour => step.saturating_mul(HOUR),
                Period::Day => step.saturating_mul(DAY),
                Period::Month => civil::first_day(step).saturating_mul(DAY),
            }),
            Self::Sliding { every } => Duration::from_nanos(step.saturating_mul(granule(every))),
        }
    }

    /// For how many steps after its own an amount still counts.
    pub(super) const fn span(self) -> u64 {
        match self {
            Self::Fixed { .. } => 0,
            Self::Sliding { .. } => SLIDING_STEPS,
        }
    }

    /// The first step in which an amount taken in `step` no longer counts.
    pub(super) const fn expiry(self, step: u64) -> u64 {
        step.saturating_add(self.span() + 1)
    }
}

/// The ledger's own clock reading.
pub(super) fn since_epoch(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A sliding window's step in nanoseconds, rounded up so that 60 steps never fall short of it.
fn granule(every: Duration) -> u64 {
    nanoseconds(every).div_ceil(SLIDING_STEPS).max(1)
}

/// Exact until the year 2554, and then the clock stands still.
fn nanoseconds(time: Duration) -> u64 {
    time.as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(time.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn fixed(every: Period) -> Window {
        Window::Fixed { every }
    }

    #[test]
    fn fixed_windows_are_aligned_to_the_calendar() {
        // 2024-02-29 23:59:59 UTC
        let now = at(1_709_251_199);
        let midnight = at(1_709_251_200);
        for (every, length) in [
            (Period::Minute, 60),
            (Period::Hour, 3_600),
            (Period::Day, 86_400),
        ] {
            let (start, end) = fixed(every).bounds(now);
            assert_eq!(end, midnight, "{every:?}");
            assert_eq!(start, midnight - Duration::from_secs(length), "{every:?}");
        }
        let (start, end) = fixed(Period::Month).bounds(now);
        assert_eq!((start, end), (at(1_706_745_600), midnight));
    }

    #[test]
    fn lengths_are_told_in_whole_seconds() {
        let sliding = |millis| Window::Sliding {
            every: Duration::from_millis(millis),
        };
        let seconds = [sliding(1), sliding(1_000), sliding(1_001)].map(Window::seconds);
        assert_eq!(seconds, [1, 1, 2]);
        let periods = [Period::Minute, Period::Hour, Period::Day, Period::Month];
        let seconds = periods.map(|every| fixed(every).seconds());
        assert_eq!(seconds, [60, 3_600, 86_400, 2_678_400]);
    }

    #[test]
    fn a_month_begins_at_its_first_instant_and_not_before() {
        // 2025-12-31 23:59:59.999999999, then 2026-01-01
        let new_year = at(1_767_225_600);
        let (_, end) = fixed(Period::Month).bounds(new_year - Duration::from_nanos(1));
        assert_eq!(end, new_year);
        let (start, end) = fixed(Period::Month).bounds(new_year);
        assert_eq!(
            (start, end),
            (new_year, new_year + Duration::from_secs(31 * DAY))
        );
    }

    #[test]
    fn a_sliding_amount_counts_for_the_whole_length_and_at_most_a_sixtieth_more() {
        for millis in [1, 60, 1_000, 1_234, 3_600_000] {
            let every = Duration::from_millis(millis);
            let window = Window::Sliding { every };
            for offset in [0, 1, 7_777_777, 999_999_999] {
                let taken = at(1_700_000_000) + Duration::from_nanos(offset);
                let (start, end) = window.bounds(taken);
                assert!(start <= taken);
                let kept = end.duration_since(taken).expect("ends later");
                assert!(kept >= every, "{millis} ms at {offset}: {kept:?}");
                let slack = Duration::from_nanos(2 * 61 + every.as_nanos() as u64 / 60);
                assert!(kept <= every + slack, "{millis} ms at {offset}: {kept:?}");
            }
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        let long_ago = UNIX_EPOCH - Duration::from_secs(1);
        let far = UNIX_EPOCH + Duration::from_secs(1 << 62);
        for window in [
            fixed(Period::Minute),
            fixed(Period::Month),
            Window::Sliding {
                every: Duration::ZERO,
            },
            Window::Sliding {
                every: Duration::MAX,
            },
        ] {
            assert_eq!(window.bounds(long_ago).0, UNIX_EPOCH);
            let (start, end) = window.bounds(far);
            assert!(start <= end, "{window:?}");
            let _ = window.start(u64::MAX);
        }
    }
}
