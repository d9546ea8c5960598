//! Whole responses.

use serde_json::{Value, json};
use weir_protocols::llm::error::Kind;
use weir_protocols::llm::{Answer, Choice, Envelope, Finish, Part, ToolCall, Usage};
use weir_protocols::openai::responses::answer;

const ENVELOPE: Envelope<'static> = Envelope {
    id: "7f",
    model: "smart",
    created: 1_700_000_000,
};

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    })
}

fn answer(parts: Vec<Part<'static>>, finish: Option<Finish>) -> Answer<'static> {
    Answer {
        choices: vec![Choice {
            index: 0,
            parts,
            finish,
            stopped_at: None,
        }],
        ..Answer::default()
    }
}

fn written(answer: &Answer<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    answer::write(&mut out, answer, &ENVELOPE);
    out
}

#[test]
fn a_response_is_read_with_all_it_says() {
    let body = include_bytes!("../golden/responses/answer.json");
    let read = answer::read(body, "s").expect("it is a response");
    assert_eq!(read.id.as_deref(), Some("resp_67c9fdcecf48"));
    assert_eq!(read.model.as_deref(), Some("gpt-5-2025-08-07"));
    let expected = Choice {
        index: 0,
        parts: vec![
            Part::Reasoning {
                text: "First.\n\nThen.".into(),
                signature: Some("gAAAA".into()),
            },
            Part::Text("Look.".into()),
            call("call_1", "find", "{\"q\":1}"),
            call("call_2", "now", ""),
        ],
        finish: Some(Finish::ToolCalls),
        stopped_at: None,
    };
    assert_eq!(read.choices, [expected]);
    let usage = Usage {
        cached: Some(4),
        cache_written: Some(2),
        reasoning: Some(64),
        ..Usage::new(36, 87)
    };
    assert_eq!(read.usage, Some(usage));
}

#[test]
fn a_response_cut_short_says_why_and_reasoning_may_be_shown_as_it_is() {
    let body = include_bytes!("../golden/responses/incomplete.json");
    let read = answer::read(body, "s").expect("it is a response");
    let choice = &read.choices[0];
    assert_eq!(choice.finish, Some(Finish::Length));
    let thought = Part::Reasoning {
        text: "hm".into(),
        signature: None,
    };
    assert_eq!(choice.parts, [thought, Part::Refusal("No.".into())]);
}

#[test]
fn a_response_that_failed_is_no_answer_but_an_error() {
    let body = include_bytes!("../golden/responses/failed.json");
    let why = answer::read(body, "s").expect_err("it failed").why;
    assert!(why.contains("failed"), "{why}");
    let error = answer::failure(body).expect("it failed");
    assert_eq!(
        (error.kind, &*error.message),
        (Kind::RateLimited, "Slow down.")
    );
    assert_eq!(
        answer::failure(include_bytes!("../golden/responses/answer.json")),
        None
    );
    assert_eq!(answer::failure(b"secret"), None);
}

#[test]
fn what_is_no_response_is_malformed() {
    for body in [
        &b""[..],
        b"[]",
        b"{\"output\":[{\"type\":\"message\",\"content\":7}]}",
        b"{\"id\":\"resp_1\"}",
        b"{\"output\":\"secret\"}",
        b"{\"output\":[}",
        b"\xff",
    ] {
        let malformed = answer::read(body, "s").expect_err("it is no response");
        assert!(!malformed.why.contains("secret"), "{malformed}");
    }
}

#[test]
fn a_call_without_an_id_is_given_one() {
    let body = br#"{"output":[{"type":"function_call","name":"a"},{"type":"function_call","name":"b","arguments":null}]}"#;
    let read = answer::read(body, "7f").expect("it is a response");
    let parts = [call("call_7f_0", "a", ""), call("call_7f_1", "b", "")];
    assert_eq!(read.choices[0].parts, parts);
}

#[test]
fn a_response_is_written_as_client_libraries_want_it() {
    let said = vec![
        Part::Reasoning {
            text: "hm".into(),
            signature: Some("sig".into()),
        },
        Part::Text("One.".into()),
        Part::Refusal("No.".into()),
        call("call_1", "find", "{}"),
    ];
    let mut answer = answer(said, Some(Finish::ToolCalls));
    answer.id = Some("chatcmpl-1".into());
    answer.usage = Some(Usage::new(3, 4));
    let body: Value = serde_json::from_slice(&written(&answer)).expect("JSON");
    assert_eq!(
        body,
        json!({
            "id": "resp_7f", "object": "response", "created_at": 1_700_000_000,
            "status": "completed", "background": false, "error": null,
            "incomplete_details": null, "instructions": null, "max_output_tokens": null,
            "metadata": {}, "model": "smart",
            "output": [
                {"type": "reasoning", "id": "rs_7f_0", "encrypted_content": "sig",
                 "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "id": "msg_7f_1", "status": "completed", "role": "assistant",
                 "content": [
                    {"type": "output_text", "annotations": [], "logprobs": [], "text": "One."},
                    {"type": "refusal", "refusal": "No."}]},
                {"type": "function_call", "id": "fc_7f_2", "status": "completed",
                 "call_id": "call_1", "name": "find", "arguments": "{}"},
            ],
            "parallel_tool_calls": true, "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null}, "store": false, "temperature": null,
            "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
            "top_p": null, "truncation": "disabled",
            "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 0}},
            "user": null,
        })
    );
}

#[test]
fn what_is_written_reads_back() {
    let parts = vec![
        Part::Redacted("hidden".into()),
        Part::Reasoning {
            text: "".into(),
            signature: Some("sig".into()),
        },
        Part::Text("a".into()),
        Part::Text("b".into()),
        Part::ToolCall(ToolCall {
            id: "call \"1\"".into(),
            name: "f".into(),
            arguments: "{broken".into(),
            signature: Some("c2ln".into()),
        }),
        Part::Text("c".into()),
    ];
    for finish in [
        Finish::ToolCalls,
        Finish::Length,
        Finish::Filtered,
        Finish::Other,
    ] {
        let answer = answer(parts.clone(), Some(finish));
        let body = written(&answer);
        let read = answer::read(&body, "s").expect("what is written can be read");
        assert_eq!(read.choices, answer.choices);
        assert_eq!(read.usage, None);
    }
}

#[test]
fn ends_that_have_no_word_are_not_told_as_whole() {
    for (finish, status, reason) in [
        (None, "completed", Value::Null),
        (Some(Finish::StopSequence), "completed", Value::Null),
        (Some(Finish::Refusal), "completed", Value::Null),
        (
            Some(Finish::Length),
            "incomplete",
            json!({"reason": "max_output_tokens"}),
        ),
        (
            Some(Finish::Filtered),
            "incomplete",
            json!({"reason": "content_filter"}),
        ),
        (Some(Finish::Paused), "incomplete", json!({"reason": null})),
        (
            Some(Finish::MalformedCall),
            "incomplete",
            json!({"reason": null}),
        ),
    ] {
        let answer = answer(vec![Part::Text("x".into())], finish);
        let body: Value = serde_json::from_slice(&written(&answer)).expect("JSON");
        assert_eq!(
            (&body["status"], &body["incomplete_details"]),
            (&json!(status), &reason)
        );
        assert_eq!(body["output"][0]["status"], status);
    }
}
