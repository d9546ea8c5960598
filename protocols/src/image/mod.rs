//! How large an image is, from the first bytes of its file: what providers
//! charge an image by. Reads headers of PNG, JPEG, GIF and WebP, the formats
//! chat models take. Decodes no pixel and judges no image.

mod base64;
mod data_url;
mod webp;

pub use data_url::{size_in_base64, size_in_data_url};

/// The width and the height of an image in pixels, both at least 1. Rotation
/// told in metadata is not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// An image of this size.
    Size(Size),
    /// So far an image; its size stands in bytes yet to come.
    More,
    /// No image of a format known here, a broken one, or an empty one.
    Unknown,
}

/// Reads as much of an image's header as `start`, the first bytes of its file,
/// holds. Once it is not [`Header::More`], more bytes do not change it.
pub fn header(start: &[u8]) -> Header {
    for (magic, read) in FORMATS {
        if start.starts_with(magic) {
            return read(start);
        }
        if magic.starts_with(start) {
            return Header::More;
        }
    }
    Header::Unknown
}

type Read = fn(&[u8]) -> Header;
/// How each format begins, none like another.
const FORMATS: [(&[u8], Read); 5] = [
    (b"\x89PNG\r\n\x1a\n", png),
    (b"\xff\xd8\xff", jpeg),
    (b"GIF87a", gif),
    (b"GIF89a", gif),
    (b"RIFF", webp::header),
];

fn size(width: u32, height: u32) -> Header {
    match (width, height) {
        (0, _) | (_, 0) => Header::Unknown,
        _ => Header::Size(Size { width, height }),
    }
}

/// PNG (RFC 2083): after the signature comes the chunk `IHDR`, with the size
/// first.
fn png(start: &[u8]) -> Header {
    let Some(chunk) = start.get(8..24) else {
        return Header::More;
    };
    match chunk {
        [
            _,
            _,
            _,
            _,
            b'I',
            b'H',
            b'D',
            b'R',
            w0,
            w1,
            w2,
            w3,
            h0,
            h1,
            h2,
            h3,
        ] => size(
            u32::from_be_bytes([*w0, *w1, *w2, *w3]),
            u32::from_be_bytes([*h0, *h1, *h2, *h3]),
        ),
        _ => Header::Unknown,
    }
}

/// GIF: the size of the canvas follows the signature.
fn gif(start: &[u8]) -> Header {
    match start.get(6..10) {
        Some([w0, w1, h0, h1]) => size(
            u16::from_le_bytes([*w0, *w1]).into(),
            u16::from_le_bytes([*h0, *h1]).into(),
        ),
        _ => Header::More,
    }
}

/// JPEG (ITU-T T.81): segments, each a marker and its length; the size stands
/// in the frame header, behind whatever metadata comes first.
fn jpeg(start: &[u8]) -> Header {
    let mut rest = &start[2..];
    loop {
        match rest {
            // Any marker may be preceded by fill bytes.
            [0xff, 0xff, ..] => rest = &rest[1..],
            // Markers without a segment.
            [0xff, 0x01 | 0xd0..=0xd8, ..] => rest = &rest[2..],
            [0xff, 0xc4 | 0xc8 | 0xcc, l0, l1, ..] | [0xff, 0xdb..=0xfe, l0, l1, ..] => {
                let length = usize::from(u16::from_be_bytes([*l0, *l1]));
                if length < 2 {
                    return Header::Unknown;
                }
                match rest.get(2 + length..) {
                    Some(after) => rest = after,
                    None => return Header::More,
                }
            }
            [0xff, 0xc0..=0xcf, _, _, _, h0, h1, w0, w1, ..] => {
                // A height of 0 is told later, in a segment of its own.
                return size(
                    u16::from_be_bytes([*w0, *w1]).into(),
                    u16::from_be_bytes([*h0, *h1]).into(),
                );
            }
            [] | [0xff] => return Header::More,
            [0xff, 0xc0..=0xcf | 0xdb..=0xfe, ..] => return Header::More,
            // The scan, the end, or no marker at all, and no frame header before.
            _ => return Header::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
