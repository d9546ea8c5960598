//! gRPC's streams: messages taken apart, watched, and carried to browsers and back, however they
//! are cut.

use bytes::Bytes;
use weir_protocols::grpc::frame::{Fault, Head, Piece, Seen, Splitter, Watch, What};
use weir_protocols::grpc::web::{self, Base64Fault, Base64What, Decoder, Encoder, Encoding};

/// An empty message, a compressed one and a plain one.
const STREAM: &[u8] = b"\0\0\0\0\0\x01\0\0\0\x03abc\0\0\0\0\x05hello";
const STREAM_TEXT: &[u8] = b"AAAAAAA=AQAAAANhYmM=AAAAAAVoZWxsbw==";
const TRAILERS: [(&str, &[u8]); 2] = [("grpc-status", b"5"), ("Grpc-Message", b"not here")];
const TRAILER_FRAME: &[u8] = b"\x80\0\0\0\x28grpc-status: 5\r\ngrpc-message: not here\r\n";

/// `data` whole, byte by byte, and cut once at every place.
fn cuts(data: &[u8]) -> Vec<Vec<Bytes>> {
    let data = Bytes::copy_from_slice(data);
    let dripped = (0..data.len()).map(|at| data.slice(at..=at)).collect();
    let once = (0..=data.len()).map(|at| vec![data.slice(..at), data.slice(at..)]);
    once.chain([dripped]).collect()
}

/// A head and its body.
type Message = (Head, Vec<u8>);

/// Messages that are whole, and how the stream ended.
fn split(max: u32, chunks: &[Bytes]) -> (Vec<Message>, Result<Seen, Fault>) {
    let mut splitter = Splitter::new(max);
    let (mut messages, mut message) = (Vec::new(), None);
    for chunk in chunks {
        let mut chunk = chunk.clone();
        loop {
            match splitter.next_piece(&mut chunk) {
                Ok(None) => break,
                Ok(Some(Piece::Head(head))) => {
                    assert!(message.replace((head, Vec::new())).is_none());
                }
                Ok(Some(Piece::Body(bytes))) => {
                    assert!(!bytes.is_empty());
                    message.as_mut().expect("it has a head").1.extend(bytes);
                }
                Ok(Some(Piece::End)) => messages.extend(message.take()),
                Err(fault) => {
                    assert_eq!(splitter.next_piece(&mut chunk), Err(fault));
                    return (messages, Err(fault));
                }
            }
        }
        assert!(chunk.is_empty());
    }
    (messages, splitter.finish().map(|()| splitter.seen()))
}

fn watch(max: u32, chunks: &[Bytes]) -> Result<Seen, Fault> {
    let mut watch = Watch::new(max);
    for chunk in chunks {
        watch.see(chunk)?;
    }
    watch.finish()?;
    Ok(watch.seen())
}

#[test]
fn a_stream_is_taken_apart_wherever_it_is_cut() {
    let head = |compressed, length| Head { compressed, length };
    let expected = [
        (head(false, 0), b"".to_vec()),
        (head(true, 3), b"abc".to_vec()),
        (head(false, 5), b"hello".to_vec()),
    ];
    let seen = Seen {
        messages: 3,
        biggest: 5,
    };
    for chunks in cuts(STREAM) {
        let (messages, end) = split(5, &chunks);
        assert_eq!(messages, expected);
        assert_eq!(end, Ok(seen));
        assert_eq!(watch(5, &chunks), Ok(seen));
    }
}

#[test]
fn bodies_are_slices_of_what_came() {
    let mut chunk = Bytes::from_static(b"\0\0\0\0\x03abc");
    let body = chunk.slice(5..).as_ptr();
    let mut splitter = Splitter::new(3);
    splitter.next_piece(&mut chunk).expect("a head");
    let Ok(Some(Piece::Body(piece))) = splitter.next_piece(&mut chunk) else {
        panic!("no body");
    };
    assert_eq!(piece.as_ptr(), body);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (data, message, at, what) in [
        (
            &b"\0\0\0\0\0\0\0\0\x10\x01"[..],
            2,
            5,
            What::TooLong {
                length: 4097,
                max: 4096,
            },
        ),
        (b"<html>", 1, 0, What::Flag(b'<')),
        (b"\0\0\0\0\x01a\x80", 2, 6, What::Flag(0x80)),
        (b"\0\0\0\0\x01a\0\0", 2, 6, What::Cut { missing: 3 }),
        (b"\0\0\0\0\0\0\0\0\0\x04a", 2, 5, What::Cut { missing: 3 }),
    ] {
        let fault = Fault { message, at, what };
        for chunks in cuts(data) {
            assert_eq!(split(4096, &chunks).1, Err(fault));
            assert_eq!(watch(4096, &chunks), Err(fault));
        }
    }
    let said = watch(7, &[Bytes::from_static(b"\0\0\0\0\x08")]).expect_err("it is too long");
    assert_eq!(
        said.to_string(),
        "message 1 of the stream, at byte 0, is 8 bytes long, more than the 7 allowed: send less \
         at once, or raise the limit"
    );
}

fn decode(encoding: Encoding, max: u32, chunks: &[Bytes]) -> Result<Vec<u8>, web::Fault> {
    let mut decoder = Decoder::new(encoding, max);
    let mut body = Vec::new();
    for chunk in chunks {
        match decoder.decode(chunk.clone()) {
            Ok(bytes) => body.extend(bytes),
            Err(fault) => {
                assert_eq!(decoder.decode(Bytes::new()), Err(fault));
                return Err(fault);
            }
        }
    }
    decoder.finish()?;
    assert_eq!(decoder.seen().messages, 3);
    Ok(body)
}

fn encode(encoding: Encoding, chunks: &[Bytes]) -> Result<Vec<u8>, Fault> {
    let mut encoder = Encoder::new(encoding, 5);
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend(encoder.encode(chunk.clone())?);
    }
    assert_eq!(encoder.seen().messages, 3);
    body.extend(encoder.finish(TRAILERS)?);
    Ok(body)
}

#[test]
fn what_a_browser_sends_is_read_wherever_it_is_cut() {
    // As one stream, and as if each byte had been a buffer of its own.
    let whole = b"AAAAAAABAAAAA2FiYwAAAAAFaGVsbG8=";
    let single: Vec<&str> = STREAM.iter().map(|byte| single_in_base64(*byte)).collect();
    for text in [STREAM_TEXT, whole, single.concat().as_bytes()] {
        for chunks in cuts(text) {
            let body = decode(Encoding::Text, 5, &chunks);
            assert_eq!(body.as_deref(), Ok(STREAM));
        }
    }
    for chunks in cuts(STREAM) {
        let body = decode(Encoding::Binary, 5, &chunks);
        assert_eq!(body.as_deref(), Ok(STREAM));
    }
}

fn single_in_base64(byte: u8) -> &'static str {
    match byte {
        0 => "AA==",
        1 => "AQ==",
        3 => "Aw==",
        5 => "BQ==",
        b'a' => "YQ==",
        b'b' => "Yg==",
        b'c' => "Yw==",
        b'h' => "aA==",
        b'e' => "ZQ==",
        b'l' => "bA==",
        b'o' => "bw==",
        other => panic!("{other} is not in the stream"),
    }
}

#[test]
fn a_request_that_is_wrong_gets_one_fault_wherever_it_is_cut() {
    let frame = |message, at, what| web::Fault::Frame(Fault { message, at, what });
    let base64 = |at, what| web::Fault::Base64(Base64Fault { at, what });
    for (text, expected) in [
        // Trailers.
        (&b"gAAAAAA="[..], frame(1, 0, What::Flag(0x80))),
        // What is wrong with a frame stands before what is wrong with the text.
        (b"gAAAAA A=", frame(1, 0, What::Flag(0x80))),
        (
            b"AAAAAAg=",
            frame(1, 0, What::TooLong { length: 8, max: 5 }),
        ),
        (b"AAAAAAJo", frame(1, 0, What::Cut { missing: 1 })),
        (b"AAAA AAA=", base64(4, Base64What::Byte(b' '))),
        (b"AAAAAAJoaQ", base64(10, Base64What::Cut)),
    ] {
        for chunks in cuts(text) {
            assert_eq!(decode(Encoding::Text, 5, &chunks), Err(expected));
        }
    }
}

#[test]
fn what_a_browser_gets_does_not_depend_on_cuts() {
    let binary = [STREAM, TRAILER_FRAME].concat();
    let text = [
        STREAM_TEXT,
        b"gAAAAChncnBjLXN0YXR1czogNQ0KZ3JwYy1tZXNzYWdlOiBub3QgaGVyZQ0K",
    ];
    for chunks in cuts(STREAM) {
        assert_eq!(encode(Encoding::Binary, &chunks).as_ref(), Ok(&binary));
        assert_eq!(encode(Encoding::Text, &chunks), Ok(text.concat()));
    }
}

#[test]
fn a_message_is_there_for_the_browser_once_it_is_whole() {
    let mut encoder = Encoder::new(Encoding::Text, 5);
    let mut sent = Vec::new();
    for at in 0..STREAM.len() {
        let chunk = Bytes::copy_from_slice(&STREAM[at..=at]);
        sent.extend(encoder.encode(chunk).expect("sound"));
        // Where messages end in the stream, and in its text.
        if let Some((_, length)) = [(4, 8), (12, 20), (22, 36)]
            .iter()
            .find(|(end, _)| *end == at)
        {
            assert_eq!(sent, STREAM_TEXT[..*length]);
        }
    }
}

#[test]
fn an_answer_that_breaks_off_gets_no_trailers() {
    for encoding in [Encoding::Binary, Encoding::Text] {
        let mut encoder = Encoder::new(encoding, 5);
        encoder
            .encode(Bytes::from_static(b"\0\0\0\0\x02h"))
            .expect("sound so far");
        let fault = encoder.finish(TRAILERS).expect_err("it is not whole");
        assert_eq!(fault.what, What::Cut { missing: 1 });
    }
}

#[test]
fn a_trailer_cannot_make_another() {
    let trailers = [
        ("grpc-message", &b"a\r\ngrpc-status: 0\0"[..]),
        ("x: y\r\nz", b"1"),
        ("", b"2"),
        ("raw-bin", b"\xff"),
    ];
    let end = Encoder::new(Encoding::Binary, 5).finish(trailers);
    let lines = b"grpc-message: a  grpc-status: 0 \r\nraw-bin: \xff\r\n";
    let end = end.expect("nothing was cut");
    assert_eq!(end[..5], [0x80, 0, 0, 0, 46]);
    assert_eq!(end[5..], lines[..]);
}
