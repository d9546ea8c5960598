//! A calendar day in UTC.

use std::borrow::Cow;
use std::fmt;
use std::time::{self, SystemTime, UNIX_EPOCH};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::{Format, deserialize, text_schema};

/// A day in UTC, from 1970 to 9999, written `2027-01-01` (RFC 3339 `full-date`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The moment the day begins.
    pub fn begins(self) -> SystemTime {
        UNIX_EPOCH + time::Duration::from_secs(self.days() * 86_400)
    }

    /// Days since 1970-01-01.
    fn days(self) -> u64 {
        let years = (1970..self.year)
            .map(|year| 365 + u64::from(is_leap(year)))
            .sum::<u64>();
        let months = (1..self.month)
            .map(|month| u64::from(days_of(self.year, month)))
            .sum::<u64>();
        years + months + u64::from(self.day) - 1
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u16, month: u8) -> u8 {
    match month {
        2 => 28 + u8::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Format for Date {
    const NAME: &'static str = "date";
    const EXPECTS: &'static str = "a day such as 2027-01-01";

    fn parse(text: &str) -> Option<Self> {
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !shaped {
            return None;
        }
        let date = Self {
            year: text[..4].parse().ok()?,
            month: text[5..7].parse().ok()?,
            day: text[8..].parse().ok()?,
        };
        let good = date.year >= 1970
            && (1..=12).contains(&date.month)
            && (1..=days_of(date.year, date.month)).contains(&date.day);
        good.then_some(date)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

impl JsonSchema for Date {
    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        text_schema::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2027-01-01", 20_819),
        ] {
            assert_eq!(Date::parse(text).map(Date::days), Some(days), "{text}");
        }
    }

    #[test]
    fn days_that_never_were_are_refused() {
        for bad in [
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-10",
            "2027-1-1",
            "1969-12-31",
            "+027-01-01",
            "2027-01-01T00:00:00Z",
        ] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }
}
