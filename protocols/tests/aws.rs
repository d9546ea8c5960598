//! AWS's wire formats against what AWS publishes of them: signatures against its vectors, frames
//! against its examples, byte by byte.

use bytes::Bytes;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use weir_protocols::aws::event_stream::{
    Decoder, Fault, Kind, MAX_MESSAGE, Message, Value, encode,
};
use weir_protocols::aws::sigv4::{self, Credentials, Key, Request, Stale};

/// 2015-08-30T12:36:00Z.
const NOW: u64 = 1_440_938_160;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn credentials(session_token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: session_token.map(str::to_owned),
    }
}

fn key() -> Key {
    Key::derive(SECRET, NOW, "us-east-1", "service")
}

#[test]
fn published_vectors_give_their_signatures() {
    let credentials = credentials(None);
    let lines = include_str!("golden/aws/sigv4.txt").lines();
    let mut vectors = 0;
    for line in lines.filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split('|').collect();
        let [name, method, target, headers, body, signed, signature] = fields[..] else {
            panic!("seven fields: {line}");
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: Vec<_> = headers
            .split(";;")
            .filter_map(|header| header.split_once(':'))
            .collect();
        let request = Request {
            method,
            host: "example.amazonaws.com",
            path,
            query,
            headers: &headers,
            body_sha256: &Sha256::digest(body).into(),
            hash_header: false,
        };
        let got = sigv4::sign(&request, &credentials, &key(), NOW).expect("of the same day");
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={signed}, Signature={signature}"
        );
        assert_eq!(got.authorization, expected, "{name}");
        assert_eq!(got.date, "20150830T123600Z");
        vectors += 1;
    }
    assert_eq!(vectors, 22);
}

#[test]
fn a_session_token_and_the_bodys_hash_are_signed_and_sent() {
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let credentials = credentials(Some(token));
    let empty = Sha256::digest(b"").into();
    let mut request = Request {
        method: "GET",
        host: "example.amazonaws.com",
        path: "/",
        query: "",
        headers: &[],
        body_sha256: &empty,
        hash_header: false,
    };
    let signed = sigv4::sign(&request, &credentials, &key(), NOW).expect("of the same day");
    // A published vector: get-vanilla-with-session-token.
    assert!(signed.authorization.ends_with(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, \
         Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    ));
    request.hash_header = true;
    let signed = sigv4::sign(&request, &credentials, &key(), NOW).expect("of the same day");
    assert!(
        signed
            .authorization
            .contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,")
    );
    let sent: Vec<_> = signed.headers().map(|(name, _)| name).collect();
    assert_eq!(
        sent,
        [
            "authorization",
            "x-amz-date",
            "x-amz-content-sha256",
            "x-amz-security-token"
        ]
    );
    assert_eq!(
        signed.content_sha256.as_deref(),
        Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
}

#[test]
fn a_key_is_good_for_its_day_only_and_secrets_are_not_printed() {
    let body = Sha256::digest(b"").into();
    let request = Request {
        method: "POST",
        host: "bedrock-runtime.us-east-1.amazonaws.com",
        path: "/model/a%3A0/converse",
        query: "",
        headers: &[("content-type", "application/json")],
        body_sha256: &body,
        hash_header: true,
    };
    let credentials = credentials(Some("TOKEN"));
    let midnight = NOW - NOW % 86_400;
    for (now, good) in [
        (midnight - 1, false),
        (midnight, true),
        (midnight + 86_399, true),
        (midnight + 86_400, false),
    ] {
        assert_eq!(key().is_of(now), good);
        let signed = sigv4::sign(&request, &credentials, &key(), now);
        assert_eq!(signed.err(), (!good).then_some(Stale));
    }
    let signed = sigv4::sign(&request, &credentials, &key(), NOW).expect("of the same day");
    let printed = format!("{signed:?} {credentials:?} {:?}", key());
    for secret in [SECRET, "TOKEN", "Signature="] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

/// The signature was computed apart from this code, from AWS's description.
#[test]
fn a_path_is_encoded_once_more_than_it_goes_out() {
    let path = weir_protocols::bedrock::path("us.anthropic.claude-3-haiku-20240307-v1:0", true);
    let request = Request {
        method: "POST",
        host: "bedrock-runtime.us-east-1.amazonaws.com",
        path: &path,
        query: "",
        headers: &[("Content-Type", "application/json")],
        body_sha256: &Sha256::digest(b"{}").into(),
        hash_header: true,
    };
    let key = Key::derive(SECRET, NOW, "us-east-1", weir_protocols::bedrock::SERVICE);
    let credentials = credentials(None);
    let signed = sigv4::sign(&request, &credentials, &key, NOW).expect("of the same day");
    let signature = signed.authorization.rsplit('=').next();
    assert_eq!(
        signature,
        Some("41a7e5e175e113149902eca27a8d69d955f4e22ce01ecea097d8d8c5ea0b9aec")
    );
}

/// The bytes of a frame in hexadecimal digits, its headers, and its payload.
type Frame = (
    &'static str,
    &'static [(&'static str, Value<'static>)],
    &'static [u8],
);

/// Frames as AWS publishes them.
const FRAMES: [Frame; 4] = [
    ("000000100000000005c248eb7d98c8ff", &[], b""),
    (
        "0000002d0000001041c424b80a6576656e742d74797065040000a00c7b27666f6f273a27626172277d36f480a0",
        &[("event-type", Value::Int(40_972))],
        b"{'foo':'bar'}",
    ),
    (
        "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936",
        &[],
        b"{'foo':'bar'}",
    ),
    (
        "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e\
         7b27666f6f273a27626172277d8d9c08b1",
        &[("content-type", Value::Text("application/json"))],
        b"{'foo':'bar'}",
    ),
];

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).expect("a digit") as u8;
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| digit(&pair[0]) << 4 | digit(&pair[1]))
        .collect()
}

/// All messages of a stream that arrives in these pieces, and how it ended.
fn decode<'a>(
    max: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Message>, Result<bool, Fault>) {
    let mut decoder = Decoder::new(max);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(fault) => {
                    assert_eq!(decoder.next_message(), Err(fault));
                    assert!(!decoder.is_between());
                    return (messages, Err(fault));
                }
            }
        }
    }
    (messages, Ok(decoder.is_between()))
}

#[test]
fn published_frames_are_read_and_written() {
    for (hex, headers, payload) in FRAMES {
        let bytes = unhex(hex);
        assert_eq!(encode(headers, payload).as_ref(), Some(&bytes));
        let (messages, between) = decode(MAX_MESSAGE, [&bytes[..]]);
        assert_eq!(between, Ok(true));
        assert_eq!(messages.len(), 1);
        assert!(messages[0].headers().eq(headers.iter().copied()));
        assert_eq!(messages[0].payload, payload);
        assert_eq!(messages[0].raw, bytes);
    }
}

#[test]
fn where_a_stream_is_cut_does_not_matter() {
    let stream: Vec<u8> = FRAMES.iter().flat_map(|(hex, ..)| unhex(hex)).collect();
    let whole = decode(MAX_MESSAGE, [&stream[..]]);
    assert_eq!((whole.0.len(), whole.1), (4, Ok(true)));
    for cut in 0..=stream.len() {
        let halves = [&stream[..cut], &stream[cut..]];
        assert_eq!(decode(MAX_MESSAGE, halves), whole, "cut at {cut}");
        let (_, between) = decode(MAX_MESSAGE, [&stream[..cut]]);
        assert_eq!(between, Ok([0, 16, 61, 90, 151].contains(&cut)), "{cut}");
    }
    assert_eq!(decode(MAX_MESSAGE, stream.chunks(1)), whole);
}

#[test]
fn every_flipped_bit_is_seen() {
    let good = unhex(FRAMES[3].0);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let (messages, end) = decode(MAX_MESSAGE, [&bad[..]]);
        let fault = match bit / 8 {
            ..12 => Fault::Prelude,
            _ => Fault::Checksum,
        };
        assert_eq!((messages.len(), end), (0, Err(fault)), "bit {bit}");
        assert_eq!(decode(MAX_MESSAGE, bad.chunks(1)).1, Err(fault));
    }
}

/// A frame whose checksums are right, whatever its lengths and headers say.
fn forge(total: u32, headers: u32, rest: &[u8]) -> Vec<u8> {
    let mut frame = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(rest);
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}

#[test]
fn frames_that_contradict_themselves_are_refused() {
    for (frame, fault) in [
        (forge(15, 0, b""), Fault::Lengths),
        (forge(0, 0, b""), Fault::Lengths),
        (forge(16, 1, b""), Fault::Lengths),
        (forge(17, u32::MAX, b"x"), Fault::Lengths),
        (forge(u32::MAX, 0, b""), Fault::TooLong(1024)),
        (forge(1025, 0, b""), Fault::TooLong(1024)),
        // A name without end, no name, an unknown type, a value without end, no UTF-8.
        (forge(17, 1, b"\x05"), Fault::Headers),
        (forge(18, 2, b"\x00\x00"), Fault::Headers),
        (forge(19, 3, b"\x01a\x0a"), Fault::Headers),
        (forge(21, 5, b"\x01a\x07\x00\x09"), Fault::Headers),
        (forge(19, 3, b"\x01\xff\x00"), Fault::Headers),
    ] {
        let whole = decode(1024, [&frame[..]]);
        assert_eq!(whole, (Vec::new(), Err(fault)));
        assert_eq!(decode(1024, frame.chunks(1)), whole);
    }
    let longest = encode(&[], &[b'x'; 1008]).expect("it fits");
    assert_eq!(decode(1024, longest.chunks(100)).0.len(), 1);
    let too_long = [b'x'; 65_536];
    assert_eq!(encode(&[("", Value::Bool(true))], b""), None);
    assert_eq!(encode(&[("a", Value::Bytes(&too_long))], b""), None);
}

#[test]
fn messages_say_what_they_are() {
    let kind = |headers: &[(&str, Value<'_>)], expected: Kind<'_>| {
        let frame = encode(headers, b"{}").expect("it fits");
        let (messages, _) = decode(MAX_MESSAGE, [&frame[..]]);
        assert_eq!(messages[0].kind(), expected);
    };
    let text = Value::Text;
    kind(
        &[
            (":event-type", text("messageStart")),
            (":message-type", text("event")),
        ],
        Kind::Event("messageStart"),
    );
    kind(
        &[
            (":message-type", text("exception")),
            (":exception-type", text("throttlingException")),
        ],
        Kind::Exception("throttlingException"),
    );
    kind(
        &[
            (":message-type", text("error")),
            (":error-code", text("500")),
        ],
        Kind::Error {
            code: "500",
            message: "",
        },
    );
    kind(&[(":message-type", text("event"))], Kind::Other);
    kind(&[(":message-type", Value::Int(1))], Kind::Other);
    kind(&[], Kind::Other);
}

fn value() -> impl Strategy<Value = (u8, i64, Vec<u8>, String)> {
    (0..9_u8, any::<i64>(), any::<Vec<u8>>(), ".{0,20}")
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        headers in proptest::collection::vec(("[a-z:-]{1,20}", value()), 0..8),
        payload in any::<Vec<u8>>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let headers: Vec<_> = headers.iter().map(|(name, (sort, number, bytes, text))| {
            let value = match sort {
                0 => Value::Bool(*number > 0),
                1 => Value::Byte(*number as i8),
                2 => Value::Short(*number as i16),
                3 => Value::Int(*number as i32),
                4 => Value::Long(*number),
                5 => Value::Bytes(bytes),
                6 => Value::Text(text),
                7 => Value::Timestamp(*number),
                _ => Value::Uuid([*number as u8; 16]),
            };
            (name.as_str(), value)
        }).collect();
        let frame = encode(&headers, &payload).expect("it fits");
        let (start, end) = frame.split_at(cut.index(frame.len() + 1));
        let (messages, between) = decode(MAX_MESSAGE, [start, end]);
        prop_assert_eq!(between, Ok(true));
        prop_assert!(messages[0].headers().eq(headers.iter().copied()));
        prop_assert_eq!(&messages[0].payload[..], &payload[..]);
    }
}
