//! Streams: transcripts read however they are cut, and what callers are sent.

use bytes::Bytes;
use weir_protocols::gemini::stream::{Reader, Writer};
use weir_protocols::llm::error::Kind;
use weir_protocols::llm::{Envelope, Event, Finish, Malformed, Usage};
use weir_protocols::sse::{Splitter, Tail};

const ENVELOPE: Envelope<'_> = Envelope {
    id: "abc",
    model: "asked",
    created: 7,
};

/// What was read: a line for each event, and whether the stream was whole.
type Told = (Vec<String>, bool);

fn read(chunks: impl IntoIterator<Item = Bytes>) -> Result<Told, Malformed> {
    let mut splitter = Splitter::new(64 * 1024);
    let mut reader = Reader::new("s");
    let mut told = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk);
        while let Some(event) = splitter.next_event().expect("within the limit") {
            if event.has_data() {
                let data = event.data();
                reader.read((event.name(), &data), &mut |event| {
                    told.push(format!("{event:?}"))
                })?;
            } else {
                reader.read_stray(&event.raw, &mut |event| told.push(format!("{event:?}")));
            }
        }
    }
    if let Tail::Unterminated(rest) = splitter.finish() {
        reader.read_stray(&rest, &mut |event| told.push(format!("{event:?}")));
    }
    Ok((told, reader.is_complete()))
}

/// Reads a transcript whole and cut at every byte, and holds both to `expected`.
fn check(transcript: &'static [u8], expected: &[Event<'_>], complete: bool) {
    let transcript = Bytes::from_static(transcript);
    let lines: Vec<String> = expected.iter().map(|event| format!("{event:?}")).collect();
    for cut in 0..=transcript.len() {
        let halves = [transcript.slice(..cut), transcript.slice(cut..)];
        assert_eq!(read(halves), Ok((lines.clone(), complete)), "cut at {cut}");
    }
}

fn begin(id: &'static str, model: &'static str) -> Event<'static> {
    Event::Begin {
        id: Some(id.into()),
        model: Some(model.into()),
        created: None,
    }
}

fn text(choice: u64, text: &'static str) -> Event<'static> {
    Event::Text {
        choice,
        text: text.into(),
    }
}

fn finish(choice: u64, reason: Finish) -> Event<'static> {
    Event::Finish {
        choice,
        reason,
        stopped_at: None,
    }
}

fn call(index: u64, id: &'static str, name: &'static str) -> Event<'static> {
    Event::Call {
        choice: 0,
        index,
        id: id.into(),
        name: name.into(),
        signature: None,
    }
}

fn arguments(index: u64, json: &'static str) -> Event<'static> {
    Event::Arguments {
        choice: 0,
        index,
        json: json.into(),
    }
}

#[test]
fn text_with_usage() {
    let used = |output, cached| {
        Event::Usage(Usage {
            cached,
            ..Usage::new(14, output)
        })
    };
    check(
        include_bytes!("../golden/gemini/text.sse"),
        &[
            begin("r-1", "gemini-2.5-flash"),
            text(0, "The  weir "),
            used(0, None),
            text(0, "holds \"water\" b\u{e4}ck\n\u{2028}."),
            used(6, None),
            finish(0, Finish::Stop),
            used(7, Some(8)),
        ],
        true,
    );
}

#[test]
fn thoughts_and_parallel_calls() {
    let thinks = |text: &'static str| Event::Reasoning {
        choice: 0,
        text: text.into(),
    };
    let signed = Event::Call {
        choice: 0,
        index: 0,
        id: "fc-1".into(),
        name: "find".into(),
        signature: Some("CsQB0e+/AA==".into()),
    };
    check(
        include_bytes!("../golden/gemini/tools_crlf.sse"),
        &[
            begin("r-2", "gemini-3-pro-preview"),
            thinks("**Looking"),
            thinks(" it up**"),
            signed,
            arguments(0, r#"{"q": "weir", "n": [1, 2.5]}"#),
            call(1, "call_s_1", "find"),
            arguments(1, "{}"),
            call(2, "call_s_2", "now"),
            arguments(2, "{}"),
            finish(0, Finish::ToolCalls),
            Event::Usage(Usage {
                reasoning: Some(100),
                total: 220,
                ..Usage::new(90, 130)
            }),
        ],
        true,
    );
}

#[test]
fn several_candidates() {
    let none = Event::Begin {
        id: None,
        model: None,
        created: None,
    };
    check(
        include_bytes!("../golden/gemini/candidates_multiline.sse"),
        &[
            none,
            text(0, "a"),
            text(1, "b"),
            text(1, "c"),
            finish(1, Finish::Length),
            finish(0, Finish::Filtered),
            Event::Usage(Usage::new(3, 4)),
        ],
        true,
    );
}

#[test]
fn what_is_held_back() {
    let begun = || begin("r-1", "gemini-2.5-flash");
    check(
        include_bytes!("../golden/gemini/blocked.sse"),
        &[
            begun(),
            finish(0, Finish::Filtered),
            Event::Usage(Usage::new(9, 0)),
        ],
        true,
    );
    check(
        include_bytes!("../golden/gemini/safety.sse"),
        &[begun(), text(0, "I "), finish(0, Finish::Filtered)],
        true,
    );
    check(
        include_bytes!("../golden/gemini/malformed_call.sse"),
        &[begun(), finish(0, Finish::MalformedCall)],
        true,
    );
}

#[test]
fn a_provider_that_fails_amid_the_stream() {
    let failed = Event::Failed(weir_protocols::llm::Error {
        kind: Kind::Overloaded,
        message: "The model is overloaded. Please try again later.".into(),
        param: None,
        code: Some("UNAVAILABLE".into()),
    });
    let expected = [begin("r-1", "gemini-2.5-flash"), text(0, "Okay"), failed];
    check(
        include_bytes!("../golden/gemini/overloaded.sse"),
        &expected,
        false,
    );
    check(
        include_bytes!("../golden/gemini/overloaded_stray.sse"),
        &expected,
        false,
    );
    check(
        include_bytes!("../golden/gemini/cut.sse"),
        &expected[..2],
        false,
    );
}

#[test]
fn what_is_no_stream_is_malformed() {
    for data in [
        "[DONE]",
        "{",
        r#"{"candidates":[{"finishReason":"STOP"},{"index":0,"content":{"parts":[{"text":"x"}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"inlineData":{}}]}}]}"#,
    ] {
        let event = Bytes::from(format!("data: {data}\n\n"));
        assert!(read([event]).is_err(), "{data}");
    }
    let many: Vec<String> = (0..65)
        .map(|index| format!(r#"{{"index":{index}}}"#))
        .collect();
    let event = format!("data: {{\"candidates\":[{}]}}\n\n", many.join(","));
    assert!(read([Bytes::from(event)]).is_err());
}

fn written(mut writer: Writer, events: &[Event<'_>]) -> String {
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    String::from_utf8(out).expect("it is text")
}

fn piece(parts: &str, rest: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"role":"model","parts":[{parts}]}},{rest},"modelVersion":"m","responseId":"r"}}"#
    )
}

fn conversation() -> Vec<Event<'static>> {
    vec![
        begin("r", "m"),
        Event::Ping,
        text(0, "Hi"),
        text(0, ""),
        call(0, "c0", "f"),
        arguments(0, "{\"a\""),
        arguments(0, ":1}"),
        call(1, "c1", "g"),
        finish(0, Finish::ToolCalls),
        Event::Usage(Usage::new(1, 2)),
        Event::End,
    ]
}

#[test]
fn calls_are_written_whole_and_the_end_last() {
    let hi = piece(r#"{"text":"Hi"}"#, r#""index":0}]"#);
    let call = |call: &str| piece(&format!(r#"{{"functionCall":{call}}}"#), r#""index":0}]"#);
    let (f, g) = (
        call(r#"{"id":"c0","name":"f","args":{"a":1}}"#),
        call(r#"{"id":"c1","name":"g","args":{}}"#),
    );
    let usage =
        r#","usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3}"#;
    let end = |usage: &str| {
        let rest = format!(r#""finishReason":"STOP","index":0}}]{usage}"#);
        piece(r#"{"text":""}"#, &rest)
    };
    let last = end(usage);
    assert_eq!(
        written(Writer::new(ENVELOPE, true), &conversation()),
        format!("\ndata: {hi}\n\ndata: {f}\n\ndata: {g}\n\ndata: {last}\n\n")
    );
    assert_eq!(
        written(Writer::array(ENVELOPE, false), &conversation()),
        format!("\n[{hi},\n{f},\n{g},\n{}]", end(""))
    );
    assert_eq!(written(Writer::array(ENVELOPE, true), &[Event::End]), "[]");
    assert_eq!(written(Writer::new(ENVELOPE, true), &[Event::End]), "");
}

#[test]
fn what_is_written_reads_back() {
    let events = conversation();
    let stream = written(Writer::new(ENVELOPE, true), &events);
    let (told, complete) = read([Bytes::from(stream)]).expect("a stream");
    let expected = [
        begin("r", "m"),
        text(0, "Hi"),
        call(0, "c0", "f"),
        arguments(0, "{\"a\":1}"),
        call(1, "c1", "g"),
        arguments(1, "{}"),
        finish(0, Finish::ToolCalls),
        Event::Usage(Usage::new(1, 2)),
    ];
    let lines: Vec<String> = expected.iter().map(|event| format!("{event:?}")).collect();
    assert_eq!((told, complete), (lines, true));
}

#[test]
fn a_stream_that_fails_never_ends_cleanly() {
    let failed = Event::Failed(weir_protocols::llm::Error {
        kind: Kind::RateLimited,
        message: "slow down".into(),
        param: None,
        code: None,
    });
    let error = r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#;
    let events = [failed, text(0, "x"), Event::End];
    let stream = written(Writer::new(ENVELOPE, true), &events);
    assert_eq!(stream, format!("data: {error}\n\n"));
    assert_eq!(
        written(Writer::array(ENVELOPE, true), &events),
        format!("[{error}]")
    );
}

#[test]
fn calls_that_cannot_be_joined_fail_the_stream() {
    let interleaved = [
        call(0, "a", "f"),
        call(1, "b", "g"),
        arguments(0, "{}"),
        Event::End,
    ];
    let stream = written(Writer::new(ENVELOPE, true), &interleaved);
    assert!(stream.contains(r#""status":"INTERNAL""#), "{stream}");
    assert!(!stream.contains("finishReason"), "{stream}");

    let mut writer = Writer::new(ENVELOPE, true);
    let mut out = Vec::new();
    writer.write(&call(0, "a", "f"), &mut out);
    let half = "x".repeat(600 * 1024);
    for _ in 0..2 {
        let json = half.as_str().into();
        let more = Event::Arguments {
            choice: 0,
            index: 0,
            json,
        };
        assert!(out.is_empty());
        writer.write(&more, &mut out);
    }
    assert!(out.starts_with(b"data: {\"error\":{\"code\":500"));
    assert!(out.len() < 1024);
}

#[test]
fn thoughts_of_others_are_carried() {
    let events = [
        Event::Reasoning {
            choice: 0,
            text: "hm".into(),
        },
        Event::Signature {
            choice: 0,
            signature: "ab+/".into(),
        },
        Event::Redacted {
            choice: 0,
            data: "cd-_".into(),
        },
        Event::Refusal {
            choice: 0,
            text: "no".into(),
        },
        finish(0, Finish::Stop),
        Event::End,
    ];
    let stream = written(Writer::new(ENVELOPE, true), &events);
    let (told, _) = read([Bytes::from(stream)]).expect("a stream");
    let mut expected: Vec<String> = events[..5].iter().map(|e| format!("{e:?}")).collect();
    expected[3] = format!("{:?}", text(0, "no"));
    assert_eq!(told[1..], expected[..]);
}
