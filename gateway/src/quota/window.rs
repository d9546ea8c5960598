//! When a quota's limit comes back. A window cuts time into numbered *steps*; what is taken is
//! counted in the step that took it.
//!
//! A fixed window is one step, which begins on a calendar boundary. A sliding window is 60 steps
//! long and counts 61, the one that just began and the one that is being left included: so it
//! never lets more than the limit through in any stretch of its length, and what was taken comes
//! back at most one step (a sixtieth) late. A token bucket drains from the end of the step that
//! took, for the same reason. What is held (requests in progress) knows no time: there is one step.
//!
//! Knows nothing of amounts. Time inside the ledger is microseconds since the Unix epoch; clocks
//! set before it count as the epoch.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::zone::Zone;

/// Microseconds since the Unix epoch.
pub(super) type Micros = u64;

/// How many steps a sliding window, or the time to fill a token bucket, is cut into.
const STEPS: u64 = 60;

pub(super) const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;
const HOUR: Micros = 60 * MINUTE;
const DAY: Micros = 24 * HOUR;

/// The calendar period of a fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// From second 0 to second 0.
    Minute,
    /// From minute 0 to minute 0, UTC.
    Hour,
    /// From midnight to midnight in the zone.
    Day(Zone),
    /// From midnight on the first of the month in the zone.
    Month(Zone),
}

/// The stretch of time a limit is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Aligned to the calendar: everything comes back at once when the period ends.
    Fixed {
        /// The calendar period.
        every: Period,
    },
    /// The latest `every`, at each moment: each amount comes back `every` after it was taken.
    Sliding {
        /// The length; below 60 µs it is 60 µs.
        every: Duration,
    },
    /// A bucket that fills by the limit per `every`, evenly.
    TokenBucket {
        /// The time in which the limit flows in.
        every: Duration,
        /// What the bucket holds, in the quota's unit.
        burst: u64,
        /// The length of a step.
        granule: Duration,
    },
    /// Until it is given back.
    Held,
}

impl Window {
    /// A token bucket that fills by `limit` in `every`, and holds `burst`.
    pub fn token_bucket(limit: u64, every: Duration, burst: u64) -> Self {
        let fills_in = every.as_secs_f64() * burst as f64 / limit.max(1) as f64;
        // A power of two, so that a limit that changes a little leaves the steps as they are.
        let granule = (fills_in * 1e6 / STEPS as f64) as u64;
        let granule = granule.clamp(1, DAY).next_power_of_two();
        Self::TokenBucket {
            every,
            burst,
            granule: Duration::from_micros(granule),
        }
    }

    /// The most that may be taken at once under a limit.
    pub const fn capacity(self, limit: u64) -> u64 {
        match self {
            Self::TokenBucket { burst, .. } if limit > 0 => burst,
            _ => limit,
        }
    }

    /// The length in whole seconds, rounded up, as `RateLimit-Policy` wants it: one figure for
    /// all months, that of the longest, so that no caller counts on one being over too soon.
    /// `None` where there is no time in it.
    pub const fn seconds(self) -> Option<u64> {
        Some(match self {
            Self::Fixed { every } => {
                (match every {
                    Period::Minute => MINUTE,
                    Period::Hour => HOUR,
                    Period::Day(_) => DAY,
                    Period::Month(_) => 31 * DAY,
                }) / SECOND
            }
            Self::Sliding { every } | Self::TokenBucket { every, .. } => every
                .as_secs()
                .saturating_add((every.subsec_nanos() > 0) as u64),
            Self::Held => return None,
        })
    }

    /// The step that holds a moment.
    pub(super) fn step(self, now: Micros) -> u64 {
        match self {
            Self::Fixed { every } => match every {
                Period::Minute => now / MINUTE,
                Period::Hour => now / HOUR,
                Period::Day(zone) => zone.day(now),
                Period::Month(zone) => zone.month(now),
            },
            Self::Sliding { .. } | Self::TokenBucket { .. } => now / self.granule(),
            Self::Held => 0,
        }
    }

    /// The moment a step starts.
    pub(super) fn start(self, step: u64) -> Micros {
        match self {
            Self::Fixed { every } => match every {
                Period::Minute => step.saturating_mul(MINUTE),
                Period::Hour => step.saturating_mul(HOUR),
                Period::Day(zone) => zone.day_start(step),
                Period::Month(zone) => zone.month_start(step),
            },
            Self::Sliding { .. } | Self::TokenBucket { .. } => step.saturating_mul(self.granule()),
            Self::Held => 0,
        }
    }

    /// For how many steps what was taken in one counts whole.
    pub(super) const fn length(self) -> u64 {
        match self {
            Self::Fixed { .. } => 1,
            Self::Sliding { .. } => STEPS + 1,
            Self::TokenBucket { .. } | Self::Held => u64::MAX,
        }
    }

    /// The first step in which what was taken in `step` no longer counts.
    pub(super) const fn expiry(self, step: u64) -> u64 {
        step.saturating_add(self.length())
    }

    /// The step in which what is taken ahead of use is counted: it may be used until that is over.
    pub(super) const fn ahead(self, step: u64, steps: u64) -> u64 {
        match self {
            Self::Fixed { .. } | Self::Held => step,
            Self::Sliding { .. } | Self::TokenBucket { .. } => step.saturating_add(steps),
        }
    }

    /// A step of the windows that have many, in microseconds, rounded up so that 60 steps never
    /// fall short of the length.
    pub(super) fn granule(self) -> Micros {
        match self {
            Self::Sliding { every } => micros(every).div_ceil(STEPS).max(1),
            Self::TokenBucket { granule, .. } => micros(granule).max(1),
            Self::Fixed { .. } | Self::Held => 1,
        }
    }
}

/// As it stands in the names of books.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zoned = |f: &mut fmt::Formatter<'_>, name: &str, zone: Zone| {
            write!(f, "{name}@{}", zone.name().replace('/', "."))
        };
        match *self {
            Self::Fixed { every } => match every {
                Period::Minute => f.write_str("minute"),
                Period::Hour => f.write_str("hour"),
                Period::Day(zone) => zoned(f, "day", zone),
                Period::Month(zone) => zoned(f, "month", zone),
            },
            Self::Sliding { every } => write!(f, "sliding-{every:?}"),
            Self::TokenBucket {
                every,
                burst,
                granule,
            } => write!(f, "bucket-{every:?}-{burst}-{granule:?}"),
            Self::Held => f.write_str("held"),
        }
    }
}

/// The ledger's own clock reading.
pub(super) fn since_epoch(now: SystemTime) -> Micros {
    micros(now.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Saturates in the year 586512.
pub(super) fn micros(time: Duration) -> Micros {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stretch in which what is taken at `now` counts: start included, end excluded.
    fn bounds(window: Window, now: Micros) -> (Micros, Micros) {
        let step = window.step(now);
        (window.start(step), window.start(window.expiry(step)))
    }

    const fn fixed(every: Period) -> Window {
        Window::Fixed { every }
    }

    #[test]
    fn fixed_windows_are_aligned_to_the_calendar() {
        // 2024-02-29 23:59:59 UTC
        let now = 1_709_251_199 * SECOND;
        let midnight = 1_709_251_200 * SECOND;
        for (every, length) in [
            (Period::Minute, MINUTE),
            (Period::Hour, HOUR),
            (Period::Day(Zone::UTC), DAY),
        ] {
            assert_eq!(
                bounds(fixed(every), now),
                (midnight - length, midnight),
                "{every:?}"
            );
        }
        let february = 1_706_745_600 * SECOND;
        let month = fixed(Period::Month(Zone::UTC));
        assert_eq!(bounds(month, now), (february, midnight));
    }

    #[test]
    fn lengths_are_told_in_whole_seconds() {
        let sliding = |millis| Window::Sliding {
            every: Duration::from_millis(millis),
        };
        let seconds = [sliding(1), sliding(1_000), sliding(1_001)].map(Window::seconds);
        assert_eq!(seconds, [Some(1), Some(1), Some(2)]);
        let utc = Zone::UTC;
        let periods = [
            Period::Minute,
            Period::Hour,
            Period::Day(utc),
            Period::Month(utc),
        ];
        let seconds = periods.map(|every| fixed(every).seconds());
        assert_eq!(seconds, [60, 3_600, 86_400, 2_678_400].map(Some));
        assert_eq!(Window::Held.seconds(), None);
    }

    #[test]
    fn a_sliding_amount_counts_for_the_whole_length_and_at_most_a_sixtieth_more() {
        for millis in [1, 60, 1_000, 1_234, 3_600_000] {
            let every = Duration::from_millis(millis);
            let window = Window::Sliding { every };
            for offset in [0, 1, 7_777, 999_999] {
                let taken = 1_700_000_000 * SECOND + offset;
                let (start, end) = bounds(window, taken);
                assert!(start <= taken);
                let kept = end - taken;
                assert!(kept >= micros(every), "{millis} ms at {offset}: {kept}");
                let slack = 2 * 61 + micros(every) / 60;
                assert!(
                    kept <= micros(every) + slack,
                    "{millis} ms at {offset}: {kept}"
                );
            }
        }
    }

    #[test]
    fn a_bucket_is_cut_finely_and_a_small_change_leaves_its_steps() {
        let second = Duration::from_secs(1);
        for (limit, burst) in [(1, 1), (10, 100), (1_000, 10), (1_000_000, 3)] {
            let window = Window::token_bucket(limit, second, burst);
            let fills_in = SECOND * burst / limit;
            assert!(window.granule() <= (fills_in / 30).max(2), "{window:?}");
            assert_eq!(
                window.granule(),
                Window::token_bucket(limit + limit / 99, second, burst).granule()
            );
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for window in [
            fixed(Period::Minute),
            fixed(Period::Month(Zone::UTC)),
            Window::Sliding {
                every: Duration::ZERO,
            },
            Window::Sliding {
                every: Duration::MAX,
            },
            Window::token_bucket(0, Duration::MAX, u64::MAX),
            Window::token_bucket(u64::MAX, Duration::ZERO, 0),
            Window::Held,
        ] {
            assert_eq!(bounds(window, 0).0, 0);
            let (start, end) = bounds(window, u64::MAX);
            assert!(start <= end, "{window:?}");
            let _ = window.start(u64::MAX);
        }
        assert_eq!(since_epoch(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }
}
