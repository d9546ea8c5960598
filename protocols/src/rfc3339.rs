//! Moments as RFC 3339 writes them, `2026-04-05T17:31:00.25Z`.
//!
//! Strict: what the grammar of its section 5.6 does not allow is no moment, nor is a day that no
//! calendar has. Knows no time zones but the offset that is written.

/// Milliseconds since 1970, for a moment after that or before; a finer fraction is cut off. A leap
/// second is the one after it.
///
/// `None` if the text is no moment.
pub fn milliseconds(text: &str) -> Option<i64> {
    let (date, rest) = text.as_bytes().split_at_checked(10)?;
    let (mark, rest) = rest.split_first()?;
    let (time, rest) = rest.split_at_checked(8)?;
    if !mark.eq_ignore_ascii_case(&b'T') {
        return None;
    }
    let (fraction, zone) = fraction(rest)?;
    let seconds = days(date)? * 86_400 + of_day(time)? - offset(zone)?;
    Some(seconds * 1_000 + fraction)
}

/// Days from the first of 1970.
fn days(date: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else {
        return None;
    };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    let (month, day) = (two(*m1, *m2)?, two(*d1, *d2)?);
    if !(1..=12).contains(&month) || !(1..=length(year, month)).contains(&day) {
        return None;
    }
    // Years begin in March, so that the day that comes and goes is their last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leaps + of_year - 719_468)
}

/// How many days a month has.
fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds since midnight.
fn of_day(time: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return None;
    };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// Milliseconds of the fraction, if there is one, and what is left.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = rest.split_at(digits);
    let digit = |at: usize| fraction.get(at).map_or(0, |digit| i64::from(digit - b'0'));
    (digits > 0).then(|| (digit(0) * 100 + digit(1) * 10 + digit(2), rest))
}

/// Seconds that a zone is ahead by.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
            let ahead = hours * 3_600 + minutes * 60;
            let ahead = if *sign == b'-' { -ahead } else { ahead };
            (hours < 24 && minutes < 60).then_some(ahead)
        }
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let both = tens.is_ascii_digit() && ones.is_ascii_digit();
    both.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn moments_are_counted_from_1970() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.5Z", -500),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2018-04-05T17:31:00Z", 1_522_949_460_000),
            ("2018-04-05t19:31:00.123456789+02:00", 1_522_949_460_123),
            ("2018-04-05T16:01:00.1-01:30", 1_522_949_460_100),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999z", 253_402_300_799_999),
        ] {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2018-04-05",
            "2018-04-05 17:31:00Z",
            "2018-04-05T17:31:00",
            "2018-04-05T17:31Z",
            "2018-04-05T24:00:00Z",
            "2018-04-05T17:60:00Z",
            "2018-04-05T17:31:61Z",
            "2018-04-05T17:31:00.Z",
            "2018-04-05T17:31:00+0200",
            "2018-04-05T17:31:00+24:00",
            "2018-04-05T17:31:00Z ",
            "2018-13-05T17:31:00Z",
            "2018-04-31T17:31:00Z",
            "2018-00-01T17:31:00Z",
            "1900-02-29T00:00:00Z",
            "18-04-05T17:31:00Z",
            "２018-04-05T17:31:00Z",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
