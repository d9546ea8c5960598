//! Streams of any provider, written as Anthropic's clients put them together again.

use bytes::Bytes;
use weir_protocols::anthropic::stream::Writer;
use weir_protocols::llm::error::Kind;
use weir_protocols::llm::{Envelope, Error, Event, Finish};
use weir_protocols::sse::Splitter;

use crate::events::{arguments, begin, cached, call, finish, text, thought};

const ENVELOPE: Envelope<'static> = Envelope {
    id: "7f",
    model: "smart",
    created: 0,
};

/// The events as they are written: of each, its name and its data.
fn written(events: &[Event<'_>]) -> Vec<(String, serde_json::Value)> {
    let mut writer = Writer::new(&ENVELOPE);
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    let mut splitter = Splitter::new(4 << 20);
    splitter.feed(Bytes::from(out));
    let mut all = Vec::new();
    while let Some(event) = splitter.next_event().expect("within the limit") {
        let name = event.name().expect("every event is named");
        let data: serde_json::Value = serde_json::from_slice(&event.data()).expect("JSON");
        all.push((String::from_utf8_lossy(name).into_owned(), data));
    }
    for (name, data) in &all {
        assert_eq!(data["type"], **name, "clients read either");
    }
    all
}

/// As [`written`], with blocks put together again as clients do.
fn blocks(events: &[Event<'_>]) -> Vec<serde_json::Value> {
    let mut blocks: Vec<serde_json::Value> = Vec::new();
    let mut open = None;
    for (name, data) in written(events) {
        match &*name {
            "content_block_start" => {
                assert_eq!(open.replace(blocks.len()), None, "one at a time");
                assert_eq!(data["index"], blocks.len());
                blocks.push(data["content_block"].clone());
            }
            "content_block_delta" => {
                assert_eq!(data["index"].as_u64(), open.map(|open| open as u64));
                let delta = data["delta"].as_object().expect("an object");
                let (key, piece) = delta.iter().find(|(key, _)| *key != "type").expect("one");
                let block = &mut blocks.last_mut().expect("open")[key];
                *block = format!(
                    "{}{}",
                    block.as_str().unwrap_or_default(),
                    piece.as_str().expect("text")
                )
                .into();
            }
            "content_block_stop" => {
                assert_eq!(open.take().map(Into::into), Some(data["index"].clone()))
            }
            _ => {}
        }
    }
    assert_eq!(open, None, "every block is closed");
    blocks
}

#[test]
fn a_stream_of_another_provider_is_written_as_clients_expect_it() {
    let events = [
        Event::Begin {
            id: None,
            model: None,
            created: None,
        },
        thought("hm"),
        text("Hi"),
        text(""),
        text(" there"),
        Event::Ping,
        finish(Finish::Stop),
        cached(3),
        Event::End,
        text("never"),
    ];
    let all = written(&events);
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "ping",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(
        all[0].1["message"],
        serde_json::json!({
            "id": "msg_7f", "type": "message", "role": "assistant", "model": "smart",
            "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": { "input_tokens": 0, "output_tokens": 0 },
        })
    );
    assert_eq!(
        all[9].1,
        serde_json::json!({
            "type": "message_delta",
            "delta": { "stop_reason": "end_turn", "stop_sequence": null },
            "usage": {
                "input_tokens": 25, "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 2048, "output_tokens": 3,
            },
        })
    );
}

#[test]
fn usage_that_is_known_at_the_start_stands_there() {
    let all = written(&[begin("msg_1", "m"), cached(1), text("x"), Event::End]);
    assert_eq!(all[0].1["message"]["usage"]["input_tokens"], 25);
    assert_eq!(all[0].1["message"]["id"], "msg_1");
    assert_eq!(all[0].1["message"]["model"], "m");
}

#[test]
fn calls_that_come_mixed_are_put_in_order() {
    let tool = |id: &str, name: &str, json: &str| {
        serde_json::json!({ "type": "tool_use", "id": id, "name": name, "input": {},
            "partial_json": json })
    };
    let mixed = [
        call(0, "a", "f"),
        call(1, "b", "g"),
        arguments(0, "{\"q\":"),
        arguments(1, "{\"r\":"),
        arguments(0, "1}"),
        arguments(1, "2}"),
        text("done"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    let text = serde_json::json!({ "type": "text", "text": "done" });
    assert_eq!(
        blocks(&mixed),
        [
            tool("a", "f", "{\"q\":1}"),
            tool("b", "g", "{\"r\":2}"),
            text
        ]
    );
    let unfinished = [
        call(0, "a", "f"),
        call(1, "b", "g"),
        arguments(1, "{}"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    let mut empty = tool("a", "f", "");
    empty
        .as_object_mut()
        .expect("an object")
        .remove("partial_json");
    assert_eq!(blocks(&unfinished), [empty, tool("b", "g", "{}")]);
}

#[test]
fn more_of_a_closed_call_fails_the_stream() {
    let all = written(&[
        call(0, "a", "f"),
        arguments(0, "{"),
        text("x"),
        arguments(0, "}"),
        Event::End,
    ]);
    let (name, data) = all.last().expect("not empty");
    assert_eq!(
        (&**name, &data["error"]["type"]),
        ("error", &"api_error".into())
    );
}

#[test]
fn a_failure_ends_the_stream_with_an_error_and_nothing_else() {
    let failed = Event::Failed(Error {
        kind: Kind::Overloaded,
        message: "busy".into(),
        param: None,
        code: Some("provider_overloaded".into()),
    });
    let all = written(&[begin("msg_1", "m"), text("x"), failed, Event::End]);
    let (name, data) = all.last().expect("not empty");
    assert_eq!(name, "error");
    assert_eq!(
        *data,
        serde_json::json!({ "type": "error", "error": { "type": "overloaded_error",
            "message": "busy", "code": "provider_overloaded" } })
    );
}

#[test]
fn a_refusal_is_text_and_the_reason_to_stop_and_signatures_close_thoughts() {
    let events = [
        thought("a"),
        Event::Signature {
            choice: 0,
            signature: "s".into(),
        },
        Event::Redacted {
            choice: 0,
            data: "d".into(),
        },
        thought("b"),
        Event::Refusal {
            choice: 0,
            text: "No.".into(),
        },
        Event::Text {
            choice: 1,
            text: "another choice".into(),
        },
        finish(Finish::Stop),
        Event::End,
    ];
    assert_eq!(
        blocks(&events),
        [
            serde_json::json!({ "type": "thinking", "thinking": "a", "signature": "s" }),
            serde_json::json!({ "type": "redacted_thinking", "data": "d" }),
            serde_json::json!({ "type": "thinking", "thinking": "b", "signature": "" }),
            serde_json::json!({ "type": "text", "text": "No." }),
        ]
    );
    let all = written(&events);
    assert_eq!(all[all.len() - 2].1["delta"]["stop_reason"], "refusal");
}
