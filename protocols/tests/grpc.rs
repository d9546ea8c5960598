//! gRPC's streams: messages taken apart and watched, however they are cut.

use bytes::Bytes;
use weir_protocols::grpc::frame::{Fault, Head, Piece, Seen, Splitter, Watch, What};

/// An empty message, a compressed one and a plain one.
const STREAM: &[u8] = b"\0\0\0\0\0\x01\0\0\0\x03abc\0\0\0\0\x05hello";

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
