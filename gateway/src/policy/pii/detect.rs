//! What data that identifies people looks like. Where numbers carry a checksum, it has to be right.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use regex::Regex;

use crate::config::policies::pii::{BuiltIn, Detector};
use crate::policy::speech::find::{Accept, Rule, anything};

/// RFC 5321's dot-string, without quoted names and addresses in brackets.
const EMAIL: &str = r"(?-u:\b)[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,4}[A-Za-z]{2,24}(?-u:\b)";
/// E.164 with its `+` or `00`, and the forms usual in North America.
const PHONE: &str = r"(?:\+|(?-u:\b)00)[1-9](?:[ ./()-]{0,2}[0-9]){6,14}(?-u:\b)|(?:\([2-9][0-9]{2}\) ?|(?-u:\b)(?:1[ .-])?[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?-u:\b)";
/// ISO/IEC 7812.
const CREDIT_CARD: &str = r"(?-u:\b)[0-9](?:[ -]?[0-9]){12,18}(?-u:\b)";
/// ISO 13616.
const IBAN: &str = r"(?-u:\b)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?-u:\b)";
const IP_ADDRESS: &str = r"(?-u:\b)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?-u:\b)|(?-u:\b)[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}";
const US_SSN: &str = r"(?-u:\b)[0-9]{3}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}(?-u:\b)";

/// More than any of these matches, in bytes.
pub(super) const LONGEST: usize = 352;

/// The longest text a detector finds, in bytes.
pub(super) fn longest(detector: &Detector) -> usize {
    match detector {
        Detector::BuiltIn(_) => LONGEST,
        Detector::Pattern(pattern) => pattern.longest.unwrap_or(LONGEST),
    }
}

/// The rule of a detector.
pub(super) fn rule(detector: &Detector) -> Rule {
    let (pattern, accept): (_, Accept) = match detector {
        Detector::Pattern(pattern) => {
            return Rule {
                regex: pattern.regex.clone(),
                accept: anything,
            };
        }
        Detector::BuiltIn(BuiltIn::Email) => (EMAIL, anything),
        Detector::BuiltIn(BuiltIn::Phone) => (PHONE, anything),
        Detector::BuiltIn(BuiltIn::CreditCard) => (CREDIT_CARD, credit_card),
        Detector::BuiltIn(BuiltIn::Iban) => (IBAN, iban),
        Detector::BuiltIn(BuiltIn::IpAddress) => (IP_ADDRESS, ip_address),
        Detector::BuiltIn(BuiltIn::UsSsn) => (US_SSN, us_ssn),
    };
    Rule {
        regex: Regex::new(pattern).expect("a test compiles every one"),
        accept,
    }
}

/// Where the longest beginning of what matched ends that is whole groups and `good`: what follows a
/// number may look as if it went on.
fn whole_groups(text: &str, at: Range<usize>, good: fn(&str) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let ends_group = |end: &usize| {
        let inside = bytes[end - 1].is_ascii_alphanumeric();
        inside && (*end == at.end || !bytes[*end].is_ascii_alphanumeric())
    };
    let mut ends = (at.start + 1..=at.end).rev().filter(ends_group);
    ends.find(|end| good(&text[at.start..*end]))
}

fn credit_card(text: &str, at: Range<usize>) -> Option<usize> {
    whole_groups(text, at, |number| {
        let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
        (13..=19).contains(&digits.len()) && digits[0] != 0 && luhn(&digits)
    })
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u32]) -> bool {
    let weighed = digits.iter().rev().enumerate().map(|(index, digit)| {
        let doubled = digit * (1 + index as u32 % 2);
        doubled / 10 + doubled % 10
    });
    weighed.sum::<u32>() % 10 == 0
}

/// ISO 7064, MOD 97-10, over the number with its first four characters last.
fn iban(text: &str, at: Range<usize>) -> Option<usize> {
    whole_groups(text, at, |number| {
        let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(36)).collect();
        let turned = digits.iter().cycle().skip(4).take(digits.len());
        let rest = turned.fold(0, |rest, digit| match digit {
            0..10 => (rest * 10 + digit) % 97,
            _ => (rest * 100 + digit) % 97,
        });
        (15..=34).contains(&digits.len()) && rest == 1
    })
}

fn ip_address(text: &str, at: Range<usize>) -> Option<usize> {
    let found = &text[at.clone()];
    if found.contains('.') {
        return found.parse::<Ipv4Addr>().ok().map(|_| at.end);
    }
    let address = match found.ends_with("::") {
        true => found,
        false => found.trim_end_matches(':'),
    };
    let end = at.start + address.len();
    let goes_on = |c: char| c.is_ascii_alphanumeric();
    let is_part = text[..at.start].ends_with(':') || text[end..].starts_with(goes_on);
    // Shorter ones are rather names of code, such as a::b.
    let digits = address.bytes().filter(u8::is_ascii_hexdigit).count();
    let is_address = address.parse::<Ipv6Addr>().is_ok();
    (is_address && digits >= 5 && !is_part).then_some(end)
}

/// Numbers that were never given out are none.
fn us_ssn(text: &str, at: Range<usize>) -> Option<usize> {
    let found = &text[at.clone()];
    let (area, group, serial) = (&found[..3], &found[4..6], &found[7..]);
    let never = matches!(area, "000" | "666") || area.starts_with('9');
    (!never && group != "00" && serial != "0000").then_some(at.end)
}

#[cfg(test)]
pub(super) const PATTERNS: [&str; 6] = [EMAIL, PHONE, CREDIT_CARD, IBAN, IP_ADDRESS, US_SSN];
