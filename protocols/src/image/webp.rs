//! WebP (RFC 9649): a RIFF container whose first chunk tells the size, in a
//! way of its own for each of the three sorts there are.

use super::{Header, size};

/// Reads the header of a file that begins with `RIFF`.
pub(super) fn header(start: &[u8]) -> Header {
    const CONTAINER: &[u8] = b"WEBP";
    let sort = start.get(8..).unwrap_or_default();
    if !sort.starts_with(CONTAINER) {
        return match CONTAINER.starts_with(sort) {
            true => Header::More,
            false => Header::Unknown,
        };
    }
    let (Some(chunk), Some(payload)) = (start.get(12..16), start.get(20..30)) else {
        return Header::More;
    };
    let payload: [u8; 10] = payload.try_into().expect("the range is ten bytes long");
    match chunk {
        b"VP8 " => lossy(payload),
        b"VP8L" => lossless(payload),
        b"VP8X" => extended(payload),
        _ => Header::Unknown,
    }
}

/// RFC 6386: a frame tag, a start code, and 14 bits each; the two bits above
/// them are about scaling.
fn lossy(payload: [u8; 10]) -> Header {
    let [_, _, _, code @ .., w0, w1, h0, h1] = payload;
    if code != [0x9d, 0x01, 0x2a] {
        return Header::Unknown;
    }
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    size(side(w0, w1), side(h0, h1))
}

/// A signature byte, and 14 bits each for one pixel less.
fn lossless(payload: [u8; 10]) -> Header {
    let [signature, b0, b1, b2, b3, ..] = payload;
    if signature != 0x2f {
        return Header::Unknown;
    }
    let bits = u32::from_le_bytes([b0, b1, b2, b3]);
    size((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
}

/// Flags, and 24 bits each for one pixel less of the canvas.
fn extended(payload: [u8; 10]) -> Header {
    let [_, _, _, _, w0, w1, w2, h0, h1, h2] = payload;
    let side = |bytes: [u8; 3]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) + 1;
    size(side([w0, w1, w2]), side([h0, h1, h2]))
}
