//! Streams, cut at every byte.

use bytes::Bytes;
use weir_protocols::aws::event_stream::{Decoder, MAX_MESSAGE, Value, encode};
use weir_protocols::bedrock::stream::Reader;
use weir_protocols::llm::error::Kind;
use weir_protocols::llm::{Event, Finish, Usage};

/// A transcript as the bytes of a stream. Its lines are the type of a message, the type of its
/// event or exception, and its payload.
fn frames(transcript: &str) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in transcript.lines() {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().expect("three words");
        let (sort, name, payload) = (word(), word(), word());
        let headers = [
            (&*format!(":{sort}-type"), Value::Text(name)),
            (":content-type", Value::Text("application/json")),
            (":message-type", Value::Text(sort)),
        ];
        stream.extend(encode(&headers, payload.as_bytes()).expect("it fits"));
    }
    stream
}

/// What a stream says that arrives in these pieces, as text, and whether it ended as it should.
fn read<'s>(pieces: impl IntoIterator<Item = &'s [u8]>) -> (Vec<String>, bool) {
    let mut decoder = Decoder::new(MAX_MESSAGE);
    let mut reader = Reader::new("seed");
    let mut told = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        while let Some(message) = decoder.next_message().expect("sound frames") {
            reader
                .read_message(&message, &mut |event| told.push(format!("{event:?}")))
                .expect("sound events");
        }
    }
    (told, reader.is_complete() && decoder.is_between())
}

fn check(transcript: &str, expected: &[Event<'_>], complete: bool) {
    let stream = frames(transcript);
    let expected: Vec<_> = expected.iter().map(|event| format!("{event:?}")).collect();
    let whole = read([&stream[..]]);
    assert_eq!(whole, (expected, complete));
    for cut in 0..=stream.len() {
        assert_eq!(
            read([&stream[..cut], &stream[cut..]]),
            whole,
            "cut at {cut}"
        );
    }
    assert_eq!(read(stream.chunks(1)), whole);
}

const BEGIN: Event<'_> = Event::Begin {
    id: None,
    model: None,
    created: None,
};

fn text(text: &str) -> Event<'_> {
    Event::Text {
        choice: 0,
        text: text.into(),
    }
}

fn call<'a>(index: u64, id: &'a str, name: &'a str) -> Event<'a> {
    Event::Call {
        choice: 0,
        index,
        id: id.into(),
        name: name.into(),
        signature: None,
    }
}

fn arguments(index: u64, json: &str) -> Event<'_> {
    Event::Arguments {
        choice: 0,
        index,
        json: json.into(),
    }
}

const fn finish(reason: Finish) -> Event<'static> {
    Event::Finish {
        choice: 0,
        reason,
        stopped_at: None,
    }
}

#[test]
fn text_and_usage() {
    check(
        include_str!("../golden/bedrock/text.events"),
        &[
            BEGIN,
            text("The weir "),
            text("holds \"b\u{e4}ck\".\n"),
            finish(Finish::Stop),
            Event::Usage(Usage::new(12, 9)),
            Event::End,
        ],
        true,
    );
}

#[test]
fn parallel_calls_are_numbered_as_they_come() {
    let usage = Usage {
        cached: Some(0),
        cache_written: Some(0),
        ..Usage::new(40, 31)
    };
    check(
        include_str!("../golden/bedrock/tools.events"),
        &[
            BEGIN,
            text("I will look."),
            call(0, "tooluse_aB-1", "weather"),
            arguments(0, "{\"city\":"),
            arguments(0, " \"Z\u{fc}rich\"}"),
            call(1, "tooluse_aB-2", "time"),
            call(2, "call_seed_2", "nameless"),
            arguments(2, "{}"),
            finish(Finish::ToolCalls),
            Event::Usage(usage),
            Event::End,
        ],
        true,
    );
}

#[test]
fn reasoning_its_signature_and_a_cached_prompt() {
    let reasoning = |text: &'static str| Event::Reasoning {
        choice: 0,
        text: text.into(),
    };
    check(
        include_str!("../golden/bedrock/reasoning.events"),
        &[
            BEGIN,
            reasoning("Two and two"),
            reasoning(" make four."),
            Event::Signature {
                choice: 0,
                signature: "EqQBCkgIARAB+/==".into(),
            },
            Event::Redacted {
                choice: 0,
                data: "RW5jcnlwdGVk".into(),
            },
            text("Four"),
            Event::Finish {
                choice: 0,
                reason: Finish::StopSequence,
                stopped_at: Some(".".into()),
            },
            Event::Usage(Usage {
                input: 1503,
                output: 20,
                total: 1523,
                cached: Some(1000),
                cache_written: Some(500),
                reasoning: None,
            }),
            Event::End,
        ],
        true,
    );
}

#[test]
fn a_guardrail_holds_back() {
    check(
        include_str!("../golden/bedrock/filtered.events"),
        &[
            BEGIN,
            text("Sorry, the model cannot answer this."),
            finish(Finish::Filtered),
            Event::Usage(Usage::new(0, 0)),
            Event::End,
        ],
        true,
    );
}

#[test]
fn a_failure_amid_the_stream_ends_it() {
    check(
        include_str!("../golden/bedrock/overloaded.events"),
        &[
            BEGIN,
            text("The wei"),
            Event::Failed(weir_protocols::llm::Error {
                kind: Kind::Overloaded,
                message: "Bedrock is unable to process your request.".into(),
                param: None,
                code: Some("serviceUnavailableException".into()),
            }),
        ],
        false,
    );
}

#[test]
fn what_is_not_known_is_passed_over() {
    check(
        include_str!("../golden/bedrock/unknown.events"),
        &[BEGIN, finish(Finish::Other), Event::End],
        true,
    );
}

#[test]
fn a_stream_is_complete_once_the_message_stopped() {
    let transcript = include_str!("../golden/bedrock/tools.events");
    let lines = transcript.lines().count();
    for kept in 0..=lines {
        let part: Vec<_> = transcript.lines().take(kept).collect();
        let (_, complete) = read([&frames(&part.join("\n"))[..]]);
        // The last but one stops the message, the last says what it used.
        assert_eq!(complete, kept + 1 >= lines, "{kept} of {lines}");
    }
}

#[test]
fn every_exception_has_its_kind() {
    for (name, payload, kind) in [
        ("throttlingException", "{}", Kind::RateLimited),
        ("internalServerException", "{}", Kind::Internal),
        ("serviceUnavailableException", "{}", Kind::Overloaded),
        ("validationException", "{}", Kind::InvalidRequest),
        ("modelTimeoutException", "{}", Kind::Timeout),
        ("modelStreamErrorException", "{}", Kind::Internal),
        (
            "modelStreamErrorException",
            r#"{"originalStatusCode":429,"originalMessage":"x"}"#,
            Kind::RateLimited,
        ),
        ("somethingNewException", "no JSON", Kind::Internal),
    ] {
        let stream = frames(&format!("exception {name} {payload}"));
        let mut decoder = Decoder::new(MAX_MESSAGE);
        decoder.feed(stream.into());
        let message = decoder.next_message().unwrap().expect("a whole frame");
        let mut kinds = Vec::new();
        let mut each = |event: Event<'_>| match event {
            Event::Failed(error) => kinds.push(error.kind),
            other => panic!("{other:?}"),
        };
        Reader::new("s").read_message(&message, &mut each).unwrap();
        Reader::new("s")
            .read(name, &message.payload, &mut each)
            .unwrap();
        assert_eq!(kinds, [kind, kind], "{name}");
    }
    let headers = [
        (":message-type", Value::Text("error")),
        (":error-code", Value::Text("InternalFailure")),
        (":error-message", Value::Text("It broke.")),
    ];
    let (told, complete) = read([&encode(&headers, b"").expect("it fits")[..]]);
    assert!(!complete && told[0].contains("Internal") && told[0].contains("It broke."));
}

#[test]
fn events_out_of_place_are_malformed() {
    let input = r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}"#;
    let start = r#"{"contentBlockIndex":0,"start":{"toolUse":{"name":"f","toolUseId":"1"}}}"#;
    let stop = r#"{"stopReason":"end_turn"}"#;
    let events: [&[(&str, &str)]; 8] = [
        &[("contentBlockDelta", input)],
        &[("contentBlockStart", start), ("contentBlockStart", start)],
        &[
            ("contentBlockStart", start),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
            ("contentBlockDelta", input),
        ],
        &[
            ("messageStop", stop),
            ("contentBlockDelta", r#"{"contentBlockIndex":0}"#),
        ],
        &[("messageStop", stop), ("messageStop", stop)],
        &[("messageStop", "{}")],
        &[("contentBlockDelta", "SECRET")],
        &[("metadata", r#"{"usage":{"inputTokens":-1}}"#)],
    ];
    for events in events {
        let mut reader = Reader::new("s");
        let mut last = Ok(());
        for (name, payload) in events {
            assert_eq!(last, Ok(()), "only the last is out of place");
            last = reader.read(name, payload.as_bytes(), &mut |_| {});
        }
        let malformed = last.expect_err("it is out of place");
        assert!(!malformed.why.contains("SECRET"), "{malformed}");
    }
    // Blocks that never stop do not fill the memory.
    let mut reader = Reader::new("s");
    let opened = (0..1000).take_while(|at| {
        let start = start.replacen('0', &at.to_string(), 1);
        let read = reader.read("contentBlockStart", start.as_bytes(), &mut |_| {});
        read.is_ok()
    });
    assert_eq!(opened.count(), 64);
}
