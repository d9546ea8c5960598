//! `grpc-timeout`: how long a caller will wait, as one to eight digits and a unit. Knows no clock,
//! and so no deadline.

use std::{fmt, time::Duration};

/// The most that digits can say.
const MOST: u128 = 99_999_999;

/// The units, from the shortest, with their length in nanoseconds.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// Why a value is no timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not end in a unit.
    Unit,
    /// There is no digit before its unit.
    NoDigits,
    /// There are more than eight.
    TooManyDigits,
    /// What stands before its unit is not all digits.
    NotDigits,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Unit => "does not end in a unit",
            Self::NoDigits => "has no number before its unit",
            Self::TooManyDigits => "has more than eight digits; take a longer unit",
            Self::NotDigits => "has something else than digits before its unit",
        };
        write!(
            f,
            "the timeout {what}: it is one to eight digits and one of H, M, S, m (milliseconds), \
             u or n, like 250m"
        )
    }
}

impl std::error::Error for Fault {}

/// Reads a timeout. Zero is one, although the specification asks for a positive number: it is what
/// implementations send when the time is up already.
///
/// ```
/// # use std::time::Duration;
/// # use weir_protocols::grpc::timeout;
/// assert_eq!(timeout::parse(b"250m"), Ok(Duration::from_millis(250)));
/// ```
///
/// # Errors
/// If `value` is not one to eight digits and a unit.
pub fn parse(value: &[u8]) -> Result<Duration, Fault> {
    let (unit, digits) = value.split_last().ok_or(Fault::Unit)?;
    let (_, length) = UNITS
        .iter()
        .find(|(letter, _)| letter == unit)
        .ok_or(Fault::Unit)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::NotDigits);
    }
    match digits.len() {
        0 => return Err(Fault::NoDigits),
        1..=8 => {}
        _ => return Err(Fault::TooManyDigits),
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + u128::from(digit - b'0'));
    Ok(duration(number * length))
}

/// Writes a timeout that is never longer than `time`, and as close to it as eight digits can be; of
/// all the spellings of that, the shortest.
///
/// ```
/// # use std::time::Duration;
/// # use weir_protocols::grpc::timeout;
/// assert_eq!(timeout::write(Duration::from_millis(1500)), "1500m");
/// assert_eq!(timeout::write(Duration::from_secs(7200)), "2H");
/// assert_eq!(timeout::write(Duration::from_nanos(1_234_567_899)), "1234567u");
/// ```
pub fn write(time: Duration) -> String {
    let nanos = time.as_nanos();
    let said = UNITS
        .iter()
        .map(|(_, length)| (nanos / length, length))
        .find(|(number, _)| *number <= MOST)
        // Longer than eleven thousand years.
        .map_or(MOST * UNITS[5].1, |(number, length)| number * length);
    let (letter, number) = UNITS
        .iter()
        .rev()
        .find(|(_, length)| said >= *length && said.is_multiple_of(*length))
        .map_or((b'n', 0), |(letter, length)| (*letter, said / length));
    format!("{number}{}", char::from(letter))
}

/// So many nanoseconds, of which eight digits of hours are the most.
fn duration(nanos: u128) -> Duration {
    let second = UNITS[3].1;
    Duration::new(
        u64::try_from(nanos / second).unwrap_or(u64::MAX),
        u32::try_from(nanos % second).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (value, expected) in [
            ("0n", Duration::ZERO),
            ("1n", Duration::from_nanos(1)),
            ("99999999u", Duration::from_micros(99_999_999)),
            ("007m", Duration::from_millis(7)),
            ("30S", Duration::from_secs(30)),
            ("2M", Duration::from_secs(120)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(parse(value.as_bytes()), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_timeout_is_told_why() {
        for (value, expected) in [
            ("", Fault::Unit),
            ("10", Fault::Unit),
            ("10s", Fault::Unit),
            ("10h", Fault::Unit),
            ("10S ", Fault::Unit),
            ("S", Fault::NoDigits),
            ("123456789S", Fault::TooManyDigits),
            ("-1S", Fault::NotDigits),
            ("+1S", Fault::NotDigits),
            ("1.5S", Fault::NotDigits),
            (" 1S", Fault::NotDigits),
        ] {
            let fault = parse(value.as_bytes()).expect_err(value);
            assert_eq!(fault, expected, "{value}");
            assert!(fault.to_string().contains("like 250m"));
        }
    }

    #[test]
    fn the_shortest_of_the_closest_is_written() {
        for (time, expected) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_000), "100m"),
            (Duration::from_nanos(100_000_001), "100m"),
            (Duration::from_nanos(123_456_789), "123456u"),
            (Duration::from_secs(59), "59S"),
            (Duration::from_secs(60), "1M"),
            (Duration::from_secs(5400), "90M"),
            (Duration::from_secs(86_400), "24H"),
            (Duration::from_secs(99_999_999 * 60 + 59), "99999999M"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(write(time), expected, "{time:?}");
            assert!(parse(expected.as_bytes()).expect("sound") <= time);
        }
    }
}
