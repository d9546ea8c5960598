//! Base64 (RFC 4648 §4), padded, as a stream: wherever it is cut, and with padding in the middle
//! where whoever wrote it emptied a buffer.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes that are no base64. The stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which byte of the stream, counted from 0.
    pub at: u64,
    /// What is wrong there.
    pub what: What,
}

/// What is wrong with base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// This byte does not belong there, or nowhere.
    Byte(u8),
    /// The stream ended within a group of four.
    Cut,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Byte(byte) => write!(
                f,
                "the body is not padded base64: it has {byte:#04x} at byte {}",
                self.at
            ),
            What::Cut => write!(
                f,
                "the body is not padded base64: it ended at byte {}, within a group of four",
                self.at
            ),
        }
    }
}

impl std::error::Error for Fault {}

/// Reads a stream of base64. Bits that padding leaves over are not looked at.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The digits of the group so far, six bits each.
    group: u32,
    digits: u8,
    padding: u8,
    position: u64,
    fault: Option<Fault>,
}

impl Decoder {
    /// Decodes `text` onto `out`, until a fault or its end.
    pub(super) fn decode(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        out.reserve(text.len() / 4 * 3 + 3);
        for byte in text {
            if !self.take(*byte) {
                let what = What::Byte(*byte);
                let at = self.position;
                return Err(*self.fault.insert(Fault { at, what }));
            }
            self.position += 1;
            if self.digits + self.padding == 4 {
                let group = self.group << (6 * u32::from(self.padding));
                let [_, bytes @ ..] = group.to_be_bytes();
                out.extend_from_slice(&bytes[..usize::from(self.digits - 1)]);
                (self.group, self.digits, self.padding) = (0, 0, 0);
            }
        }
        Ok(())
    }

    /// Whether the stream may end here.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        match self.fault {
            Some(fault) => Err(fault),
            None if self.digits == 0 => Ok(()),
            None => Err(Fault {
                at: self.position,
                what: What::Cut,
            }),
        }
    }

    /// Adds to the group, which has less than four so far. `false` if it cannot.
    fn take(&mut self, byte: u8) -> bool {
        if byte == b'=' {
            self.padding += 1;
            return self.digits >= 2;
        }
        let Some(digit) = digit(byte) else {
            return false;
        };
        self.group = self.group << 6 | u32::from(digit);
        self.digits += 1;
        self.padding == 0
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Writes a stream of base64. Holds what does not fill a group yet.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    held: [u8; 3],
    count: usize,
}

impl Encoder {
    /// Encodes `bytes` onto `out`, but for the last one or two.
    pub(super) fn encode(&mut self, mut bytes: &[u8], out: &mut String) {
        if self.count > 0 {
            let taken = bytes.len().min(self.held.len() - self.count);
            self.held[self.count..][..taken].copy_from_slice(&bytes[..taken]);
            self.count += taken;
            bytes = &bytes[taken..];
            if self.count < self.held.len() {
                return;
            }
            self.flush(out);
        }
        let (groups, rest) = bytes.split_at(bytes.len() / 3 * 3);
        STANDARD.encode_string(groups, out);
        self.held[..rest.len()].copy_from_slice(rest);
        self.count = rest.len();
    }

    /// Writes what is held, padded.
    pub(super) fn flush(&mut self, out: &mut String) {
        STANDARD.encode_string(&self.held[..self.count], out);
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        decoder.decode(text, &mut out)?;
        decoder.finish()?;
        Ok(out)
    }

    #[test]
    fn padding_may_stand_in_the_middle() {
        for (text, expected) in [
            ("", ""),
            ("Zm9vYmE=", "fooba"),
            ("Zg==Zm8=Zm9v", "ffofoo"),
            // Bits over.
            ("Zh==", "f"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(expected.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_base64_is_told_where() {
        for (text, at, what) in [
            ("Zm9v=", 4, What::Byte(b'=')),
            ("Z===", 1, What::Byte(b'=')),
            ("Zg=a", 3, What::Byte(b'a')),
            ("Zm 9", 2, What::Byte(b' ')),
            ("Zm9vZm-v", 6, What::Byte(b'-')),
            ("Zm9vZg", 6, What::Cut),
            ("Zg=", 3, What::Cut),
        ] {
            let fault = decode(text.as_bytes()).expect_err(text);
            assert_eq!(fault, Fault { at, what }, "{text}");
            assert!(fault.to_string().contains(&at.to_string()));
        }
    }
}
