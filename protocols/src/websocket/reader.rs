//! One direction of a connection, cut where something may be put in between.

use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};

use super::close::{self, Close, Code};
use super::frame::{self, Head, LONGEST_CONTROL, LONGEST_HEAD, Opcode, mask};
use super::text::Utf8;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Whoever opened the connection, who masks.
    Client,
    /// The other, who does not.
    Server,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// What may pass.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// Whether texts may.
    pub text: bool,
    /// Whether bytes may.
    pub binary: bool,
    /// How long a message may be, in bytes as it is sent: of a compressed one, compressed.
    pub max_message: u64,
    /// Whether both sides agreed on `permessage-deflate`.
    pub compressed: bool,
}

/// What came next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A piece of a message.
    Piece(Piece),
    /// A ping, a pong or a close, whole.
    Control {
        /// Which.
        opcode: Opcode,
        /// What it says, unmasked.
        payload: Bytes,
        /// Every byte of it as it came.
        raw: Bytes,
    },
}

/// A piece of a message, of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Every byte of it as it came, the head of its frame included where that begins with it.
    pub raw: Bytes,
    head: usize,
    /// What its payload is masked with, and how many bytes of the frame came before it.
    pub mask: Option<([u8; 4], u64)>,
    /// What the message is.
    pub kind: Kind,
    /// Whether the message is compressed.
    pub compressed: bool,
    /// Whether the message begins with it.
    pub begins: bool,
    /// Whether its frame ends with it: a frame of somebody else's may follow.
    pub ends_frame: bool,
    /// Whether the message ends with it.
    pub ends: bool,
}

impl Piece {
    /// What of the message it is, masked if it came so.
    pub fn payload(&self) -> &[u8] {
        &self.raw[self.head..]
    }
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no frame.
    Frame(frame::Malformed),
    /// A client did not mask, or a server did.
    Mask,
    /// A control frame longer than 125 bytes.
    LongControl,
    /// A control frame in parts.
    PartedControl,
    /// A message goes on that did not begin.
    NothingBegun,
    /// A message begins amid another.
    AmidAnother,
    /// A compressed message nobody agreed on, or compressed amid it.
    Compressed,
    /// A message longer than allowed.
    TooLong {
        /// The limit, in bytes.
        max_message: u64,
    },
    /// A message of a kind that is not taken.
    NotTaken(Kind),
    /// A text that is no UTF-8.
    NotUtf8,
    /// A close frame that says why in no way there is.
    Close(close::Malformed),
    /// Something after a close.
    AfterClose,
}

impl Fault {
    /// What the connection is closed with for it (RFC 6455, 7.4.1).
    pub const fn code(self) -> Code {
        match self {
            Self::TooLong { .. } => Code::MESSAGE_TOO_BIG,
            Self::NotTaken(_) => Code::UNSUPPORTED_DATA,
            Self::NotUtf8 | Self::Close(close::Malformed::Reason) => Code::INVALID_PAYLOAD,
            _ => Code::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(why) => match why {
                frame::Malformed::ReservedBit => f.write_str("a frame sets a reserved bit"),
                frame::Malformed::ReservedOpcode(opcode) => {
                    write!(f, "a frame has the reserved opcode {opcode:#x}")
                }
                frame::Malformed::Length => f.write_str("a frame's length has its first bit set"),
                frame::Malformed::LongLength => {
                    f.write_str("a frame's length is written in more bytes than it needs")
                }
            },
            Self::Mask => f.write_str("a client's frame is not masked, or a server's is"),
            Self::LongControl => {
                write!(f, "a control frame is longer than {LONGEST_CONTROL} bytes")
            }
            Self::PartedControl => f.write_str("a control frame comes in parts"),
            Self::NothingBegun => f.write_str("a message goes on that did not begin"),
            Self::AmidAnother => f.write_str("a message begins amid another"),
            Self::Compressed => f.write_str("a message is compressed, which was not agreed on"),
            Self::TooLong { max_message } => {
                write!(f, "a message is longer than {max_message} bytes")
            }
            Self::NotTaken(Kind::Text) => f.write_str("text messages are not taken"),
            Self::NotTaken(Kind::Binary) => f.write_str("binary messages are not taken"),
            Self::NotUtf8 => f.write_str("a text message is not UTF-8"),
            Self::Close(why) => match why {
                close::Malformed::Short => f.write_str("a close frame has half a code"),
                close::Malformed::Code(Code(code)) => {
                    write!(
                        f,
                        "a close frame has the code {code}, which is not to be sent"
                    )
                }
                close::Malformed::Reason => f.write_str("the reason of a close is not UTF-8"),
            },
            Self::AfterClose => f.write_str("a frame follows the close"),
        }
    }
}

impl std::error::Error for Fault {}

/// Reads one direction of a connection.
#[derive(Debug)]
pub struct Reader {
    from: From,
    allowed: Allowed,
    /// The start of a head, or of a control frame, from earlier chunks.
    held: BytesMut,
    /// What was fed and is not yet given out.
    chunk: Bytes,
    /// The data frame that is being read.
    frame: Option<Frame>,
    /// The message that is being read.
    message: Option<Open>,
    text: Utf8,
    closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    head: Head,
    passed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    kind: Kind,
    compressed: bool,
    length: u64,
    /// None of it was given out.
    fresh: bool,
}

impl Reader {
    /// At the start of a connection.
    pub fn new(from: From, allowed: Allowed) -> Self {
        Self {
            from,
            allowed,
            held: BytesMut::new(),
            chunk: Bytes::new(),
            frame: None,
            message: None,
            text: Utf8::default(),
            closed: false,
        }
    }

    /// Takes in the next chunk; what is in it is then asked for with [`next_unit`](Self::next_unit) until
    /// there is nothing more.
    pub fn feed(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.chunk = [&self.chunk[..], &chunk].concat().into();
        }
    }

    /// The next unit, or `None` until more is fed. All units together are every byte that was fed.
    ///
    /// # Errors
    /// [`Fault`] if the connection cannot go on; it must not be asked again.
    pub fn next_unit(&mut self) -> Result<Option<Unit>, Fault> {
        if let Some(frame) = self.frame {
            return self.go_on(frame);
        }
        let wanted = LONGEST_HEAD.saturating_sub(self.held.len());
        let taken = wanted.min(self.chunk.len());
        let mut start = [0; LONGEST_HEAD];
        let held = self.held.len().min(LONGEST_HEAD);
        start[..held].copy_from_slice(&self.held[..held]);
        start[held..held + taken].copy_from_slice(&self.chunk[..taken]);
        let head = Head::parse(&start[..held + taken]).map_err(Fault::Frame)?;
        let Some((head, length)) = head else {
            self.hold(self.chunk.len());
            return Ok(None);
        };
        self.judge(&head)?;
        if head.opcode.is_control() {
            return self.control(&head, length);
        }
        let begun = self.held.split().freeze();
        let rest = length - begun.len();
        self.frame = Some(Frame { head, passed: 0 });
        if begun.is_empty() {
            let within = (self.chunk.len() - rest) as u64;
            let payload = within.min(head.length) as usize;
            let raw = self.chunk.split_to(rest + payload);
            return self.piece(raw, length).map(Some);
        }
        let whole = [&begun[..], &self.chunk.split_to(rest)].concat();
        self.piece(whole.into(), length).map(Some)
    }

    /// Whether the bytes may end here: after a close, between frames.
    pub fn is_closed(&self) -> bool {
        self.closed && self.held.is_empty() && self.chunk.is_empty()
    }

    /// Whether a message has begun and not ended.
    pub const fn is_amid_message(&self) -> bool {
        self.message.is_some()
    }

    /// More of a frame's payload.
    fn go_on(&mut self, frame: Frame) -> Result<Option<Unit>, Fault> {
        if self.chunk.is_empty() {
            return Ok(None);
        }
        let left = frame.head.length - frame.passed;
        let length = left.min(self.chunk.len() as u64) as usize;
        let raw = self.chunk.split_to(length);
        self.piece(raw, 0).map(Some)
    }

    fn control(&mut self, head: &Head, length: usize) -> Result<Option<Unit>, Fault> {
        // It was judged to be short.
        let whole = length + head.length as usize;
        let missing = whole - self.held.len();
        if self.chunk.len() < missing {
            self.hold(self.chunk.len());
            return Ok(None);
        }
        let raw = if self.held.is_empty() {
            self.chunk.split_to(whole)
        } else {
            self.hold(missing);
            self.held.split().freeze()
        };
        let mut payload = raw.slice(length..);
        if let Some(key) = head.mask {
            let mut plain = payload.to_vec();
            mask(key, 0, &mut plain);
            payload = plain.into();
        }
        if head.opcode == Opcode::Close {
            Close::parse(&payload).map_err(Fault::Close)?;
            self.closed = true;
        }
        Ok(Some(Unit::Control {
            opcode: head.opcode,
            payload,
            raw,
        }))
    }

    fn hold(&mut self, length: usize) {
        self.held.extend_from_slice(&self.chunk[..length]);
        self.chunk.advance(length);
    }

    /// Whether a frame may come now; if it is a message's, that goes on with it.
    fn judge(&mut self, head: &Head) -> Result<(), Fault> {
        if self.closed {
            return Err(Fault::AfterClose);
        }
        if head.mask.is_some() != (self.from == From::Client) {
            return Err(Fault::Mask);
        }
        if head.opcode.is_control() {
            return match head {
                _ if head.compressed => Err(Fault::Compressed),
                _ if !head.last => Err(Fault::PartedControl),
                _ if head.length > LONGEST_CONTROL as u64 => Err(Fault::LongControl),
                _ => Ok(()),
            };
        }
        let kind = match head.opcode {
            Opcode::Text => Some(Kind::Text),
            Opcode::Binary => Some(Kind::Binary),
            _ => None,
        };
        let mut message = match (self.message, kind) {
            (None, None) => return Err(Fault::NothingBegun),
            (Some(_), Some(_)) => return Err(Fault::AmidAnother),
            (Some(message), None) => message,
            (None, Some(kind)) => Open {
                kind,
                compressed: head.compressed,
                length: 0,
                fresh: true,
            },
        };
        let allowed = &self.allowed;
        if head.compressed && (!allowed.compressed || kind.is_none()) {
            return Err(Fault::Compressed);
        }
        if !match message.kind {
            Kind::Text => allowed.text,
            Kind::Binary => allowed.binary,
        } {
            return Err(Fault::NotTaken(message.kind));
        }
        message.length = message.length.saturating_add(head.length);
        let max_message = allowed.max_message;
        if message.length > max_message {
            return Err(Fault::TooLong { max_message });
        }
        self.message = Some(message);
        Ok(())
    }

    /// A piece of the message that is open, the first `head` bytes of which are its frame's head.
    fn piece(&mut self, raw: Bytes, head: usize) -> Result<Unit, Fault> {
        let (Some(mut frame), Some(mut message)) = (self.frame, self.message) else {
            return Err(Fault::NothingBegun);
        };
        let before = frame.passed;
        frame.passed += (raw.len() - head) as u64;
        let ends_frame = frame.passed == frame.head.length;
        let piece = Piece {
            raw,
            head,
            mask: frame.head.mask.map(|key| (key, before)),
            kind: message.kind,
            compressed: message.compressed,
            begins: std::mem::take(&mut message.fresh),
            ends_frame,
            ends: ends_frame && frame.head.last,
        };
        if message.kind == Kind::Text && !message.compressed {
            self.read(&piece)?;
        }
        self.frame = (!ends_frame).then_some(frame);
        self.message = (!piece.ends).then_some(message);
        Ok(Unit::Piece(piece))
    }

    /// Looks whether a text goes on as one.
    fn read(&mut self, piece: &Piece) -> Result<(), Fault> {
        let mut plain = [0; 512];
        let mut read = 0;
        for part in piece.payload().chunks(plain.len()) {
            let plain = &mut plain[..part.len()];
            plain.copy_from_slice(part);
            if let Some((key, before)) = piece.mask {
                mask(key, before + read, plain);
            }
            read += part.len() as u64;
            self.text.feed(plain).map_err(|_| Fault::NotUtf8)?;
        }
        if piece.ends {
            self.text.end().map_err(|_| Fault::NotUtf8)?;
        }
        Ok(())
    }
}
