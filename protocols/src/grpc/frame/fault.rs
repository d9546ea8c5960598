//! What can be wrong with a stream of messages, and where. Holds lengths, never a byte of a body.

use std::fmt;

/// Bytes that are no stream of messages, or not one that is allowed. It cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which message of the stream, counted from 1.
    pub message: u64,
    /// Where its head begins in the stream, in bytes.
    pub at: u64,
    /// What is wrong with it.
    pub what: What,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Its first byte is neither 0 nor 1.
    Flag(u8),
    /// It is longer than allowed.
    TooLong {
        /// How long, in bytes.
        length: u32,
        /// How long it may be.
        max: u32,
    },
    /// The stream ended within it.
    Cut {
        /// How many bytes of its body are missing, or of its head.
        missing: u32,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, at, what } = self;
        write!(f, "message {message} of the stream, at byte {at}, ")?;
        match what {
            What::Flag(flag) => write!(
                f,
                "begins with {flag:#04x} where 0 or 1 must say whether it is compressed: the body \
                 is not gRPC's, or lost its framing"
            ),
            What::TooLong { length, max } => write!(
                f,
                "is {length} bytes long, more than the {max} allowed: send less at once, or raise \
                 the limit"
            ),
            What::Cut { missing } => {
                write!(f, "is cut off: the stream ended {missing} bytes too early")
            }
        }
    }
}

impl std::error::Error for Fault {}
