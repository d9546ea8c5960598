//! OpenAI's embeddings: `POST /v1/embeddings`, as its API reference publishes it ("Embeddings").
//!
//! Vectors travel as arrays of numbers or as base64 of little-endian 32-bit floats; both are read
//! and written. What a vector means, and which model made it, is not known here.

pub mod answer;
mod base64;
pub mod request;

pub use answer::Answer;
pub use request::{Input, Request};

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As arrays of numbers.
    #[default]
    Float,
    /// As base64 (RFC 4648, 4) of 32-bit floats (IEEE 754), the least significant byte first.
    Base64,
}

impl Encoding {
    /// The value of `encoding_format`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Base64 => "base64",
        }
    }
}
