//! Decimals: text such as `-12.34`, and in Avro a whole number of its last digits in two's complement,
//! big-endian.

use std::fmt::Write as _;

/// As many digits as fit into 128 bits whatever they are.
const MOST_DIGITS: usize = 38;

/// A type of decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    precision: usize,
    scale: usize,
    /// How many bytes each takes, if that is fixed.
    pub(super) size: Option<usize>,
}

impl Decimal {
    /// That of a schema.
    pub(super) fn build(
        precision: usize,
        scale: usize,
        size: Option<usize>,
    ) -> Result<Self, String> {
        if precision > MOST_DIGITS {
            return Err(format!(
                "a decimal has {precision} digits, and more than {MOST_DIGITS} are not read here"
            ));
        }
        Ok(Self {
            precision,
            scale,
            size,
        })
    }

    /// What a text has to be.
    pub(super) fn wanted(&self) -> String {
        let Self {
            precision, scale, ..
        } = self;
        format!("is to be a decimal of at most {precision} digits, {scale} of them after the point")
    }

    /// The bytes of a decimal text.
    pub(super) fn write(&self, text: &str) -> Option<Vec<u8>> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let whole = whole.trim_start_matches('0');
        if fraction.len() > self.scale || whole.len() + self.scale > self.precision {
            return None;
        }
        let digits = format!("{whole}{fraction:0<width$}", width = self.scale);
        let number: i128 = match digits.as_str() {
            "" => 0,
            digits => digits.parse().ok()?,
        };
        let number = if negative { -number } else { number };
        self.bytes(number)
    }

    fn bytes(&self, number: i128) -> Option<Vec<u8>> {
        let sign = if number < 0 { 0xff } else { 0 };
        let all = number.to_be_bytes();
        // As few as keep the sign.
        let needless = all
            .windows(2)
            .take_while(|two| two[0] == sign && (two[1] ^ sign) < 0x80)
            .count();
        let short = &all[needless..];
        match self.size {
            None => Some(short.to_vec()),
            Some(size) => {
                let fill = size.checked_sub(short.len())?;
                let mut bytes = vec![sign; fill];
                bytes.extend_from_slice(short);
                Some(bytes)
            }
        }
    }

    /// The text of such bytes.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<String> {
        let sign = match bytes.first() {
            Some(first) if *first >= 0x80 => 0xff,
            _ => 0,
        };
        let mut all = [sign; 16];
        let surplus = bytes.len().saturating_sub(all.len());
        let (filling, rest) = bytes.split_at(surplus);
        if filling.iter().any(|byte| *byte != sign) {
            return None;
        }
        let start = all.len() - rest.len();
        all[start..].copy_from_slice(rest);
        let number = i128::from_be_bytes(all);
        if surplus > 0 && (number < 0) != (sign == 0xff) {
            return None;
        }
        let width = self.scale + 1;
        let digits = format!("{:0>width$}", number.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() - self.scale);
        let mut text = String::new();
        if number < 0 {
            text.push('-');
        }
        text.push_str(whole);
        if !fraction.is_empty() {
            // Writing into text never fails.
            let _ = write!(text, ".{fraction}");
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(precision: usize, scale: usize, size: Option<usize>) -> Decimal {
        Decimal::build(precision, scale, size).expect("a decimal")
    }

    #[test]
    fn the_bytes_are_as_few_as_keep_the_sign() {
        let cents = decimal(9, 2, None);
        for (text, bytes, back) in [
            ("0", &b"\0"[..], "0.00"),
            ("1.27", b"\x7f", "1.27"),
            ("1.28", b"\0\x80", "1.28"),
            ("-1.28", b"\x80", "-1.28"),
            ("-1.29", b"\xff\x7f", "-1.29"),
            ("-0.01", b"\xff", "-0.01"),
            ("0012.30", b"\x04\xce", "12.30"),
            ("12.3", b"\x04\xce", "12.30"),
        ] {
            assert_eq!(cents.write(text).as_deref(), Some(bytes), "{text}");
            assert_eq!(cents.read(bytes).as_deref(), Some(back), "{text}");
        }
        assert_eq!(
            decimal(9, 2, Some(4)).write("-0.01").as_deref(),
            Some(&b"\xff\xff\xff\xff"[..])
        );
        assert_eq!(cents.read(b"").as_deref(), Some("0.00"));
        assert_eq!(
            decimal(3, 0, None).write("-7").as_deref(),
            Some(&b"\xf9"[..])
        );
    }

    #[test]
    fn what_is_no_such_decimal_is_none() {
        let cents = decimal(4, 2, None);
        for text in [
            "", "-", ".", "1.", ".5", "1.234", "100", "1e2", "+1", "a", " 1",
        ] {
            assert_eq!(cents.write(text), None, "{text:?}");
        }
        assert_eq!(decimal(9, 0, Some(1)).write("200"), None);
        assert!(Decimal::build(39, 0, None).is_err());
        assert_eq!(cents.read(&[1; 17]), None);
        assert_eq!(cents.read(&[&[0][..], &[0xff; 16]].concat()), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number in -10_i128.pow(37)..10_i128.pow(37), scale in 0_usize..38) {
            let decimal = decimal(38, scale, None);
            let bytes = decimal.bytes(number).expect("not fixed");
            let text = decimal.read(&bytes).expect("written here");
            prop_assert_eq!(decimal.write(&text), Some(bytes));
        }
    }
}
