//! The `RateLimit` and `RateLimit-Policy` response fields, as the IETF draft
//! "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers)
//! and structured fields (RFC 9651) write them. Knows nothing of how a quota
//! is counted.

use std::fmt;

/// The field that states a quota's policy.
pub const POLICY_FIELD: &str = "RateLimit-Policy";
/// The field that states what is left of it.
pub const FIELD: &str = "RateLimit";

/// The greatest integer a structured field may hold (RFC 9651 §3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// A policy's name, checked and quoted once so that writing it is a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    quoted: Box<str>,
}

/// A name that no structured field can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// It is empty and would name nothing.
    Empty,
    /// It holds something other than printable ASCII, at this byte.
    NotPrintable(usize),
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a quota's name may not be empty"),
            Self::NotPrintable(at) => write!(
                f,
                "byte {at} of a quota's name is not printable ASCII; header fields cannot carry it"
            ),
        }
    }
}

impl std::error::Error for NameFault {}

impl Name {
    /// Checks and quotes `name`.
    ///
    /// # Errors
    /// [`NameFault`] if it is empty or not all printable ASCII.
    pub fn new(name: &str) -> Result<Self, NameFault> {
        if name.is_empty() {
            return Err(NameFault::Empty);
        }
        let mut quoted = String::with_capacity(name.len() + 2);
        quoted.push('"');
        for (at, c) in name.char_indices() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                ' '..='~' => quoted.push(c),
                _ => return Err(NameFault::NotPrintable(at)),
            }
        }
        quoted.push('"');
        Ok(Self {
            quoted: quoted.into(),
        })
    }
}

/// One quota's policy: `"name";q=100;w=60`.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Which quota.
    pub name: &'a Name,
    /// How much it grants per window, in its own unit.
    pub quota: u64,
    /// What it counts, as the draft's `qu`; requests, if `None`.
    pub unit: Option<&'a str>,
    /// How long a window is, in seconds; `None` if it has none.
    pub window: Option<u64>,
}

/// What is left of one quota: `"name";r=50;t=30`.
#[derive(Clone, Copy, Debug)]
pub struct Remaining<'a> {
    /// Which quota.
    pub name: &'a Name,
    /// How much is left, in its own unit.
    pub remaining: u64,
    /// In how many seconds there is more, rounded up; `None` if not known.
    pub reset: Option<u64>,
}

/// Appends `policy` as a member of a `RateLimit-Policy` value to `out`, with
/// a comma before it if `out` holds a member already. Numbers beyond what a
/// structured field can hold are written as the greatest it can.
pub fn write_policy(out: &mut String, policy: &Policy<'_>) {
    begin_member(out, policy.name);
    write_parameter(out, "q", policy.quota);
    if let Some(unit) = policy.unit {
        for part in [";qu=\"", unit, "\""] {
            out.push_str(part);
        }
    }
    if let Some(window) = policy.window {
        write_parameter(out, "w", window);
    }
}

/// Appends `remaining` as a member of a `RateLimit` value to `out`, likewise.
pub fn write_remaining(out: &mut String, remaining: &Remaining<'_>) {
    begin_member(out, remaining.name);
    write_parameter(out, "r", remaining.remaining);
    if let Some(reset) = remaining.reset {
        write_parameter(out, "t", reset);
    }
}

fn begin_member(out: &mut String, name: &Name) {
    if !out.is_empty() {
        out.push_str(", ");
    }
    out.push_str(&name.quoted);
}

fn write_parameter(out: &mut String, key: &str, value: u64) {
    let mut digits = itoa::Buffer::new();
    for part in [";", key, "=", digits.format(value.min(MAX_INTEGER))] {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_written_as_the_draft_shows() {
        let (burst, daily) = (
            Name::new("burst").expect("a good name"),
            Name::new("daily").expect("a good name"),
        );
        let mut policy = String::new();
        let quota = |name, quota, unit, window| Policy {
            name,
            quota,
            unit,
            window,
        };
        write_policy(&mut policy, &quota(&burst, 100, None, Some(60)));
        write_policy(&mut policy, &quota(&daily, 1000, Some("tokens"), None));
        assert_eq!(policy, r#""burst";q=100;w=60, "daily";q=1000;qu="tokens""#);

        let mut rate = String::new();
        let left = |name, remaining, reset| Remaining {
            name,
            remaining,
            reset,
        };
        write_remaining(&mut rate, &left(&burst, 50, Some(30)));
        write_remaining(&mut rate, &left(&daily, 0, None));
        assert_eq!(rate, r#""burst";r=50;t=30, "daily";r=0"#);
    }

    #[test]
    fn numbers_stay_within_structured_fields() {
        let mut out = String::new();
        let name = Name::new("n").expect("a good name");
        let policy = Policy {
            name: &name,
            quota: u64::MAX,
            unit: None,
            window: Some(1),
        };
        write_policy(&mut out, &policy);
        assert_eq!(out, r#""n";q=999999999999999;w=1"#);
    }

    #[test]
    fn names_are_escaped_or_refused() {
        assert_eq!(
            &*Name::new(r#"a "b" \c"#).expect("a good name").quoted,
            r#""a \"b\" \\c""#
        );
        assert_eq!(Name::new(""), Err(NameFault::Empty));
        assert_eq!(Name::new("naïve"), Err(NameFault::NotPrintable(2)));
        assert_eq!(Name::new("a\r\nb"), Err(NameFault::NotPrintable(1)));
        assert_eq!(Name::new("a\x7f"), Err(NameFault::NotPrintable(1)));
    }
}
