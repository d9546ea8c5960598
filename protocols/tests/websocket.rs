//! One direction of a WebSocket connection: the examples of RFC 6455, each of its rules broken, and
//! messages of any shape, cut at every byte.

use proptest::prelude::*;
use weir_protocols::websocket::frame::{self, LONGEST_CONTROL};
use weir_protocols::websocket::{Allowed, Close, Code, Fault, From, Kind, Opcode, close};

#[path = "../fuzz/checks_websocket.rs"]
mod checks;

use checks::{Said, read, websocket};

const ALL: Allowed = Allowed {
    text: true,
    binary: true,
    max_message: 1 << 20,
    compressed: true,
};
const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

/// Appends a frame.
fn frame(out: &mut Vec<u8>, last: bool, opcode: Opcode, key: Option<[u8; 4]>, payload: &[u8]) {
    frame::write(last, opcode, payload, key, out);
}

/// Reads a stream, which says the same wherever it is cut in two.
fn said(from: From, allowed: Allowed, stream: &[u8]) -> Said {
    let whole = read(from, allowed, [stream]);
    for cut in 0..=stream.len() {
        let halves = read(from, allowed, [&stream[..cut], &stream[cut..]]);
        assert_eq!(halves.units, whole.units, "cut at {cut}");
        assert_eq!(halves.fault, whole.fault, "cut at {cut}");
        if whole.fault.is_none() {
            assert_eq!(halves.raw, stream, "cut at {cut}");
        }
    }
    whole
}

fn unit(opcode: Opcode, payload: &[u8]) -> (Opcode, Vec<u8>) {
    (opcode, payload.to_vec())
}

#[test]
fn the_examples_of_the_rfc() {
    let hello = unit(Opcode::Text, b"Hello");
    // RFC 6455, 5.7.
    let plain = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(said(From::Server, ALL, &plain).units, vec![hello.clone()]);
    let masked = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    assert_eq!(said(From::Client, ALL, &masked).units, vec![hello.clone()]);
    let parts = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(said(From::Server, ALL, &parts).units, [hello]);
    let ping = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(
        said(From::Server, ALL, &ping).units,
        [unit(Opcode::Ping, b"Hello")]
    );
    for length in [125, 126, 256, 0xffff, 0x1_0000] {
        let (mut stream, payload) = (Vec::new(), vec![7; length]);
        frame(&mut stream, true, Opcode::Binary, None, &payload);
        let longer = [0, 2, 8][usize::from(length > 125) + usize::from(length > 0xffff)];
        assert_eq!(stream.len(), 2 + longer + length);
        let whole = read(From::Server, ALL, [&stream[..]]);
        assert_eq!(whole.units, [unit(Opcode::Binary, &payload)]);
        assert_eq!(read(From::Server, ALL, stream.chunks(1)), whole);
    }
}

#[test]
fn controls_stand_amid_a_message() {
    let mut stream = Vec::new();
    frame(&mut stream, false, Opcode::Text, KEY, "w\u{eb}".as_bytes());
    frame(&mut stream, true, Opcode::Ping, KEY, b"there?");
    frame(&mut stream, false, Opcode::Continuation, KEY, b"");
    frame(&mut stream, true, Opcode::Pong, KEY, b"");
    frame(&mut stream, true, Opcode::Continuation, KEY, b"ir");
    Close {
        code: Some(Code::NORMAL),
        reason: "done",
    }
    .write(KEY, &mut stream);
    let said = said(From::Client, ALL, &stream);
    let close = [&1000_u16.to_be_bytes()[..], b"done"].concat();
    assert_eq!(
        said.units,
        [
            unit(Opcode::Ping, b"there?"),
            unit(Opcode::Pong, b""),
            unit(Opcode::Text, "w\u{eb}ir".as_bytes()),
            unit(Opcode::Close, &close),
        ]
    );
    assert_eq!(said.fault, None);
}

#[test]
fn what_is_not_allowed_is_refused() {
    let of = |frames: &[(bool, Opcode, &[u8])]| {
        let mut stream = Vec::new();
        for (last, opcode, payload) in frames {
            frame(&mut stream, *last, *opcode, None, payload);
        }
        stream
    };
    let long = vec![0; LONGEST_CONTROL + 1];
    let only_text = Allowed {
        binary: false,
        ..ALL
    };
    let only_bytes = Allowed { text: false, ..ALL };
    let short = Allowed {
        max_message: 4,
        ..ALL
    };
    let plain = Allowed {
        compressed: false,
        ..ALL
    };
    let too_long = Fault::TooLong { max_message: 4 };
    use Opcode::{Binary, Close as End, Continuation as More, Ping, Text};
    let cases = [
        (ALL, of(&[(true, More, b"a")]), Fault::NothingBegun, 1002),
        (
            ALL,
            of(&[(false, Text, b"a"), (true, Text, b"b")]),
            Fault::AmidAnother,
            1002,
        ),
        (ALL, of(&[(true, Ping, &long)]), Fault::LongControl, 1002),
        (ALL, of(&[(false, Ping, b"")]), Fault::PartedControl, 1002),
        (
            ALL,
            of(&[(true, End, b""), (true, Ping, b"")]),
            Fault::AfterClose,
            1002,
        ),
        (
            ALL,
            of(&[(true, End, b"\x03")]),
            Fault::Close(close::Malformed::Short),
            1002,
        ),
        (
            ALL,
            of(&[(true, End, &1005_u16.to_be_bytes())]),
            Fault::Close(close::Malformed::Code(Code(1005))),
            1002,
        ),
        (
            ALL,
            of(&[(true, End, b"\x03\xe8\xff")]),
            Fault::Close(close::Malformed::Reason),
            1007,
        ),
        (ALL, of(&[(true, Text, b"\xc3")]), Fault::NotUtf8, 1007),
        (
            ALL,
            of(&[(false, Text, b"\xf4"), (true, More, b"\x90\x80\x80")]),
            Fault::NotUtf8,
            1007,
        ),
        (
            only_text,
            of(&[(true, Binary, b"")]),
            Fault::NotTaken(Kind::Binary),
            1003,
        ),
        (
            only_bytes,
            of(&[(true, Text, b"")]),
            Fault::NotTaken(Kind::Text),
            1003,
        ),
        (short, of(&[(true, Text, b"weirs")]), too_long, 1009),
        (
            short,
            of(&[(false, Text, b"wei"), (true, More, b"rs")]),
            too_long,
            1009,
        ),
        (
            ALL,
            vec![0xa1, 0],
            Fault::Frame(frame::Malformed::ReservedBit),
            1002,
        ),
        (
            ALL,
            vec![0x83, 0],
            Fault::Frame(frame::Malformed::ReservedOpcode(3)),
            1002,
        ),
        (
            ALL,
            vec![0x82, 126, 0, 125],
            Fault::Frame(frame::Malformed::LongLength),
            1002,
        ),
        (
            ALL,
            [&[0x82, 127, 0x80][..], &[0; 7]].concat(),
            Fault::Frame(frame::Malformed::Length),
            1002,
        ),
        (ALL, vec![0x81, 0x80, 1, 2, 3, 4], Fault::Mask, 1002),
        (ALL, vec![0xc9, 0], Fault::Compressed, 1002),
        (plain, vec![0xc1, 0], Fault::Compressed, 1002),
        (ALL, vec![0x41, 0, 0xc0, 0], Fault::Compressed, 1002),
    ];
    for (allowed, stream, fault, code) in cases {
        let said = said(From::Server, allowed, &stream);
        assert_eq!(said.fault, Some(fault), "{stream:x?}");
        assert_eq!(fault.code(), Code(code), "{fault}");
        assert!(!fault.to_string().is_empty());
    }
    let unmasked = said(From::Client, ALL, &of(&[(true, Text, b"a")]));
    assert_eq!(unmasked.fault, Some(Fault::Mask));
}

#[test]
fn a_compressed_message_is_not_read() {
    let mut stream = Vec::new();
    frame(&mut stream, true, Opcode::Text, None, b"\xff\xff");
    stream[0] |= 0x40;
    let said = said(From::Server, ALL, &stream);
    assert_eq!(said.units, [unit(Opcode::Text, b"\xff\xff")]);
}

#[test]
fn a_close_is_written_as_it_is_read() {
    for (code, reason) in [(Some(Code::GOING_AWAY), "the weir is drained"), (None, "")] {
        let (mut out, close) = (Vec::new(), Close { code, reason });
        close.write(None, &mut out);
        assert_eq!(Close::parse(&out[2..]), Ok(close));
    }
    let (mut out, long) = (Vec::new(), "\u{6f22}".repeat(60));
    Close {
        code: Some(Code::POLICY_VIOLATION),
        reason: &long,
    }
    .write(KEY, &mut out);
    assert_eq!(out.len(), 2 + 4 + 2 + 123 / 3 * 3);
    assert_eq!(read(From::Client, ALL, [&out[..]]).fault, None);
}

fn opcodes() -> impl Strategy<Value = (Vec<(Vec<u8>, bool)>, bool)> {
    let part = (
        proptest::collection::vec(any::<u8>(), 0..200),
        any::<bool>(),
    );
    (proptest::collection::vec(part, 1..5), any::<bool>())
}

proptest! {
    #[test]
    fn messages_are_what_was_sent(
        messages in proptest::collection::vec(opcodes(), 0..6),
        key in any::<Option<[u8; 4]>>(),
        cuts in proptest::collection::vec(1_usize..64, 1..20),
    ) {
        let from = if key.is_some() { From::Client } else { From::Server };
        let (mut stream, mut sent) = (Vec::new(), Vec::new());
        for (parts, ping) in &messages {
            let mut whole = Vec::new();
            for (at, (part, pinged)) in parts.iter().enumerate() {
                let opcode = if at == 0 { Opcode::Binary } else { Opcode::Continuation };
                frame(&mut stream, at + 1 == parts.len(), opcode, key, part);
                whole.extend_from_slice(part);
                if *ping && *pinged && at + 1 < parts.len() {
                    frame(&mut stream, true, Opcode::Ping, key, b"?");
                    sent.push(unit(Opcode::Ping, b"?"));
                }
            }
            sent.push((Opcode::Binary, whole));
        }
        let (mut chunks, mut rest) = (Vec::new(), &stream[..]);
        for length in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at(rest.len().min(*length));
            chunks.push(chunk);
            rest = after;
        }
        let said = read(from, ALL, chunks);
        prop_assert_eq!(said.fault, None);
        prop_assert_eq!(&said.units, &sent);
        prop_assert_eq!(&said.raw, &stream);
    }

    #[test]
    fn any_bytes_say_the_same_however_they_are_cut(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        websocket(&data);
    }
}
