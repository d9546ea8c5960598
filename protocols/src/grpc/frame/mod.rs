//! Length-prefixed messages: a flag, a length in four bytes, big-endian, and so many bytes.
//!
//! [`Splitter`] gives out heads and bodies, [`Watch`] only counts what goes by, [`write_head`] makes
//! a head. None of them holds more than the bytes of a head, wherever chunks were cut, and to none a
//! body means anything.

mod fault;
mod reader;
mod splitter;
mod watch;

pub use fault::{Fault, What};
pub use splitter::{Piece, Splitter};
pub use watch::Watch;

/// How long a head is, in bytes.
pub const HEAD: usize = 5;

/// What stands before each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whether the message is compressed, by what `grpc-encoding` names.
    pub compressed: bool,
    /// How long it is as sent, in bytes.
    pub length: u32,
}

/// What has gone by of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Messages whose head was read; the last need not be whole yet.
    pub messages: u64,
    /// The length of the longest of them, in bytes.
    pub biggest: u32,
}

/// The bytes of a head.
///
/// ```
/// # use weir_protocols::grpc::frame::{Head, write_head};
/// let head = Head { compressed: true, length: 258 };
/// assert_eq!(write_head(head), [1, 0, 0, 1, 2]);
/// ```
pub const fn write_head(head: Head) -> [u8; HEAD] {
    prefix(head.compressed as u8, head.length)
}

/// The same with any flag.
pub(in crate::grpc) const fn prefix(flag: u8, length: u32) -> [u8; HEAD] {
    let [a, b, c, d] = length.to_be_bytes();
    [flag, a, b, c, d]
}
