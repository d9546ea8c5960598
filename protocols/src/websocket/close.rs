//! Why a connection is closed (RFC 6455, 5.5.1 and 7.4).

use super::frame::{self, LONGEST_CONTROL, Opcode};

/// A status code of a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl Code {
    /// All was said.
    pub const NORMAL: Self = Self(1000);
    /// The server goes down, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The RFC was not followed.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of message that is not taken.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// A text that is none.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// A message that a rule does not allow.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message too long.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// It may be tried again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// Who was asked on behalf of this side failed.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Whether it may stand in a close frame: a code that is registered for that, or one left to
    /// libraries (3000 to 3999) and applications (4000 to 4999).
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// What a close frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close<'a> {
    /// Why; nobody says so, if it is not there.
    pub code: Option<Code>,
    /// For who reads logs.
    pub reason: &'a str,
}

/// Why a payload is no close frame's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Half a code.
    Short,
    /// A code that must not be sent.
    Code(Code),
    /// A reason that is no UTF-8.
    Reason,
}

impl<'a> Close<'a> {
    /// Reads the unmasked payload of a close frame.
    ///
    /// # Errors
    /// [`Malformed`] if it is none.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return match payload {
                [] => Ok(Self {
                    code: None,
                    reason: "",
                }),
                _ => Err(Malformed::Short),
            };
        };
        let code = Code(u16::from_be_bytes(*code));
        if !code.may_be_sent() {
            return Err(Malformed::Code(code));
        }
        Ok(Self {
            code: Some(code),
            reason: std::str::from_utf8(reason).map_err(|_| Malformed::Reason)?,
        })
    }

    /// Appends the close frame; a client's has a `key`. A reason too long is cut at a character.
    pub fn write(&self, key: Option<[u8; 4]>, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        if let Some(code) = self.code {
            let mut most = self.reason.len().min(LONGEST_CONTROL - 2);
            while !self.reason.is_char_boundary(most) {
                most -= 1;
            }
            payload.extend_from_slice(&code.0.to_be_bytes());
            payload.extend_from_slice(&self.reason.as_bytes()[..most]);
        }
        frame::write(true, Opcode::Close, &payload, key, out);
    }
}
