//! Quantities: time, bytes, shares.

use std::borrow::Cow;
use std::fmt;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Format, deserialize, serialize, text_schema};

/// A length of time: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub time::Duration);

impl Duration {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(time::Duration::from_secs(seconds))
    }

    /// Longer waits are mistakes, and overflow arithmetic on clocks.
    const LONGEST: time::Duration = time::Duration::from_secs(366 * 24 * 3600);
}

impl Format for Duration {
    const NAME: &'static str = "duration";
    const EXPECTS: &'static str =
        "a duration such as 500ms, 1s, 5m, 1h or 1d, above 0 and at most 366d";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let duration = time::Duration::from_millis(number.checked_mul(milliseconds)?);
        (!duration.is_zero() && duration <= Self::LONGEST).then_some(Self(duration))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let units = [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "m"),
            (1_000, "s"),
        ];
        match units
            .iter()
            .find(|(unit, _)| milliseconds.is_multiple_of(*unit))
        {
            Some((unit, name)) => write!(f, "{}{name}", milliseconds / unit),
            None => write!(f, "{milliseconds}ms"),
        }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self, serializer)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        text_schema::<Self>()
    }
}

/// A number of bytes: a whole number, alone or with `B`, `KiB`, `MiB` or `GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl Size {
    /// So many times 1024 bytes.
    pub const fn kib(count: u64) -> Self {
        Self(count * 1024)
    }
}

impl Format for Size {
    const NAME: &'static str = "size";
    const EXPECTS: &'static str = "a size such as 64KiB, 10MiB or 1024 (bytes), above 0";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let bytes: u64 = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number
            .checked_mul(bytes)
            .filter(|bytes| *bytes > 0)
            .map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.iter().find(|(unit, _)| self.0.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Size::EXPECTS)
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                if bytes == 0 {
                    Err(E::custom("expected a size above 0"))
                } else {
                    Ok(Size(bytes))
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text)
                    .ok_or_else(|| E::custom(format_args!("expected {}", Size::EXPECTS)))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self, serializer)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": Self::NAME,
            "minimum": 1,
            "description": super::capitalised(Self::EXPECTS),
        })
    }
}

/// A share, in whole percent from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(pub u8);

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "minimum": 0,
            "maximum": 100,
            "description": "A share in whole percent, from 0 to 100.",
        })
    }
}

/// A whole number and what follows it.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_alike() {
        for text in ["500ms", "1s", "90s", "5m", "1h", "7d"] {
            assert_eq!(
                Duration::parse(text).map(|d| d.to_string()).as_deref(),
                Some(text)
            );
        }
        for bad in [
            "",
            "1",
            "0s",
            "-1s",
            "1.5s",
            "1 s",
            "s",
            "1S",
            "367d",
            "99999999999999999999s",
        ] {
            assert_eq!(Duration::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_read_and_print_alike() {
        for text in ["100", "64KiB", "10MiB", "2GiB"] {
            assert_eq!(
                Size::parse(text).map(|s| s.to_string()).as_deref(),
                Some(text)
            );
        }
        for bad in [
            "",
            "0",
            "KiB",
            "1KB",
            "1kib",
            "-1",
            "18446744073709551615KiB",
        ] {
            assert_eq!(Size::parse(bad), None, "{bad}");
        }
    }
}
