//! Streams as the API publishes them, cut at every byte.

use bytes::Bytes;
use weir_protocols::llm::error::Kind;
use weir_protocols::llm::{Event, Finish, Usage};
use weir_protocols::openai::responses::usage;
use weir_protocols::sse::Splitter;

use crate::checks::{events, substance};

/// The events of a transcript, which do not depend on where it is cut.
fn read(transcript: &'static [u8]) -> Vec<Event<'static>> {
    let transcript = Bytes::from_static(transcript);
    let (whole, fault) = events([transcript.clone()]);
    assert_eq!(fault, None);
    for cut in 0..=transcript.len() {
        let halves = [transcript.slice(..cut), transcript.slice(cut..)];
        assert_eq!(events(halves).0, whole, "cut at {cut}");
    }
    whole
}

fn finish(events: &[Event<'_>]) -> Vec<Finish> {
    let reasons = events.iter().filter_map(|event| match event {
        Event::Finish { reason, .. } => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

fn failure<'e>(events: &'e [Event<'_>]) -> (Kind, Option<&'e str>, &'e str) {
    match events.last() {
        Some(Event::Failed(error)) => (error.kind, error.code.as_deref(), &error.message),
        other => panic!("it did not fail: {other:?}"),
    }
}

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../golden/responses/", $name))
    };
}

#[test]
fn text_comes_with_what_was_used() {
    let events = read(golden!("text.sse"));
    assert_eq!(
        substance(&events),
        ["text: The  weir holds \"usage\": b\u{e4}ck.\n"]
    );
    let [
        Event::Begin {
            id,
            model,
            created: None,
        },
        ..,
        Event::Finish { reason, .. },
        Event::Usage(used),
        Event::End,
    ] = &events[..]
    else {
        panic!("out of order: {events:?}");
    };
    assert_eq!(id.as_deref(), Some("resp_67c9fdcecf48"));
    assert_eq!(model.as_deref(), Some("gpt-5-2025-08-07"));
    assert_eq!(*reason, Finish::Stop);
    let expected = Usage {
        cached: Some(32),
        cache_written: Some(4),
        reasoning: Some(0),
        ..Usage::new(36, 87)
    };
    assert_eq!(*used, expected);
}

#[test]
fn usage_is_found_in_a_stream_that_passes_through() {
    let mut splitter = Splitter::new(1 << 16);
    splitter.feed(Bytes::from_static(golden!("text.sse")));
    let mut found = Vec::new();
    while let Some(event) = splitter.next_event().expect("short events") {
        found.extend(usage::of_event(&event.data()));
    }
    assert_eq!(
        found.iter().map(|usage| usage.total).collect::<Vec<_>>(),
        [123]
    );
}

#[test]
fn several_calls_keep_their_ids_and_arguments() {
    let events = read(golden!("tools_crlf.sse"));
    assert_eq!(
        substance(&events),
        [
            "text: Look both up.",
            "call: call_Abc find {\"q\":\"w\u{e9}ir\"}",
            "call: call_Def now {}",
        ]
    );
    assert_eq!(finish(&events), [Finish::ToolCalls]);
    assert!(events.contains(&Event::Ping));
    assert_eq!(events.last(), Some(&Event::End));
}

#[test]
fn thoughts_are_told_and_signed() {
    let events = read(golden!("reasoning.sse"));
    assert_eq!(
        substance(&events),
        [
            "reasoning: **Measuring**\n\nI look.\n\n**Answering**",
            "text: Four."
        ]
    );
    let signed = Event::Signature {
        choice: 0,
        signature: "gAAAAABsigned".into(),
    };
    assert_eq!(events.iter().filter(|event| **event == signed).count(), 1);
}

#[test]
fn what_ends_an_answer_is_told() {
    let refused = read(golden!("refusal.sse"));
    assert_eq!(
        substance(&refused),
        ["refusal: I can\u{2019}t help with that."]
    );
    assert_eq!(finish(&refused), [Finish::Refusal]);
    assert_eq!(finish(&read(golden!("length.sse"))), [Finish::Length]);
    assert_eq!(finish(&read(golden!("filtered.sse"))), [Finish::Filtered]);
}

#[test]
fn failures_are_no_ends() {
    let failed = read(golden!("failed.sse"));
    let message = "The model failed to generate a response.";
    assert_eq!(
        failure(&failed),
        (Kind::Internal, Some("server_error"), message)
    );
    let overloaded = read(golden!("overloaded.sse"));
    let message = "Our servers are currently overloaded.";
    let code = Some("server_is_overloaded");
    assert_eq!(failure(&overloaded), (Kind::Overloaded, code, message));
    let quota = read(golden!("quota.sse"));
    let message = "You exceeded your current quota.";
    assert_eq!(
        failure(&quota),
        (Kind::RateLimited, Some("insufficient_quota"), message)
    );
    assert_eq!(quota.len(), 1);
}

#[test]
fn data_over_several_lines_and_terse_servers_are_read() {
    let events = read(golden!("multiline.sse"));
    assert_eq!(substance(&events), ["text: Hi"]);
    assert_eq!(events.last(), Some(&Event::End));
    let terse = read(golden!("terse.sse"));
    assert_eq!(
        substance(&terse),
        [
            "call: call_s_0 now {\"zone\":\"UTC\"}",
            "call: call_2 later {}"
        ]
    );
    assert_eq!(finish(&terse), [Finish::ToolCalls]);
}

#[test]
fn what_is_no_event_is_malformed_and_says_nothing_of_what_it_says() {
    for (data, what) in [
        (
            r#"data: {"type":"response.output_text.delta","delta":"secret"#,
            "too early",
        ),
        ("data: [\"secret\"]", "no JSON object"),
        (
            r#"data: {"type":"response.function_call_arguments.delta","output_index":3,"delta":"secret"}"#,
            "never began",
        ),
        (
            r#"data: {"type":"response.completed","secret":1}"#,
            "no response",
        ),
    ] {
        let (_, fault) = events([Bytes::from(format!("{data}\n\n"))]);
        let why = fault.expect("it is malformed").why;
        assert!(why.contains(what) && !why.contains("secret"), "{why}");
    }
}

#[test]
fn an_event_says_that_an_answer_was_cut_short_though_its_response_does_not() {
    for (data, reason) in [
        (
            r#"{"type":"response.incomplete","response":{}}"#,
            Finish::Other,
        ),
        (
            r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#,
            Finish::Length,
        ),
        (
            r#"{"type":"response.completed","response":{"status":"incomplete"}}"#,
            Finish::Other,
        ),
    ] {
        let (events, fault) = events([Bytes::from(format!("data: {data}\n\n"))]);
        assert_eq!((finish(&events), fault), (vec![reason], None), "{data}");
    }
}
