//! What must hold for any bytes whatsoever of gRPC's frames, of gRPC-Web, and of what stands in headers.

use std::time::Duration;

use bytes::Bytes;
use weir_protocols::grpc::content_type::{ContentType, Wire};
use weir_protocols::grpc::frame::{Fault, Piece, Seen, Splitter, Watch, write_head};
use weir_protocols::grpc::status::{Code, details, message};
use weir_protocols::grpc::web::{self, Decoder, Encoder, Encoding};
use weir_protocols::grpc::{path, timeout};

/// What a message may be here, so that some are too long.
const MAX: u32 = 300;

/// Frames, bodies of browsers and for them, and values of headers.
pub fn grpc(data: &[u8]) {
    frames(data);
    requests(data);
    answers(data);
    values(data);
    times(data);
}

fn whole(data: &[u8]) -> [Bytes; 1] {
    [Bytes::copy_from_slice(data)]
}

fn dripped(data: &[u8]) -> impl Iterator<Item = Bytes> {
    data.iter().map(|byte| Bytes::copy_from_slice(&[*byte]))
}

/// Pieces do not depend on how a stream arrives, are the stream again, and are what a watch sees.
fn frames(data: &[u8]) {
    let pieces = split(whole(data));
    assert_eq!(split(dripped(data)), pieces);
    let (raw, end) = pieces;
    assert!(data.starts_with(&raw));
    assert!(end.is_err() || raw == data);
    assert_eq!(watch(whole(data)), end);
    assert_eq!(watch(dripped(data)), end);
}

fn split(chunks: impl IntoIterator<Item = Bytes>) -> (Vec<u8>, Result<Seen, Fault>) {
    let mut splitter = Splitter::new(MAX);
    let (mut raw, mut left) = (Vec::new(), None);
    for mut chunk in chunks {
        loop {
            match splitter.next_piece(&mut chunk) {
                Ok(Some(Piece::Head(head))) => {
                    assert_eq!(left.replace(head.length as usize), None);
                    raw.extend(write_head(head));
                }
                Ok(Some(Piece::Body(body))) => {
                    let before = left.expect("a head comes first");
                    left = Some(before - body.len());
                    raw.extend(body);
                }
                Ok(Some(Piece::End)) => assert_eq!(left.take(), Some(0)),
                Ok(None) => break,
                Err(fault) => return (raw, Err(fault)),
            }
        }
    }
    (raw, splitter.finish().map(|()| splitter.seen()))
}

fn watch(chunks: impl IntoIterator<Item = Bytes>) -> Result<Seen, Fault> {
    let mut watch = Watch::new(MAX);
    for chunk in chunks {
        watch.see(&chunk)?;
    }
    watch.finish().map(|()| watch.seen())
}

/// A request's body does not depend on how it arrives, and comes out as sound frames or not at all.
fn requests(data: &[u8]) {
    for encoding in [Encoding::Binary, Encoding::Text] {
        let body = decode(encoding, whole(data));
        assert_eq!(decode(encoding, dripped(data)), body);
        if let Ok(body) = body {
            watch(whole(&body)).expect("it was watched");
        }
    }
}

fn decode(
    encoding: Encoding,
    chunks: impl IntoIterator<Item = Bytes>,
) -> Result<Vec<u8>, web::Fault> {
    let mut decoder = Decoder::new(encoding, MAX);
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend(decoder.decode(chunk)?);
    }
    decoder.finish().map(|()| body)
}

/// An answer does not depend on how it arrives, and its text is read as what it was made of. Its
/// trailers are lines of their own.
fn answers(data: &[u8]) {
    for encoding in [Encoding::Binary, Encoding::Text] {
        let answer = encode(encoding, whole(data), None);
        assert_eq!(encode(encoding, dripped(data), None), answer);
        assert_eq!(answer.is_ok(), watch(whole(data)).is_ok());
        let Ok(mut answer) = answer else { continue };
        // Only an answer may end in a frame of trailers: here it has none.
        answer.truncate(answer.len() - if encoding == Encoding::Text { 8 } else { 5 });
        assert_eq!(decode(encoding, whole(&answer)).as_deref(), Ok(data));
    }
    let end = encode(Encoding::Binary, [], Some(("a", data))).expect("it has no message");
    let (head, line) = end.split_at(5);
    assert_eq!(head[0], 0x80);
    assert_eq!(head[1..], (line.len() as u32).to_be_bytes());
    assert!(line.starts_with(b"a: ") && line.ends_with(b"\r\n"));
    assert_eq!(memchr::memchr2_iter(b'\r', b'\n', line).count(), 2);
    let name = String::from_utf8_lossy(data);
    let end = encode(Encoding::Binary, [], Some((&name, b""))).expect("it has no message");
    assert!(memchr::memchr2_iter(b'\r', b'\n', &end[5..]).count() <= 2);
}

fn encode(
    encoding: Encoding,
    chunks: impl IntoIterator<Item = Bytes>,
    trailer: Option<(&str, &[u8])>,
) -> Result<Vec<u8>, Fault> {
    let mut encoder = Encoder::new(encoding, MAX);
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend(encoder.encode(chunk)?);
    }
    body.extend(encoder.finish(trailer)?);
    Ok(body)
}

/// What is read of a header is what is written to it.
fn values(data: &[u8]) {
    if let Some(code) = Code::parse(data) {
        assert_eq!(Code::from_number(code.number().into()), Some(code));
    }
    let text = String::from_utf8_lossy(data);
    let encoded = message::encode(&text);
    assert!(encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    assert_eq!(message::decode(encoded.as_bytes()), text);
    let decoded = message::decode(data);
    assert!(decoded.len() <= text.len());
    if let Ok(path) = path::parse(&text) {
        assert_eq!(format!("/{}/{}", path.service, path.method), text);
    }
    if let Some(sent) = ContentType::parse(&text) {
        for wire in [Wire::Native, Wire::Web, Wire::WebText] {
            let written = sent.on(wire);
            let format = sent.format;
            assert_eq!(
                ContentType::parse(&written),
                Some(ContentType { wire, format })
            );
        }
    }
    let details = details::encode(&details::Details {
        code: Code::Internal,
        message: &text,
        info: Some(details::ErrorInfo {
            reason: "A",
            domain: &text,
            metadata: &[("a", &text), (&text, "b")],
        }),
        retry_after: None,
    });
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    assert!(details.bytes().all(is_digit) && details.len() % 4 != 1);
}

/// A timeout is written as short as it was read, or shorter, and means the same; any time is written
/// as one that is not longer, and hardly shorter.
fn times(data: &[u8]) {
    if let Ok(time) = timeout::parse(data) {
        let written = timeout::write(time);
        assert!(written.len() <= data.len());
        assert_eq!(timeout::parse(written.as_bytes()), Ok(time));
    }
    let Some((nanos, _)) = data.split_first_chunk() else {
        return;
    };
    let time = Duration::from_nanos(u64::from_be_bytes(*nanos));
    let written = timeout::write(time);
    assert!(written.len() <= 9);
    let written = timeout::parse(written.as_bytes()).expect("it is a timeout");
    // A number of eight digits is cut by less than one, and the next unit is up to a thousand times
    // as long.
    assert!(written <= time && time - written <= time / 99_999);
}
