//! What must hold for any bytes whatsoever of AWS Bedrock's dialect and of the frames it comes in.

use bytes::Bytes;
use weir_protocols::aws::event_stream::{Decoder, Fault, Message, Value, encode};
use weir_protocols::aws::sigv4::{Credentials, Key, Request as Signing, sign};
use weir_protocols::bedrock::stream::Reader;
use weir_protocols::bedrock::{answer, error, path, request};
use weir_protocols::llm::{Event, Message as Turn, Part, Request, Role};

/// Frames, events, answers, errors, and what becomes of an answer that is sent back.
pub fn bedrock(data: &[u8]) {
    frames(data);
    events(data);
    answers(data);
    signatures(data);
}

/// Messages do not depend on how a stream arrives, and those of sound frames are what was framed.
fn frames(data: &[u8]) {
    let whole = decode([Bytes::copy_from_slice(data)]);
    let dripped = decode(data.iter().map(|byte| Bytes::copy_from_slice(&[*byte])));
    assert_eq!(dripped, whole);
    let raw = whole.0.iter().flat_map(|message| message.raw.iter());
    assert!(raw.zip(data).all(|(raw, byte)| raw == byte));
    for message in &whole.0 {
        let headers: Vec<_> = message.headers().collect();
        let again = encode(&headers, &message.payload).expect("it was a frame");
        assert_eq!(again, message.raw);
    }
}

fn decode(chunks: impl IntoIterator<Item = Bytes>) -> (Vec<Message>, Result<bool, Fault>) {
    let mut decoder = Decoder::new(4096);
    let mut messages = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(fault) => return (messages, Err(fault)),
            }
        }
    }
    (messages, Ok(decoder.is_between()))
}

/// Each line is the payload of an event, whose type its first byte picks. A stream begins once,
/// numbers its calls without gaps, and nothing follows its end.
fn events(data: &[u8]) {
    const TYPES: [&str; 8] = [
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
        "throttlingException",
        "somethingNew",
    ];
    let mut reader = Reader::new("seed");
    let (mut begun, mut over, mut calls) = (false, false, 0);
    for line in data.split(|byte| *byte == b'\n') {
        let Some((first, payload)) = line.split_first() else {
            continue;
        };
        let name = TYPES[usize::from(*first) % TYPES.len()];
        let headers = [
            (":message-type", Value::Text("event")),
            (":event-type", Value::Text(name)),
        ];
        let frame = encode(&headers, payload).expect("it fits");
        let mut decoder = Decoder::new(frame.len());
        decoder.feed(frame.into());
        let message = decoder.next_message().expect("it is sound");
        let message = message.expect("it is whole");
        let read = reader.read_message(&message, &mut |event| {
            assert!(!over, "something follows the end");
            match event {
                Event::Begin { .. } => assert!(!std::mem::replace(&mut begun, true)),
                Event::Call { index, .. } => {
                    assert_eq!(index, calls);
                    calls += 1;
                }
                Event::Arguments { index, .. } => assert!(index < calls),
                Event::Failed(_) | Event::End => over = true,
                _ => {}
            }
        });
        if read.is_err() {
            return;
        }
    }
}

/// An answer that is sent back in the next turn can be written, or is refused.
fn answers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    error::read(400, Some(&text), data);
    let Ok(answer) = answer::read(data, "seed") else {
        return;
    };
    let said = answer.choices.into_iter().flat_map(|choice| choice.parts);
    let said: Vec<_> = said.collect();
    let mut conversation = Request::new("anthropic.claude-sonnet-4-6");
    conversation.messages = vec![
        Turn {
            role: Role::User,
            name: None,
            parts: vec![Part::Text("Hello".into())],
        },
        Turn {
            role: Role::Assistant,
            name: None,
            parts: said,
        },
    ];
    if let Ok(written) = request::write(&conversation) {
        let body: serde_json::Value =
            serde_json::from_slice(&written.body).expect("what is written is JSON");
        assert!(body["messages"].is_array());
    }
}

/// Anything can be signed, and goes into headers as it is.
fn signatures(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (target, query) = text.split_once('?').unwrap_or((&text, ""));
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
    };
    for path in [target, &path(target, true)] {
        let request = Signing {
            method: "POST",
            host: "example.amazonaws.com",
            path,
            query,
            headers: &[("x-a", &text)],
            body_sha256: &[0; 32],
            hash_header: true,
        };
        let key = Key::derive("secret", 0, "us-east-1", "bedrock");
        let signed = sign(&request, &credentials, &key, 0).expect("of the same day");
        let mut values = signed.headers().map(|(_, value)| value);
        assert!(values.all(|value| value.is_ascii()));
    }
}
