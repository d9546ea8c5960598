//! Turns what a gRPC server answers into what a browser reads. Copies only what becomes base64.

use bytes::Bytes;

use super::Encoding;
use super::base64;
use crate::grpc::frame::{self, Fault, HEAD, Piece, Seen, Splitter, Watch, write_head};

/// The flag of the frame that holds trailers.
const TRAILERS: u8 = 0x80;

/// Encodes the body of an answer, chunk by chunk, and its trailers.
///
/// ```
/// # use bytes::Bytes;
/// # use weir_protocols::grpc::frame::Fault;
/// # use weir_protocols::grpc::web::{Encoder, Encoding};
/// let mut encoder = Encoder::new(Encoding::Binary, 4 * 1024 * 1024);
/// let message = encoder.encode(Bytes::from_static(b"\0\0\0\0\x02hi"))?;
/// assert_eq!(&*message, b"\0\0\0\0\x02hi");
/// let end = encoder.finish([("Grpc-Status", &b"0"[..])])?;
/// assert_eq!(&*end, b"\x80\0\0\0\x10grpc-status: 0\r\n");
/// # Ok::<(), Fault>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Binary(Watch),
    Text(Splitter, base64::Encoder),
}

impl Encoder {
    /// An encoder at the start of an answer, none of whose messages may be longer than `max_message`
    /// bytes as framed.
    pub fn new(encoding: Encoding, max_message: u32) -> Self {
        let way = match encoding {
            Encoding::Binary => Way::Binary(Watch::new(max_message)),
            Encoding::Text => Way::Text(Splitter::new(max_message), base64::Encoder::default()),
        };
        Self { way }
    }

    /// The next bytes of the body for the browser. They may be none; a binary chunk is itself.
    ///
    /// Text is padded where a message ends and nowhere else. So a browser has a message as soon as
    /// it is whole, and what it gets does not depend on how the answer was cut.
    ///
    /// # Errors
    /// Then and ever after, when a head is none or its message is too long.
    pub fn encode(&mut self, mut chunk: Bytes) -> Result<Bytes, Fault> {
        let (splitter, base64) = match &mut self.way {
            Way::Binary(watch) => {
                watch.see(&chunk)?;
                return Ok(chunk);
            }
            Way::Text(splitter, base64) => (splitter, base64),
        };
        // A head may have been held, and each message ends in a group of its own.
        let mut out = String::with_capacity((chunk.len() + HEAD).div_ceil(3) * 4 + 4);
        while let Some(piece) = splitter.next_piece(&mut chunk)? {
            match piece {
                Piece::Head(head) => base64.encode(&write_head(head), &mut out),
                Piece::Body(body) => base64.encode(&body, &mut out),
                Piece::End => base64.flush(&mut out),
            }
        }
        Ok(out.into())
    }

    /// What has gone by.
    pub fn seen(&self) -> Seen {
        match &self.way {
            Way::Binary(watch) => watch.seen(),
            Way::Text(splitter, _) => splitter.seen(),
        }
    }

    /// Ends the answer with `trailers`, by name and value: the frame that holds them.
    ///
    /// Names become lower-case. As RFC 9110 §5.5 has it, CR, LF and NUL in a value become spaces; a
    /// trailer whose name is none is left out.
    ///
    /// # Errors
    /// If the answer ended within a message, or had failed: trailers would be read as the rest of it.
    pub fn finish<'a>(
        self,
        trailers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Bytes, Fault> {
        match self.way {
            Way::Binary(watch) => {
                watch.finish()?;
                Ok(trailer_frame(trailers).into())
            }
            Way::Text(splitter, mut base64) => {
                splitter.finish()?;
                let mut out = String::new();
                base64.encode(&trailer_frame(trailers), &mut out);
                base64.flush(&mut out);
                Ok(out.into())
            }
        }
    }
}

/// The frame of trailers. One that would make it longer than a length can say is left out.
fn trailer_frame<'a>(trailers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = vec![0; HEAD];
    let mut length = 0;
    for (name, value) in trailers {
        let line = name.len() + b": \r\n".len() + value.len();
        let longer = u32::try_from(line)
            .ok()
            .and_then(|line| line.checked_add(length));
        let (true, Some(longer)) = (is_name(name), longer) else {
            continue;
        };
        length = longer;
        out.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
        out.extend_from_slice(b": ");
        out.extend(value.iter().map(|byte| match byte {
            b'\r' | b'\n' | 0 => b' ',
            byte => *byte,
        }));
        out.extend_from_slice(b"\r\n");
    }
    out[..HEAD].copy_from_slice(&frame::prefix(TRAILERS, length));
    out
}

/// Whether `name` is a token (RFC 9110 §5.6.2).
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}
