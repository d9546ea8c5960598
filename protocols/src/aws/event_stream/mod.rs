//! `application/vnd.amazon.eventstream`: messages in binary frames, as AWS services stream them
//! (AWS, "Event stream encoding"; Smithy, "Amazon Event Stream Specification").
//!
//! A frame is, all numbers big-endian:
//!
//! | Bytes | Hold |
//! |---|---|
//! | 4 | the length of the frame |
//! | 4 | the length of its headers |
//! | 4 | CRC-32 of those eight bytes |
//! | … | headers: a name, a type, a value |
//! | … | the payload |
//! | 4 | CRC-32 of all that |
//!
//! [`Decoder`] cuts a stream into [`Message`]s wherever its chunks were cut, and believes nothing
//! that a checksum does not confirm. What a payload says is not looked at.

mod decoder;
mod encode;
mod header;
mod message;

pub use decoder::{Decoder, Fault};
pub use encode::encode;
pub use header::{Headers, Value};
pub use message::{Kind, Message};

/// What AWS allows a message to be at most, in bytes.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The prelude: two lengths and their checksum.
const PRELUDE: usize = 12;
/// A checksum.
const CHECKSUM: usize = 4;
/// A frame without headers and payload.
const SMALLEST: usize = PRELUDE + CHECKSUM;

/// The number in the first four bytes of `bytes`, of which there must be as many.
fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}
