//! Headers as encoders write them, cut anywhere, and as attackers do.

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x07\x80\0\0\x04\x38\x08\x02\0\0\0";
const GIF: &[u8] = b"GIF89a\x80\x02\xe0\x01\xf7\0\0";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xff\xdb\0\x04ab\
    \xff\xc2\0\x11\x08\x03\x00\x04\x00\x03";
const LOSSY: &[u8] = b"RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0\x30\x01\0\x9d\x01\x2a\x20\x43\x58\x82";
const LOSSLESS: &[u8] = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\x1f\xc3\x95\0\0\0\0\0\0";
const EXTENDED: &[u8] = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\x1f\x03\0\x57\x02\0";

const ALL: [(&[u8], u32, u32); 6] = [
    (PNG, 1920, 1080),
    (GIF, 640, 480),
    (JPEG, 1024, 768),
    (LOSSY, 800, 600),
    (LOSSLESS, 800, 600),
    (EXTENDED, 800, 600),
];

/// Base64 of `bytes`, written here to check the decoder by.
fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for at in 0..4 {
            let index = (bits >> (18 - 6 * at) & 0x3f) as usize;
            out.push(if at <= group.len() {
                char::from(ALPHABET[index])
            } else {
                '='
            });
        }
    }
    out
}

#[test]
fn each_format_tells_its_size_as_soon_as_it_is_there() {
    for (file, width, height) in ALL {
        let mut told = Header::More;
        for end in 0..=file.len() {
            let now = header(&file[..end]);
            if told != Header::More {
                assert_eq!(now, told, "more bytes change nothing");
            }
            told = now;
        }
        assert_eq!(told, Header::Size(Size { width, height }), "{file:?}");
    }
}

#[test]
fn what_is_no_image_or_a_broken_one_is_unknown() {
    for broken in [
        &b"%PDF-1.7"[..],
        b"<svg/>",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIDAT\0\0\0\0\0\0\0\0",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\x01",
        b"GIF89a\0\0\x01\0",
        b"\xff\xd8\xff\xda\0\x02",
        b"\xff\xd8\xff\xe0\0\x01",
        b"\xff\xd8\xffnot a marker",
        b"\xff\xd8\xff\xc0\0\x11\x08\0\0\x04\0\x03",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"RIFF\0\0\0\0WEBPALPH\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(header(broken), Header::Unknown, "{broken:?}");
    }
}

#[test]
fn a_data_url_tells_what_its_bytes_are() {
    for (file, width, height) in ALL {
        let size = Some(Size { width, height });
        let data = encode(file);
        assert_eq!(
            size_in_data_url(&format!("data:image/png;base64,{data}")),
            size
        );
        let escaped = data.replace('/', "\\/");
        assert_eq!(
            size_in_data_url(&format!("data:image\\/x;base64,{escaped}")),
            size
        );
        assert_eq!(size_in_data_url(&format!("DATA:;BASE64,{data}")), size);
        assert_eq!(size_in_data_url(&format!("data:image/png,{data}")), None);
        assert_eq!(size_in_data_url(&format!("https://x.example/{data}")), None);
    }
}

#[test]
fn metadata_before_the_frame_header_is_passed_over() {
    let segment = [&b"\xff\xe1\xff\xff"[..], &[0; 0xffff - 2]].concat();
    let camera = [&b"\xff\xd8"[..], &segment, &segment, &segment, &JPEG[2..]].concat();
    let url = |file: &[u8]| format!("data:image/jpeg;base64,{}", encode(file));
    let size = Some(Size {
        width: 1024,
        height: 768,
    });
    assert_eq!(size_in_data_url(&url(&camera)), size);
    let endless = [&b"\xff\xd8"[..], &segment.repeat(17), &JPEG[2..]].concat();
    assert_eq!(
        size_in_data_url(&url(&endless)),
        None,
        "only so much is decoded"
    );
}

#[test]
fn odd_urls_are_none() {
    for odd in [
        "",
        "data:",
        "data:,",
        "data:;base64,",
        "data:;base64,\\",
        "data:;base64,!",
        "d\u{e4}ta:",
    ] {
        assert_eq!(size_in_data_url(odd), None, "{odd}");
    }
}
