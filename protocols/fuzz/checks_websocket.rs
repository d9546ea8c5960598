//! What must hold of one direction of a WebSocket connection, for any bytes whatsoever.

use bytes::Bytes;
use weir_protocols::websocket::{Allowed, Fault, From, Head, Kind, Message, Opcode, Reader, Unit};

/// What was said, however it was cut.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    /// The messages that ended, and the controls amid and between them.
    pub units: Vec<(Opcode, Vec<u8>)>,
    /// What of a message came that did not end.
    pub open: Vec<u8>,
    /// Every byte that may pass.
    pub raw: Vec<u8>,
    /// Why it ends, if it does not go on.
    pub fault: Option<Fault>,
}

/// Any bytes, however they are cut, say the same; what is refused is not passed, and what passes is
/// what came. The first byte says who sends and what is allowed.
pub fn websocket(data: &[u8]) {
    let Some((how, stream)) = data.split_first() else {
        return;
    };
    let from = match how & 1 {
        0 => From::Client,
        _ => From::Server,
    };
    let allowed = Allowed {
        text: how & 2 == 0,
        binary: how & 4 == 0,
        compressed: how & 8 == 0,
        max_message: 1 << (how >> 4),
    };
    let whole = read(from, allowed, [stream]);
    assert!(stream.starts_with(&whole.raw));
    let dripped = read(from, allowed, stream.chunks(1));
    // A text that is none is found out at the byte where it is.
    if whole.fault != Some(Fault::NotUtf8) {
        assert_eq!(dripped, whole);
    }
    assert_eq!(dripped.fault, whole.fault);
    assert_eq!(dripped.units, whole.units);
    heads(stream);
}

/// What is read as a head is written as it was.
fn heads(data: &[u8]) {
    if let Ok(Some((head, length))) = Head::parse(data) {
        let mut out = Vec::new();
        head.write(&mut out);
        assert_eq!(out, data[..length]);
    }
}

/// Reads a stream that comes in these pieces.
pub fn read<'a>(from: From, allowed: Allowed, chunks: impl IntoIterator<Item = &'a [u8]>) -> Said {
    let mut reader = Reader::new(from, allowed);
    let (mut said, mut message) = (Said::default(), Message::default());
    for chunk in chunks {
        reader.feed(Bytes::copy_from_slice(chunk));
        loop {
            let unit = match reader.next_unit() {
                Ok(Some(unit)) => unit,
                Ok(None) => break,
                Err(fault) => {
                    said.fault = Some(fault);
                    said.open = message.payload().to_vec();
                    return said;
                }
            };
            take(unit, &mut message, &mut said);
            assert!(message.payload().len() as u64 <= allowed.max_message);
        }
    }
    said.open = message.payload().to_vec();
    said
}

fn take(unit: Unit, message: &mut Message, said: &mut Said) {
    match unit {
        Unit::Control {
            opcode,
            payload,
            raw,
        } => {
            said.raw.extend_from_slice(&raw);
            said.units.push((opcode, payload.to_vec()));
        }
        Unit::Piece(piece) => {
            said.raw.extend_from_slice(&piece.raw);
            assert_eq!(piece.begins, message.is_empty());
            message.add(&piece);
            if piece.ends {
                assert!(piece.ends_frame);
                let opcode = match piece.kind {
                    Kind::Text => Opcode::Text,
                    Kind::Binary => Opcode::Binary,
                };
                if piece.kind == Kind::Text && !piece.compressed {
                    assert!(std::str::from_utf8(message.payload()).is_ok());
                }
                said.units.push((opcode, message.payload().to_vec()));
                message.release();
            }
        }
    }
}
