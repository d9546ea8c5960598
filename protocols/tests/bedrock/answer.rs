//! Whole answers.

use weir_protocols::bedrock::answer;
use weir_protocols::llm::{Answer, Choice, Finish, Part, ToolCall, Usage};

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    })
}

#[test]
fn a_whole_answer_is_read() {
    let body = include_bytes!("../golden/bedrock/answer.json");
    let expected = Answer {
        id: None,
        model: None,
        choices: vec![Choice {
            index: 0,
            parts: vec![
                Part::Reasoning {
                    text: "Look it \"up\".".into(),
                    signature: Some("EqQBCkgIARAB+/==".into()),
                },
                Part::Redacted("RW5jcnlwdGVk".into()),
                Part::Text("I will look in Z\u{fc}rich.".into()),
                call(
                    "tooluse_aB-1",
                    "weather",
                    r#"{ "city": "Z\u00fcrich", "days": 1.50 }"#,
                ),
                call("call_seed_1", "time", "{}"),
            ],
            finish: Some(Finish::ToolCalls),
            stopped_at: None,
        }],
        usage: Some(Usage {
            input: 1503,
            output: 20,
            total: 1523,
            cached: Some(1000),
            cache_written: Some(500),
            reasoning: None,
        }),
    };
    assert_eq!(answer::read(body, "seed").as_ref(), Ok(&expected));
    for end in 0..body.len() - 2 {
        assert!(answer::read(&body[..end], "seed").is_err(), "cut at {end}");
    }
}

#[test]
fn why_it_ended_is_told() {
    for (word, finish) in [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::StopSequence),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("tool_use", Finish::ToolCalls),
        ("guardrail_intervened", Finish::Filtered),
        ("content_filtered", Finish::Filtered),
        ("malformed_tool_use", Finish::MalformedCall),
        ("malformed_model_output", Finish::Other),
        ("refusal", Finish::Refusal),
        ("pause_turn", Finish::Paused),
        ("something_new", Finish::Other),
    ] {
        let body = format!(
            r#"{{"output":{{"message":{{"content":[]}}}},"stopReason":"{word}",
                "additionalModelResponseFields":{{"stop_sequence":"END"}}}}"#
        );
        let answer = answer::read(body.as_bytes(), "s").expect("it is an answer");
        assert_eq!(answer.choices[0].finish, Some(finish), "{word}");
        assert_eq!(answer.choices[0].stopped_at.as_deref(), Some("END"));
        assert_eq!(answer.usage, None);
    }
}

#[test]
fn what_is_no_answer_is_malformed_and_not_repeated() {
    for body in [
        "",
        "{}",
        "[]",
        "SECRET",
        r#"{"output":{}}"#,
        r#"{"output":{"message":{"content":[{"toolUse":{"input":{}}}]}}}"#,
        r#"{"output":{"message":{"content":"SECRET"}}}"#,
        r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"}}"#,
    ] {
        let malformed = answer::read(body.as_bytes(), "s").expect_err("it is no answer");
        assert!(!malformed.why.contains("SECRET"), "{malformed}");
    }
    assert!(answer::read(b"{\"output\":\"\xff\"}", "s").is_err());
}
