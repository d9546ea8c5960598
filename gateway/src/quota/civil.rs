//! Months of the Gregorian calendar in UTC, counted from January 1970. Knows dates only: no
//! time of day, no zones, nothing before 1970.

/// Days before each month of a common year.
const DAYS_BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Months beyond this are taken as this one: about 90 trillion years, so that no arithmetic
/// below can overflow.
const LAST_MONTH: u64 = 1 << 50;

/// Leap days in the years 1 to `year`.
const fn leap_days_through(year: u64) -> u64 {
    year / 4 - year / 100 + year / 400
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// The first day of a month, both counted from January 1970 (month 0, day 0).
pub(super) fn first_day(month: u64) -> u64 {
    let month = month.min(LAST_MONTH);
    let year = 1970 + month / 12;
    let of_year = month % 12;
    let leap_days = leap_days_through(year - 1) - leap_days_through(1969)
        + u64::from(of_year >= 2 && is_leap(year));
    (year - 1970) * 365 + leap_days + DAYS_BEFORE[of_year as usize]
}

/// The month that holds a day; the inverse of [`first_day`].
pub(super) fn month_of(day: u64) -> u64 {
    // 400 years are 4,800 months and 146,097 days. The mean is never off by more than one.
    let mut month = (day.saturating_mul(4_800) / 146_097).min(LAST_MONTH);
    while first_day(month) > day {
        month -= 1;
    }
    while month < LAST_MONTH && first_day(month + 1) <= day {
        month += 1;
    }
    month
}

#[cfg(test)]
mod tests {
    use super::{first_day, month_of};

    fn month(year: u64, month: u64) -> u64 {
        (year - 1970) * 12 + month - 1
    }

    #[test]
    fn known_dates() {
        // (year, month, seconds since the epoch at its first midnight, by `date -u`)
        for (y, m, seconds) in [
            (1970, 1, 0),
            (1972, 3, 68_256_000),
            (2000, 2, 949_363_200),
            (2000, 3, 951_868_800),
            (2024, 2, 1_706_745_600),
            (2024, 3, 1_709_251_200),
            (2025, 3, 1_740_787_200),
            (2026, 1, 1_767_225_600),
            (2100, 3, 4_107_542_400),
        ] {
            assert_eq!(first_day(month(y, m)) * 86_400, seconds, "{y}-{m}");
        }
    }

    #[test]
    fn lengths_of_february() {
        for (year, days) in [
            (1972, 29),
            (2000, 29),
            (2023, 28),
            (2024, 29),
            (2100, 28),
            (2400, 29),
        ] {
            let february = month(year, 2);
            assert_eq!(
                first_day(february + 1) - first_day(february),
                days,
                "{year}"
            );
        }
    }

    #[test]
    fn every_day_of_eight_centuries_falls_in_its_month() {
        let mut expected = 0;
        for day in 0..(8 * 36_525) {
            if day == first_day(expected + 1) {
                expected += 1;
            }
            assert_eq!(month_of(day), expected, "day {day}");
        }
    }

    #[test]
    fn the_far_future_does_not_overflow() {
        assert!(first_day(u64::MAX) > first_day(1 << 49));
        assert!(month_of(u64::MAX / 86_400) > month(9999, 12));
    }
}
