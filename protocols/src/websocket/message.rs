//! A message whole, for who has to see all of it before any of it passes.

use bytes::Bytes;

use super::frame::mask;
use super::reader::Piece;

/// The pieces of a message as they come, and what they say.
///
/// It holds no more than a [`Reader`](super::Reader) lets pass: a limit is that one's to keep.
#[derive(Debug, Default)]
pub struct Message {
    pieces: Vec<Bytes>,
    payload: Vec<u8>,
}

impl Message {
    /// Takes in the next piece of a message.
    pub fn add(&mut self, piece: &Piece) {
        self.pieces.push(piece.raw.clone());
        let at = self.payload.len();
        self.payload.extend_from_slice(piece.payload());
        if let Some((key, before)) = piece.mask {
            mask(key, before, &mut self.payload[at..]);
        }
    }

    /// What it says, unmasked; compressed if it was sent so.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Its bytes as they came, to be passed on; a new message may begin then.
    pub fn release(&mut self) -> Vec<Bytes> {
        self.payload.clear();
        std::mem::take(&mut self.pieces)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}
