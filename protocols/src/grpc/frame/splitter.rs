//! Takes a stream of messages apart into heads and bodies. Neither copies nor gathers a body.

use bytes::{Buf, Bytes};

use super::reader::{Reader, Step};
use super::{Fault, Head, Seen};

/// Takes a stream apart, chunk by chunk.
///
/// ```
/// # use bytes::Bytes;
/// # use weir_protocols::grpc::frame::{Fault, Head, Piece, Splitter};
/// let mut splitter = Splitter::new(4 * 1024 * 1024);
/// let mut chunk = Bytes::from_static(b"\0\0\0\0\x02hi\0");
/// let head = Head { compressed: false, length: 2 };
/// assert_eq!(splitter.next_piece(&mut chunk)?, Some(Piece::Head(head)));
/// let body = Bytes::from_static(b"hi");
/// assert_eq!(splitter.next_piece(&mut chunk)?, Some(Piece::Body(body)));
/// assert_eq!(splitter.next_piece(&mut chunk)?, Some(Piece::End));
/// assert_eq!(splitter.next_piece(&mut chunk)?, None);
/// assert!(splitter.finish().is_err(), "the next head was cut off");
/// # Ok::<(), Fault>(())
/// ```
#[derive(Debug)]
pub struct Splitter {
    reader: Reader,
}

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A message begins.
    Head(Head),
    /// Some of its body, never empty: a slice of the chunk.
    Body(Bytes),
    /// It is whole.
    End,
}

impl Splitter {
    /// A splitter at the start of a stream, none of whose messages may be longer than `max_message`
    /// bytes as sent.
    pub fn new(max_message: u32) -> Self {
        Self {
            reader: Reader::new(max_message),
        }
    }

    /// Takes the next piece from the front of `chunk`. At `None` the chunk is empty and the next one
    /// is due. Apart from where bodies are cut, pieces do not depend on how the stream was.
    ///
    /// # Errors
    /// Then and ever after, when a head is none or its message is too long.
    pub fn next_piece(&mut self, chunk: &mut Bytes) -> Result<Option<Piece>, Fault> {
        Ok(match self.reader.step(chunk)? {
            Step::More => {
                chunk.clear();
                None
            }
            Step::Head(taken, head) => {
                chunk.advance(taken);
                Some(Piece::Head(head))
            }
            Step::Body(taken) => Some(Piece::Body(chunk.split_to(taken))),
            Step::End => Some(Piece::End),
        })
    }

    /// What has gone by.
    pub fn seen(&self) -> Seen {
        self.reader.seen()
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// If it ended within a message, or had failed.
    pub fn finish(&self) -> Result<(), Fault> {
        self.reader.finish()
    }
}
