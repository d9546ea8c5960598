//! Streams of our own: which events, in which order, saying what.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};
use weir_protocols::llm::error::Kind;
use weir_protocols::llm::{Envelope, Error, Event, Finish, Usage};
use weir_protocols::openai::responses::stream::{MOST, Writer};
use weir_protocols::sse::Splitter;

use crate::checks::events;

const ENVELOPE: Envelope<'static> = Envelope {
    id: "7f",
    model: "smart",
    created: 1_700_000_000,
};

/// What `events` become: each event's name, number and data.
fn written(events: &[Event<'_>]) -> Vec<(String, Value)> {
    let mut writer = Writer::new(&ENVELOPE);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    let mut splitter = Splitter::new(MOST * 8);
    splitter.feed(Bytes::from(out));
    let mut told = Vec::new();
    while let Some(event) = splitter.next_event().expect("no limit is reached") {
        if !event.has_data() {
            told.push((": comment".to_owned(), Value::Null));
            continue;
        }
        let name = String::from_utf8_lossy(event.name().expect("every event has a name"));
        let data: Value = serde_json::from_slice(&event.data()).expect("data is JSON");
        assert_eq!(data["type"], *name);
        let number = told.iter().filter(|(name, _)| name != ": comment").count();
        assert_eq!(data["sequence_number"], number);
        told.push((name.into_owned(), data));
    }
    told
}

fn names(told: &[(String, Value)]) -> Vec<&str> {
    told.iter()
        .map(|(name, _)| name.strip_prefix("response.").unwrap_or(name))
        .collect()
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text {
        choice: 0,
        text: text.into(),
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

fn ends(reason: Finish) -> Event<'static> {
    Event::Finish {
        choice: 0,
        reason,
        stopped_at: None,
    }
}

const BEGIN: Event<'static> = Event::Begin {
    id: None,
    model: None,
    created: None,
};

#[test]
fn a_message_is_begun_told_and_told_again() {
    let told = written(&[
        Event::Begin {
            id: Some("chatcmpl-1".into()),
            model: Some("gpt-4o".into()),
            created: None,
        },
        text(""),
        text("Hel"),
        Event::Ping,
        text("lo"),
        ends(Finish::Stop),
        Event::Usage(Usage {
            cached: Some(2),
            ..Usage::new(9, 3)
        }),
        Event::End,
    ]);
    assert_eq!(
        names(&told),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            ": comment",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    assert_eq!(told[0].1["response"]["status"], "in_progress");
    assert_eq!(told[0].1["response"]["output"], json!([]));
    let delta = json!({"type": "response.output_text.delta", "sequence_number": 4,
        "item_id": "msg_7f_0", "output_index": 0, "content_index": 0, "delta": "Hel",
        "logprobs": []});
    assert_eq!(told[4].1, delta);
    assert_eq!(told[7].1["text"], "Hello");
    let part = json!({"type": "output_text", "annotations": [], "logprobs": [], "text": "Hello"});
    assert_eq!(told[8].1["part"], part);
    let item = json!({"type": "message", "id": "msg_7f_0", "status": "completed",
        "role": "assistant", "content": [part]});
    assert_eq!(told[9].1["item"], item);
    let response = &told[10].1["response"];
    assert_eq!(response["output"], json!([item]));
    assert_eq!(
        (&response["id"], &response["model"]),
        (&json!("resp_7f"), &json!("gpt-4o"))
    );
    assert_eq!(response["status"], "completed");
    let usage = json!({"input_tokens": 9, "output_tokens": 3, "total_tokens": 12,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0}});
    assert_eq!(response["usage"], usage);
}

#[test]
fn calls_may_come_in_turns() {
    let told = written(&[
        BEGIN,
        text("Look."),
        call(0, "call_a", "find"),
        arguments(0, "{\"q\""),
        call(1, "call_b", "now"),
        arguments(1, "{}"),
        arguments(0, ":1}"),
        ends(Finish::ToolCalls),
        Event::End,
    ]);
    assert_eq!(
        names(&told)[8..],
        [
            "output_item.added",
            "function_call_arguments.delta",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    let output = &told.last().expect("it ended").1["response"]["output"];
    assert_eq!(
        output[1],
        json!({"type": "function_call", "id": "fc_7f_1", "status": "completed",
            "call_id": "call_a", "name": "find", "arguments": "{\"q\":1}"})
    );
    assert_eq!(
        (&output[2]["call_id"], &output[2]["arguments"]),
        (&json!("call_b"), &json!("{}"))
    );
}

#[test]
fn thoughts_become_a_summary_and_redacted_ones_an_item_without_one() {
    let thought = |text: &'static str| Event::Reasoning {
        choice: 0,
        text: text.into(),
    };
    let told = written(&[
        BEGIN,
        thought("I "),
        thought("look."),
        Event::Signature {
            choice: 0,
            signature: "sig".into(),
        },
        Event::Redacted {
            choice: 0,
            data: "hidden".into(),
        },
        text("Four."),
        Event::Refusal {
            choice: 0,
            text: "No more.".into(),
        },
        ends(Finish::Stop),
        Event::End,
    ]);
    assert_eq!(
        names(&told)[2..],
        [
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "refusal.delta",
            "refusal.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let output = &told.last().expect("it ended").1["response"]["output"];
    assert_eq!(
        output[0],
        json!({"type": "reasoning", "id": "rs_7f_0", "encrypted_content": "sig",
            "summary": [{"type": "summary_text", "text": "I look."}]})
    );
    assert_eq!(
        output[1],
        json!({"type": "reasoning", "id": "rs_redacted_7f_1", "summary": [],
            "encrypted_content": "hidden"})
    );
    assert_eq!(
        output[2]["content"][1],
        json!({"type": "refusal", "refusal": "No more."})
    );
}

#[test]
fn an_answer_cut_short_says_why() {
    for (reason, why) in [
        (Finish::Length, json!({"reason": "max_output_tokens"})),
        (Finish::Filtered, json!({"reason": "content_filter"})),
        (Finish::Other, json!({"reason": null})),
    ] {
        let told = written(&[BEGIN, text("Once"), ends(reason), Event::End]);
        let (name, last) = told.last().expect("it ended");
        assert_eq!(name, "response.incomplete");
        let response = &last["response"];
        assert_eq!(response["incomplete_details"], why);
        assert_eq!(response["output"][0]["status"], "incomplete");
        assert_eq!(response["usage"], Value::Null);
    }
}

fn overloaded() -> Error<'static> {
    Error {
        kind: Kind::Overloaded,
        message: "The model has too much to do.".into(),
        param: None,
        code: Some("provider_overloaded".into()),
    }
}

#[test]
fn a_stream_that_fails_says_so_twice_and_then_nothing() {
    let told = written(&[
        BEGIN,
        text("Half"),
        Event::Failed(overloaded()),
        text("more"),
        Event::End,
    ]);
    assert_eq!(names(&told)[4..], ["output_text.delta", "failed", "error"]);
    let response = &told[5].1["response"];
    let error = json!({"code": "server_error", "message": "The model has too much to do."});
    assert_eq!(
        (&response["status"], &response["error"]),
        (&json!("failed"), &error)
    );
    assert_eq!(response["output"][0]["status"], "incomplete");
    let last = &told[6].1;
    assert_eq!(last["code"], "provider_overloaded");
    assert_eq!(last["error"]["type"], "api_error");

    let before = written(&[Event::Failed(overloaded())]);
    assert_eq!(names(&before), ["error"]);
}

#[test]
fn an_answer_longer_than_is_held_fails() {
    let mut writer = Writer::new(&ENVELOPE);
    let mut out = Vec::new();
    let megabyte = "x".repeat(1 << 20);
    for _ in 0..MOST >> 20 {
        out.clear();
        let text = Cow::Borrowed(&*megabyte);
        writer.write(&Event::Text { choice: 0, text }, &mut out);
        let begins = out.starts_with(b"event: response.created");
        assert!(
            begins || out.starts_with(b"event: response.output_text.delta") || writer.is_over()
        );
    }
    assert!(writer.is_over());
    let told = String::from_utf8(out).expect("JSON");
    assert!(
        told.starts_with("event: response.failed\n"),
        "{}",
        &told[..40]
    );
    assert!(told.contains("\nevent: error\n"));
    let mut more = Vec::new();
    writer.write(&Event::End, &mut more);
    assert_eq!(more, b"");
}

#[test]
fn arguments_of_no_call_fail_the_stream() {
    let told = written(&[BEGIN, arguments(0, "{}")]);
    assert_eq!(names(&told), ["created", "in_progress", "failed", "error"]);
}

#[test]
fn an_end_without_anything_said_is_an_empty_response() {
    let told = written(&[Event::End]);
    assert_eq!(names(&told), ["created", "in_progress", "completed"]);
}

#[test]
fn a_response_of_the_same_dialect_keeps_its_name() {
    let transcript = include_bytes!("../golden/responses/reasoning.sse");
    let (events, fault) = events([Bytes::from_static(transcript)]);
    assert_eq!(fault, None);
    let told = written(&events);
    let ids: Vec<_> = [&told[0], &told[1], told.last().expect("it ended")]
        .map(|(_, data)| data["response"]["id"].as_str())
        .to_vec();
    assert_eq!(ids, [Some("resp_67c9fdcecf48"); 3]);
}
