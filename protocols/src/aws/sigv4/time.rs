//! Times as signatures want them: UTC, to the second. Knows no time zone and no leap second.

const DAY: u64 = 24 * 60 * 60;

/// The day of `seconds` after the Unix epoch, counted from the epoch.
pub(super) const fn day(seconds: u64) -> u64 {
    seconds / DAY
}

/// The day as `20150830`.
pub(super) fn date(day: u64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}{month:02}{day:02}")
}

/// The time as `20150830T123600Z`.
pub(super) fn stamp(seconds: u64) -> String {
    let second = seconds % DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{}T{hour:02}{minute:02}{second:02}Z", date(day(seconds)))
}

/// Year, month and day of a day counted from the epoch, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is a year's last; then the lengths of months
/// repeat every five, 153 days long, and those of years every 400, 146097 days long.
const fn civil(day: u64) -> (u64, u64, u64) {
    /// From the first of March of the year 0 to the epoch.
    const BEFORE_EPOCH: u64 = 719_468;
    const ERA: u64 = 146_097;
    let day = day + BEFORE_EPOCH;
    let (era, of_era) = (day / ERA, day % ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + 400 * era + next, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, said) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (1_709_164_800, "20240229T000000Z"),
            (1_735_689_599, "20241231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(stamp(seconds), said);
        }
        // A clock gone wild is no reason to panic.
        assert!(stamp(u64::MAX).ends_with('Z'));
    }
}
