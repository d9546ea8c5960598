//! Cuts a byte stream into messages, wherever its chunks were cut.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::header::Headers;
use super::message::Message;
use super::{CHECKSUM, PRELUDE, SMALLEST, number};

/// Cuts a stream into messages. Holds at most one that is not yet whole.
///
/// ```
/// # use bytes::Bytes;
/// # use weir_protocols::aws::event_stream::{Decoder, MAX_MESSAGE, encode};
/// let frame = Bytes::from(encode(&[], b"{}").expect("it fits"));
/// let mut decoder = Decoder::new(MAX_MESSAGE);
/// decoder.feed(frame.slice(..7));
/// assert_eq!(decoder.next_message()?, None);
/// decoder.feed(frame.slice(7..));
/// assert_eq!(&*decoder.next_message()?.expect("it is whole").payload, b"{}");
/// assert!(decoder.is_between());
/// # Ok::<(), weir_protocols::aws::event_stream::Fault>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    max_message: usize,
    /// The start of a message from earlier chunks, shorter than the message.
    held: BytesMut,
    /// What was fed and is not yet given out.
    chunk: Bytes,
    fault: Option<Fault>,
}

/// Bytes that are no message. The stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The lengths do not match their checksum.
    Prelude,
    /// The lengths contradict each other.
    Lengths,
    /// The message is longer than allowed: so many bytes.
    TooLong(usize),
    /// The message does not match its checksum.
    Checksum,
    /// The headers are none.
    Headers,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prelude => f.write_str("the lengths of a message do not match their checksum"),
            Self::Lengths => f.write_str("the lengths of a message contradict each other"),
            Self::TooLong(max) => write!(f, "a message of the stream is longer than {max} bytes"),
            Self::Checksum => f.write_str("a message does not match its checksum"),
            Self::Headers => f.write_str("the headers of a message cannot be read"),
        }
    }
}

impl std::error::Error for Fault {}

/// Two lengths that their checksum confirms and that fit each other.
struct Lengths {
    message: usize,
    headers: usize,
}

impl Decoder {
    /// A decoder at the start of a stream. No message, its frame included, may be longer than
    /// `max_message` bytes; no more is buffered. See [`MAX_MESSAGE`](super::MAX_MESSAGE).
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message,
            held: BytesMut::new(),
            chunk: Bytes::new(),
            fault: None,
        }
    }

    /// Takes the next chunk of the stream. Messages are then asked for with
    /// [`next_message`](Self::next_message) until there is none; a chunk fed before that is
    /// appended at the cost of a copy. After a fault chunks are dropped.
    pub fn feed(&mut self, chunk: Bytes) {
        if self.fault.is_some() {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut both = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            both.extend_from_slice(&self.chunk);
            both.extend_from_slice(&chunk);
            self.chunk = both.freeze();
        }
    }

    /// The next whole message, or `None` until more is fed. A message inside one chunk is a slice
    /// of it; one across chunks is assembled.
    ///
    /// # Errors
    /// A [`Fault`], then and ever after. Which messages come before it does not depend on how
    /// chunks were cut.
    pub fn next_message(&mut self) -> Result<Option<Message>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let message = self.step();
        if let Err(fault) = message {
            self.fault = Some(fault);
            self.held = BytesMut::new();
            self.chunk = Bytes::new();
        }
        message
    }

    /// Whether the stream, should it end now, ends between messages.
    pub fn is_between(&self) -> bool {
        self.fault.is_none() && self.held.is_empty() && self.chunk.is_empty()
    }

    fn step(&mut self) -> Result<Option<Message>, Fault> {
        let lengths = match self.lengths()? {
            Some(lengths) if self.held.len() + self.chunk.len() >= lengths.message => lengths,
            _ => {
                self.held.extend_from_slice(&self.chunk);
                self.chunk.clear();
                return Ok(None);
            }
        };
        let raw = if self.held.is_empty() {
            self.chunk.split_to(lengths.message)
        } else {
            // What is held was too short for the message, so this is not negative.
            let rest = self.chunk.split_to(lengths.message - self.held.len());
            self.held.extend_from_slice(&rest);
            self.held.split().freeze()
        };
        open(raw, lengths.headers).map(Some)
    }

    /// The lengths of the message that begins here, once they are there.
    fn lengths(&self) -> Result<Option<Lengths>, Fault> {
        let mut prelude = [0; PRELUDE];
        let start = self.held.iter().chain(&self.chunk).take(PRELUDE);
        let mut known = 0;
        for (place, byte) in prelude.iter_mut().zip(start) {
            *place = *byte;
            known += 1;
        }
        if known < PRELUDE {
            return Ok(None);
        }
        if crc32fast::hash(&prelude[..8]) != number(&prelude[8..]) {
            return Err(Fault::Prelude);
        }
        let length = |at: usize| usize::try_from(number(&prelude[at..])).unwrap_or(usize::MAX);
        let (message, headers) = (length(0), length(4));
        if message < SMALLEST || headers > message - SMALLEST {
            return Err(Fault::Lengths);
        }
        if message > self.max_message {
            return Err(Fault::TooLong(self.max_message));
        }
        Ok(Some(Lengths { message, headers }))
    }
}

/// The message in a whole frame whose lengths were checked.
fn open(raw: Bytes, headers: usize) -> Result<Message, Fault> {
    let end = raw.len() - CHECKSUM;
    if crc32fast::hash(&raw[..end]) != number(&raw[end..]) {
        return Err(Fault::Checksum);
    }
    let payload = PRELUDE + headers;
    let headers = raw.slice(PRELUDE..payload);
    if !Headers::are_sound(&headers) {
        return Err(Fault::Headers);
    }
    Ok(Message {
        headers,
        payload: raw.slice(payload..end),
        raw,
    })
}
