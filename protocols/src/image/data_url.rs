//! Images written into a request as `data:` URLs (RFC 2397), of which only the
//! beginning is decoded. Whatever media type is claimed, the bytes decide.

use super::base64::decode;
use super::{Header, Size, header};

/// What is decoded first, in bytes: enough for all formats but JPEG.
const FIRST: usize = 64;
/// What is decoded at most, in bytes, of a JPEG with much metadata.
const MOST: usize = 1 << 20;
/// How far into a URL its data begins at the latest.
const LONGEST_TYPE: usize = 256;

/// The size of the image in a `data:` URL with base64. `url` is the inside of
/// a JSON string as it was written: its escapes are understood where encoders
/// put them, before slashes.
///
/// `None` for any other URL, for formats unknown to [`header`], and where the
/// first mebibyte does not tell.
pub fn size_in_data_url(url: &str) -> Option<Size> {
    of(payload(url.as_bytes())?)
}

/// The size of an image whose file is given in base64. `None` as of
/// [`size_in_data_url`].
pub fn size_in_base64(data: &str) -> Option<Size> {
    of(data.as_bytes())
}

fn of(data: &[u8]) -> Option<Size> {
    let mut limit = FIRST;
    loop {
        let start = decode(data, limit);
        match header(&start) {
            Header::Size(size) => return Some(size),
            Header::More if start.len() == limit && limit < MOST => limit = MOST.min(limit * 16),
            Header::More | Header::Unknown => return None,
        }
    }
}

fn payload(url: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b";base64,";
    let (scheme, rest) = url.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    let head = &rest[..rest.len().min(LONGEST_TYPE)];
    let comma = memchr::memchr(b',', head)?;
    let mark = (comma + 1).checked_sub(MARK.len())?;
    rest[mark..=comma]
        .eq_ignore_ascii_case(MARK)
        .then_some(&rest[comma + 1..])
}
