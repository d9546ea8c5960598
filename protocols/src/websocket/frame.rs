//! The head of a frame (RFC 6455, 5.2). Knows nothing of the frames around it.

/// What a frame is for (RFC 6455, 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// More of the message that the last data frame began or continued.
    Continuation,
    /// A message of UTF-8 text begins.
    Text,
    /// A message of bytes begins.
    Binary,
    /// Nothing follows from this side.
    Close,
    /// To be answered with a pong.
    Ping,
    /// The answer to a ping, or a sign of life.
    Pong,
}

impl Opcode {
    const fn of(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    const fn nibble(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// Whether it is none of a message's frames, and may stand amid them.
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whether it is the last of its message.
    pub last: bool,
    /// The first reserved bit: with `permessage-deflate` (RFC 7692), the message is compressed.
    pub compressed: bool,
    /// What it is for.
    pub opcode: Opcode,
    /// What its payload is masked with; a client's always is, a server's never.
    pub mask: Option<[u8; 4]>,
    /// The length of its payload, in bytes.
    pub length: u64,
}

/// Why bytes are no head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A reserved bit is set that no extension defines.
    ReservedBit,
    /// An opcode that the RFC leaves to later ones.
    ReservedOpcode(u8),
    /// A length of 64 bits whose first is set.
    Length,
    /// A length written in more bytes than it needs.
    LongLength,
}

/// The longest head, in bytes.
pub const LONGEST_HEAD: usize = 14;

impl Head {
    /// Reads the head that `bytes` begin with, and its length in bytes. `None` if there is more
    /// of it to come.
    ///
    /// # Errors
    /// [`Malformed`] as soon as it is clear.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some(first) = bytes.first() else {
            return Ok(None);
        };
        if first & 0x30 != 0 {
            return Err(Malformed::ReservedBit);
        }
        let nibble = first & 0xF;
        let opcode = Opcode::of(nibble).ok_or(Malformed::ReservedOpcode(nibble))?;
        let Some(second) = bytes.get(1) else {
            return Ok(None);
        };
        let Some((length, at)) = length(second & 0x7F, &bytes[2..])? else {
            return Ok(None);
        };
        let at = 2 + at;
        let masked = second & 0x80 != 0;
        let mask = match bytes.get(at..at + 4) {
            _ if !masked => None,
            Some(key) => Some([key[0], key[1], key[2], key[3]]),
            None => return Ok(None),
        };
        let head = Self {
            last: first & 0x80 != 0,
            compressed: first & 0x40 != 0,
            opcode,
            mask,
            length,
        };
        Ok(Some((head, at + if masked { 4 } else { 0 })))
    }

    /// Appends it as it goes over the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(bit(self.last, 0x80) | bit(self.compressed, 0x40) | self.opcode.nibble());
        let masked = bit(self.mask.is_some(), 0x80);
        match (u8::try_from(self.length), u16::try_from(self.length)) {
            (Ok(short @ 0..=125), _) => out.push(masked | short),
            (_, Ok(length)) => {
                out.push(masked | 126);
                out.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                out.push(masked | 127);
                out.extend_from_slice(&self.length.to_be_bytes());
            }
        }
        if let Some(mask) = self.mask {
            out.extend_from_slice(&mask);
        }
    }
}

/// The length that `short` says or `rest` begins with, and how many bytes of `rest` that takes.
fn length(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, Malformed> {
    let (length, taken, least) = match short {
        126 => match rest.get(..2) {
            Some(bytes) => (u64::from(u16::from_be_bytes([bytes[0], bytes[1]])), 2, 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8, 1 << 16),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, 0),
    };
    match length {
        _ if length >> 63 != 0 => Err(Malformed::Length),
        _ if length < least => Err(Malformed::LongLength),
        _ => Ok(Some((length, taken))),
    }
}

/// Masks or unmasks a piece of a payload in place, of which `before` bytes came earlier.
pub fn mask(key: [u8; 4], before: u64, payload: &mut [u8]) {
    let shift = (before % 4) as usize;
    let key = [0, 1, 2, 3].map(|at: usize| key[(at + shift) % 4]);
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= key[at % 4];
    }
}

/// Appends a frame that is not compressed; a client's has a `key`.
pub fn write(last: bool, opcode: Opcode, payload: &[u8], key: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let head = Head {
        last,
        compressed: false,
        opcode,
        mask: key,
        length: payload.len() as u64,
    };
    head.write(out);
    let at = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        mask(key, 0, &mut out[at..]);
    }
}

/// The longest payload of a control frame, in bytes.
pub const LONGEST_CONTROL: usize = 125;
