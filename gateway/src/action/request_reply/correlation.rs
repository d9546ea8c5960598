//! Correlation ids: a request and its reply carry the same one. They are the gateway's own and random, so that
//! nobody can name another's.

use std::fmt;

use weir_telemetry::Code;

use crate::error::GatewayError;

/// How long one is, in bytes.
pub(super) const LENGTH: usize = 16;

/// A UUID (RFC 9562, version 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id([u8; LENGTH]);

impl Id {
    /// One that no other request has.
    pub(super) fn new() -> Result<Self, GatewayError> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes)
            .map_err(|error| GatewayError::new(Code::InternalError).source(error))?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Ok(Self(bytes))
    }

    pub(super) const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// The one that a header says, as it is written here; no other is ours.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        let mut digits = text.iter().filter(|byte| **byte != b'-');
        let mut digit = || char::from(*digits.next()?).to_digit(16);
        let mut bytes = [0; LENGTH];
        for byte in &mut bytes {
            *byte = u8::try_from(digit()? << 4 | digit()?).ok()?;
        }
        let id = Self(bytes);
        (id.to_string().as_bytes() == text).then_some(id)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_only_so() {
        let id = Id::new().expect("there is randomness");
        let text = id.to_string();
        assert_eq!(Id::read(text.as_bytes()), Some(id));
        assert_eq!(text.as_bytes()[14], b'4');
        assert_ne!(Id::new().expect("there is randomness"), id);
        let id = "6f1d6c1e-0f7a-4a52-9d3b-1b2f3c4d5e6f";
        assert!(Id::read(id.as_bytes()).is_some());
        for bad in [
            "",
            "6F1D6C1E-0F7A-4A52-9D3B-1B2F3C4D5E6F",
            "6f1d6c1e0f7a-4a52-9d3b-1b2f3c4d5e6f-",
            "6f1d6c1e-0f7a-4a52-9d3b-1b2f3c4d5e6g",
            "6f1d6c1e-0f7a-4a52-9d3b-1b2f3c4d5e6",
        ] {
            assert_eq!(Id::read(bad.as_bytes()), None, "{bad}");
        }
    }
}
