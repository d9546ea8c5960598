//! The calendar of a time zone: which day or month a moment is in, and when that begins.
//!
//! Days and months are numbered from the one that holds 1970-01-01, so that the next one has the
//! next number whatever clocks do in between. Knows no amounts and no windows.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use parking_lot::Mutex;

use super::window::Micros;

static UTC_RULES: TimeZone = TimeZone::UTC;

const EPOCH: Date = date(1970, 1, 1);

/// A time zone of the IANA database. Copied freely: each is kept once, for ever.
#[derive(Debug, Clone, Copy)]
pub struct Zone {
    name: &'static str,
    rules: &'static TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self {
        name: "UTC",
        rules: &UTC_RULES,
    };

    /// The zone of that name, as `Europe/Berlin`; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        // At most as many entries as there are zones, so what is leaked is bounded.
        static KNOWN: LazyLock<Mutex<HashMap<&'static str, &'static TimeZone>>> =
            LazyLock::new(Mutex::default);
        if name == "UTC" {
            return Some(Self::UTC);
        }
        let mut known = KNOWN.lock();
        if let Some((name, rules)) = known.get_key_value(name) {
            return Some(Self { name, rules });
        }
        let rules = TimeZone::get(name).ok()?;
        let (name, rules): (&'static str, &'static TimeZone) =
            (String::leak(name.to_owned()), Box::leak(Box::new(rules)));
        known.insert(name, rules);
        Some(Self { name, rules })
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The number of the day that holds a moment.
    pub(super) fn day(self, at: Micros) -> u64 {
        let days = (self.date(at) - EPOCH).get_days();
        u64::try_from(days).unwrap_or_default()
    }

    /// The number of the month that holds a moment.
    pub(super) fn month(self, at: Micros) -> u64 {
        let date = self.date(at);
        let months = (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1;
        u64::try_from(months).unwrap_or_default()
    }

    /// The first moment of a day; of days beyond the calendar, the last one it knows.
    pub(super) fn day_start(self, day: u64) -> Micros {
        let days = i64::try_from(day).unwrap_or(i64::MAX);
        let span = jiff::Span::new().try_days(days);
        let date = span.and_then(|span| EPOCH.checked_add(span));
        date.map_or(Micros::MAX, |date| self.start(date))
    }

    /// The first moment of a month; of months beyond the calendar, the last one it knows.
    pub(super) fn month_start(self, month: u64) -> Micros {
        let year = i16::try_from(month / 12)
            .ok()
            .and_then(|y| y.checked_add(1970));
        let first = year.and_then(|year| Date::new(year, (month % 12) as i8 + 1, 1).ok());
        first.map_or(Micros::MAX, |date| self.start(date))
    }

    fn date(self, at: Micros) -> Date {
        let at = i64::try_from(at)
            .ok()
            .and_then(|at| Timestamp::from_microsecond(at).ok())
            .unwrap_or(Timestamp::MAX);
        self.rules.to_datetime(at).date()
    }

    /// Midnight, or the first moment after it where clocks skip it.
    fn start(self, date: Date) -> Micros {
        let start = self.rules.to_zoned(date.at(0, 0, 0, 0));
        start.map_or(Micros::MAX, |start| {
            u64::try_from(start.timestamp().as_microsecond()).unwrap_or_default()
        })
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn days_begin_at_local_midnight_through_summer_time() {
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        // 2026-03-29 has 23 hours there, 2026-10-25 has 25.
        for (date, hours) in [
            (date(2026, 3, 29), 23),
            (date(2026, 10, 25), 25),
            (date(2026, 7, 1), 24),
        ] {
            let start = berlin.start(date);
            let day = berlin.day(start);
            assert_eq!(berlin.day_start(day), start);
            assert_eq!(berlin.day(start - 1), day - 1, "{date}");
            let end = berlin.day_start(day + 1);
            assert_eq!(end - start, hours * 3_600 * SECOND, "{date}");
            assert_eq!(berlin.day(end - 1), day);
        }
    }

    #[test]
    fn a_day_without_midnight_begins_when_it_does() {
        // Clocks there went from 23:59:59 to 01:00:00.
        let beirut = Zone::named("Asia/Beirut").expect("a zone");
        let start = beirut.start(date(2022, 3, 27));
        assert_eq!(beirut.day(start), beirut.day(start - 1) + 1);
    }

    #[test]
    fn months_are_numbered_without_gaps() {
        for zone in [Zone::UTC, Zone::named("America/New_York").expect("a zone")] {
            for month in 0..2_400 {
                let start = zone.month_start(month);
                assert_eq!(zone.month(start), month, "{zone:?}");
                if month > 0 {
                    assert_eq!(zone.month(start - 1), month - 1);
                }
            }
        }
        // date -u -d 2024-03-01 +%s
        assert_eq!(Zone::UTC.month_start(54 * 12 + 2), 1_709_251_200 * SECOND);
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for zone in [Zone::UTC, Zone::named("Pacific/Apia").expect("a zone")] {
            for at in [0, 1, u64::MAX] {
                let _ = (
                    zone.day(at),
                    zone.month(at),
                    zone.day_start(at),
                    zone.month_start(at),
                );
            }
        }
        assert!(Zone::named("Mars/Olympus").is_none());
    }
}
