//! US dollars as decimal text, exactly: `12.5`, `0.000000037`.
//!
//! Nothing here touches floating point. Knows no currency but the dollar, no sign and no rounding:
//! what is finer than a nano-dollar is refused, not rounded.

use std::fmt;
use std::str::FromStr;

/// Nano-dollars in a dollar.
pub const NANOS_PER_DOLLAR: u64 = 1_000_000_000;

/// Digits after the point that a nano-dollar has.
const DECIMALS: usize = 9;

/// An amount of money in nano-dollars, up to about 18.4 billion dollars.
///
/// Reads from and prints as plain decimal text in dollars. Printing drops trailing zeros, and the
/// point where nothing follows it; what was printed reads back as the same amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Dollars(pub u64);

/// Why a text is no amount of dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Not digits, perhaps with a point and digits after it.
    NotDecimal,
    /// Below zero.
    Negative,
    /// Finer than a nano-dollar.
    TooFine,
    /// More than fits.
    TooLarge,
}

impl fmt::Display for Malformed {
    /// As the end of a sentence: `"1e3" is not a decimal number of dollars`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDecimal => "is not a decimal number of dollars",
            Self::Negative => "is below zero",
            Self::TooFine => "has more than nine decimals",
            Self::TooLarge => "is more than can be counted",
        })
    }
}

impl std::error::Error for Malformed {}

impl FromStr for Dollars {
    type Err = Malformed;

    /// Reads digits, and at most nine more after a point. No sign, exponent, currency or space.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (unsigned, negative) = match text.strip_prefix('-') {
            Some(unsigned) => (unsigned, true),
            None => (text, false),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (unsigned, None),
        };
        if !is_digits(whole) || fraction.is_some_and(|fraction| !is_digits(fraction)) {
            return Err(Malformed::NotDecimal);
        }
        if negative {
            return Err(Malformed::Negative);
        }
        let fraction = fraction.unwrap_or_default();
        if fraction.len() > DECIMALS {
            return Err(Malformed::TooFine);
        }
        let digits = |text: &str| {
            text.bytes().try_fold(0_u64, |number, digit| {
                number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
            })
        };
        let nanos = digits(whole)
            .and_then(|whole| whole.checked_mul(NANOS_PER_DOLLAR))
            .zip(digits(&format!("{fraction:0<DECIMALS$}")))
            .and_then(|(whole, fraction)| whole.checked_add(fraction));
        nanos.map(Self).ok_or(Malformed::TooLarge)
    }
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / NANOS_PER_DOLLAR, self.0 % NANOS_PER_DOLLAR);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{fraction:0DECIMALS$}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_read_and_print() {
        for (text, nanos, printed) in [
            ("0", 0, "0"),
            ("12.5", 12_500_000_000, "12.5"),
            ("12.50", 12_500_000_000, "12.5"),
            ("0.000000037", 37, "0.000000037"),
            ("1.000000000", 1_000_000_000, "1"),
            ("007.1", 7_100_000_000, "7.1"),
            ("18446744073.709551615", u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(text.parse(), Ok(Dollars(nanos)), "{text}");
            assert_eq!(Dollars(nanos).to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_amount_says_why() {
        for (text, why) in [
            ("", Malformed::NotDecimal),
            (".", Malformed::NotDecimal),
            (".5", Malformed::NotDecimal),
            ("5.", Malformed::NotDecimal),
            ("-", Malformed::NotDecimal),
            ("+5", Malformed::NotDecimal),
            ("1e3", Malformed::NotDecimal),
            ("1 000", Malformed::NotDecimal),
            ("1,000", Malformed::NotDecimal),
            ("$5", Malformed::NotDecimal),
            ("1.2.3", Malformed::NotDecimal),
            ("٣", Malformed::NotDecimal),
            ("-0.5", Malformed::Negative),
            ("0.0000000001", Malformed::TooFine),
            ("1.0000000000", Malformed::TooFine),
            ("18446744073.709551616", Malformed::TooLarge),
            ("18446744074", Malformed::TooLarge),
            ("99999999999999999999999", Malformed::TooLarge),
        ] {
            assert_eq!(text.parse::<Dollars>(), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_printed_reads_back(nanos in any::<u64>()) {
            prop_assert_eq!(Dollars(nanos).to_string().parse(), Ok(Dollars(nanos)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9.]{0,24}|.{0,12}") {
            if let Ok(dollars) = text.parse::<Dollars>() {
                prop_assert_eq!(dollars.to_string().parse(), Ok(dollars));
            }
        }
    }
}
