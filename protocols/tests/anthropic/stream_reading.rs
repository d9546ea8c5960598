//! Streams as the API reference shows them, read through the splitter cut at every byte.

use bytes::Bytes;
use weir_protocols::anthropic::stream::Reader;
use weir_protocols::llm::error::Kind;
use weir_protocols::llm::{Error, Event, Finish, Usage};
use weir_protocols::sse::Splitter;

use crate::events::{arguments, begin, cached, call, finish, text, thought, used};

/// Every event as it prints, and whether the stream is complete.
fn read(chunks: [Bytes; 2]) -> (Vec<String>, bool) {
    let mut splitter = Splitter::new(64 * 1024);
    let mut reader = Reader::new("seed");
    let mut events = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk);
        while let Some(event) = splitter.next_event().expect("within the limit") {
            let data = event.data();
            let told = reader.read((event.name(), &data), &mut |event| {
                events.push(format!("{event:?}"));
            });
            told.expect("well formed");
        }
    }
    (events, reader.is_complete())
}

fn check(transcript: &'static str, expected: &[Event<'_>], complete: bool) {
    let expected: Vec<_> = expected.iter().map(|event| format!("{event:?}")).collect();
    let transcript = Bytes::from_static(transcript.as_bytes());
    for cut in 0..=transcript.len() {
        let halves = [transcript.slice(..cut), transcript.slice(cut..)];
        let (events, is_complete) = read(halves);
        assert_eq!(events, expected, "cut at {cut}");
        assert_eq!(is_complete, complete, "cut at {cut}");
    }
}

#[test]
fn text_with_a_cache_a_ping_and_a_comment() {
    check(
        include_str!("../golden/anthropic/text.sse"),
        &[
            begin("msg_01TextAbc", "claude-sonnet-4-5-20250929"),
            cached(1),
            Event::Ping,
            text("A weir "),
            text("\"holds\"\nb\u{e4}ck."),
            Event::Finish {
                choice: 0,
                reason: Finish::StopSequence,
                stopped_at: Some("###".into()),
            },
            cached(15),
            Event::End,
        ],
        true,
    );
}

#[test]
fn parallel_calls_with_crlf_and_data_on_several_lines() {
    check(
        include_str!("../golden/anthropic/tools_crlf.sse"),
        &[
            begin("msg_01Tools", "claude-opus-4-6"),
            used(472, 2),
            text("Both."),
            call(0, "toolu_01A", "level"),
            arguments(0, "{\"river\": \"Is"),
            arguments(0, "ar\"}"),
            call(1, "toolu_01B", "time"),
            arguments(1, "{}"),
            finish(Finish::ToolCalls),
            used(472, 89),
            Event::End,
        ],
        true,
    );
}

#[test]
fn thoughts_with_their_proof() {
    let usage = Usage {
        cached: Some(0),
        cache_written: Some(0),
        reasoning: Some(58),
        ..Usage::new(10, 64)
    };
    check(
        include_str!("../golden/anthropic/thinking.sse"),
        &[
            begin("msg_01Think", "claude-sonnet-4-6"),
            used(10, 1),
            thought("First, "),
            thought("27 * 453."),
            Event::Signature {
                choice: 0,
                signature: "EqQBCgIYAhIM1gbc".into(),
            },
            Event::Redacted {
                choice: 0,
                data: "EmwKAhgBEgy3va3p".into(),
            },
            text("12231"),
            finish(Finish::Length),
            Event::Usage(usage),
            Event::End,
        ],
        true,
    );
}

#[test]
fn a_refusal_before_any_word() {
    check(
        include_str!("../golden/anthropic/refusal.sse"),
        &[
            begin("msg_01No", "claude-opus-5"),
            used(30, 1),
            Event::Refusal {
                choice: 0,
                text: "This may do harm.".into(),
            },
            finish(Finish::Refusal),
            used(30, 3),
            Event::End,
        ],
        true,
    );
}

#[test]
fn overload_amid_the_stream_is_no_end() {
    check(
        include_str!("../golden/anthropic/overloaded.sse"),
        &[
            begin("msg_01Over", "claude-sonnet-4-5"),
            used(30, 1),
            text("Half a"),
            Event::Failed(Error {
                kind: Kind::Overloaded,
                message: "Overloaded".into(),
                param: None,
                code: None,
            }),
        ],
        false,
    );
}

#[test]
fn server_tools_and_what_is_new_are_passed_over() {
    check(
        include_str!("../golden/anthropic/server_tool.sse"),
        &[
            begin("msg_01Srv", "claude-sonnet-4-5"),
            used(30, 1),
            text("Found."),
            finish(Finish::Paused),
            used(30, 9),
            Event::End,
        ],
        true,
    );
}

#[test]
fn what_cannot_be_is_malformed_and_a_cut_is_no_end() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","usage":{}}}"#;
    for (events, why) in [
        (&["{"][..], "too early"),
        (&["[DONE]"], "not JSON"),
        (&[r#"{"type":"message_stop"}"#], "does not begin"),
        (&[start, start], "second message"),
        (&[start, r#"{"type":"message_stop"}"#], "without saying why"),
        (&[start, r#"{"type":"content_block_start"}"#], "lacks"),
        (
            &[
                start,
                r#"{"type":"message_delta","usage":{"output_tokens":-1}}"#,
            ],
            "another shape",
        ),
    ] {
        let mut reader = Reader::new("s");
        let mut last = Ok(());
        for data in events {
            last = reader.read((None, data.as_bytes()), &mut |_| {});
        }
        let malformed = last.expect_err("it cannot be");
        assert!(malformed.why.contains(why), "{malformed}");
        assert!(!reader.is_complete());
    }
    let mut reader = Reader::new("s");
    let named = (Some(&b"message_start"[..]), &br#"{"message":{}}"#[..]);
    let mut events = 0;
    let read = reader.read(named, &mut |_| events += 1);
    assert_eq!((read, events), (Ok(()), 1), "the event's name will do");
}
