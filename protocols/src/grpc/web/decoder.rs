//! Turns what a browser sends into what a gRPC server reads. Copies only what is base64.

use std::fmt;

use bytes::Bytes;

use super::Encoding;
use super::base64;
use crate::grpc::frame::{self, Seen, Watch};

/// Decodes the body of a request, chunk by chunk.
///
/// ```
/// # use bytes::Bytes;
/// # use weir_protocols::grpc::web::{Decoder, Encoding, Fault};
/// let mut decoder = Decoder::new(Encoding::Text, 4 * 1024 * 1024);
/// let mut body = decoder.decode(Bytes::from_static(b"AAAAA"))?.to_vec();
/// body.extend(decoder.decode(Bytes::from_static(b"AJoaQ=="))?);
/// decoder.finish()?;
/// assert_eq!(body, b"\0\0\0\0\x02hi");
/// # Ok::<(), Fault>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    /// If the body is text.
    base64: Option<base64::Decoder>,
    watch: Watch,
}

/// A body that cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not base64.
    Base64(base64::Fault),
    /// It is not messages, or not those allowed. Trailers are none: only answers have them.
    Frame(frame::Fault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base64(fault) => fault.fmt(f),
            Self::Frame(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<base64::Fault> for Fault {
    fn from(fault: base64::Fault) -> Self {
        Self::Base64(fault)
    }
}

impl From<frame::Fault> for Fault {
    fn from(fault: frame::Fault) -> Self {
        Self::Frame(fault)
    }
}

impl Decoder {
    /// A decoder at the start of a body, none of whose messages may be longer than `max_message`
    /// bytes as framed.
    pub fn new(encoding: Encoding, max_message: u32) -> Self {
        Self {
            base64: (encoding == Encoding::Text).then(base64::Decoder::default),
            watch: Watch::new(max_message),
        }
    }

    /// The next bytes of the body on gRPC's own wire. They may be none; a binary chunk is itself.
    ///
    /// # Errors
    /// Then and ever after, when the body is not what it says it is. Which fault does not depend on
    /// how the body was cut.
    pub fn decode(&mut self, chunk: Bytes) -> Result<Bytes, Fault> {
        let Some(base64) = &mut self.base64 else {
            self.watch.see(&chunk)?;
            return Ok(chunk);
        };
        let mut out = Vec::new();
        let decoded = base64.decode(&chunk, &mut out);
        // What was decoded stands before what could not be.
        self.watch.see(&out)?;
        decoded?;
        Ok(out.into())
    }

    /// What has gone by.
    pub fn seen(&self) -> Seen {
        self.watch.seen()
    }

    /// Ends the body.
    ///
    /// # Errors
    /// If it ended within a message or a group of base64, or had failed.
    pub fn finish(&self) -> Result<(), Fault> {
        if let Some(base64) = &self.base64 {
            base64.finish()?;
        }
        Ok(self.watch.finish()?)
    }
}
