//! What is said of a compressed answer, and what comes out of the encoders.

use std::io::Read as _;

use super::encode::Encode;
use super::*;
use crate::config::policies::compression::{Encoder, Type};
use crate::policy::{Unit, Units};

fn policy() -> Compression {
    Compression(Config {
        encoders: vec![Encoder {
            coding: Coding::Gzip,
            level: 6,
        }],
        min_length: 1024,
        types: vec![Type::Family("text/".into()), Type::Suffix("+json".into())],
    })
}

fn head(status: u16, fields: &[(&'static str, &str)]) -> ResponseHeader {
    let mut head = ResponseHeader::build(status, None).expect("a head");
    for (name, value) in fields {
        head.append_header(*name, *value).expect("a header");
    }
    head
}

#[test]
fn what_is_compressed_is_text_long_and_not_yet_encoded() {
    let covers = |status, fields: &[(&'static str, &str)]| policy().covers(&head(status, fields));
    let text = ("content-type", "Text/HTML; charset=utf-8");
    assert!(covers(200, &[text]));
    assert!(covers(404, &[("content-type", "application/problem+json")]));
    assert!(covers(200, &[text, ("content-length", "1024")]));
    assert!(covers(206, &[text, ("content-length", "3")]));
    assert!(covers(
        206,
        &[("content-type", "multipart/byteranges; boundary=x")]
    ));
    assert!(covers(304, &[]));
    for (status, fields) in [
        (200, &[][..]),
        (200, &[("content-type", "image/png")]),
        (304, &[("content-type", "image/png")]),
        (200, &[text, ("content-length", "1023")]),
        (200, &[text, ("content-encoding", "br")]),
        (200, &[text, ("cache-control", "public, No-Transform")]),
        (204, &[text]),
        (205, &[text]),
        (101, &[text]),
        (200, &[("content-type", "application/grpc+json")]),
    ] {
        assert!(!covers(status, fields), "{status} {fields:?}");
    }
}

#[test]
fn what_was_said_of_the_plain_body_is_not_said_of_the_other() {
    let mut head = head(
        200,
        &[
            ("content-length", "5000"),
            ("accept-ranges", "bytes"),
            ("etag", "\"x\""),
            ("content-md5", "a"),
            ("repr-digest", "sha-256=:a:"),
            ("content-digest", "sha-256=:a:"),
            ("vary", "Origin"),
            ("vary", "x-a"),
        ],
    );
    encoded(&mut head, Coding::Brotli);
    vary(&mut head);
    vary(&mut head);
    let mut left: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
        .collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            ("content-encoding", "br"),
            ("etag", "W/\"x\""),
            ("vary", "Origin, x-a, Accept-Encoding"),
        ]
    );
}

#[test]
fn a_vary_that_says_enough_is_left_alone() {
    for said in ["*", "accept-ENCODING, origin"] {
        let mut head = head(200, &[("vary", said)]);
        vary(&mut head);
        assert_eq!(head.headers[VARY], said);
    }
}

#[test]
fn a_tag_is_confirmed_in_the_form_it_was_asked_by() {
    for (asked, told) in [
        ("W/\"x\"", "W/\"x\""),
        ("\"a\", W/\"x\"", "W/\"x\""),
        ("\"x\"", "\"x\""),
        ("*", "\"x\""),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, asked.parse().expect("a value"));
        let mut head = head(304, &[("etag", "\"x\"")]);
        revalidated(&headers, &mut head);
        assert_eq!(head.headers[ETAG], told, "{asked}");
    }
}

const CODINGS: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

fn levels(coding: Coding) -> [u32; 2] {
    match coding {
        Coding::Zstd => [1, 6],
        Coding::Brotli => [0, 6],
        Coding::Gzip => [1, 9],
    }
}

fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let read = match coding {
        Coding::Zstd => zstd::stream::read::Decoder::new(bytes)
            .and_then(|mut decoder| decoder.read_to_end(&mut out)),
        Coding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
        Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
    };
    // A beginning ends amid its stream: what came before that is all there.
    drop(read);
    out
}

/// Text that has patterns, and more of it than any window holds.
fn long() -> Vec<u8> {
    (0..60_000u32)
        .flat_map(|i| format!("line {} of {i}\n", i.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

#[test]
fn what_goes_in_comes_out_at_every_level_and_in_pieces_of_any_size() {
    let plain = long();
    for coding in CODINGS {
        for level in levels(coding) {
            let mut encode = Encode::new(Encoder { coding, level });
            let mut out = Units::default();
            let (mut rest, mut size) = (&plain[..], 1);
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                let piece = bytes::Bytes::copy_from_slice(piece);
                encode.unit(Unit::Bytes(piece), &mut out).expect("taken");
                (rest, size) = (after, size * 3 % 40_000 + 1);
            }
            encode.end(&mut out).expect("ended");
            let packed = out.into_bytes();
            assert!(packed.len() < plain.len(), "{coding:?} {level}");
            assert!(decoded(coding, &packed) == plain, "{coding:?} {level}");
        }
    }
}

#[test]
fn what_is_flushed_can_be_read_before_the_rest_is_there() {
    for coding in CODINGS {
        let [level, _] = levels(coding);
        let mut encode = Encode::new(Encoder { coding, level });
        let (mut sent, mut said) = (Vec::new(), Vec::new());
        for event in ["data: first\n\n", "data: second\n\n", "data: third\n\n"] {
            let mut out = Units::default();
            let unit = Unit::Bytes(event.as_bytes().into());
            encode.unit(unit, &mut out).expect("taken");
            encode.flush(&mut out).expect("flushed");
            sent.extend_from_slice(&out.into_bytes());
            said.extend_from_slice(event.as_bytes());
            assert_eq!(decoded(coding, &sent), said, "{coding:?}");
        }
    }
}

#[test]
fn nothing_becomes_an_empty_stream() {
    for coding in CODINGS {
        let [level, _] = levels(coding);
        let mut encode = Encode::new(Encoder { coding, level });
        let mut out = Units::default();
        encode.end(&mut out).expect("ended");
        let packed = out.into_bytes();
        assert!(!packed.is_empty() && decoded(coding, &packed).is_empty());
    }
}
