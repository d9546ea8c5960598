//! Whole answers.

use weir_protocols::gemini::answer;
use weir_protocols::llm::{Answer, Choice, Envelope, Finish, Media, Part, Source, ToolCall, Usage};

const ENVELOPE: Envelope<'_> = Envelope {
    id: "abc",
    model: "asked",
    created: 7,
};

fn written(answer: &Answer<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    answer::write(&mut out, answer, &ENVELOPE);
    out
}

fn one(parts: Vec<Part<'static>>, finish: Finish) -> Answer<'static> {
    Answer {
        id: Some("r".into()),
        model: Some("m".into()),
        choices: vec![Choice {
            index: 0,
            parts,
            finish: Some(finish),
            stopped_at: None,
        }],
        usage: Some(Usage::new(3, 4)),
    }
}

#[test]
fn an_answer_is_read_and_survives() {
    let body = include_bytes!("../golden/gemini/answer.json");
    let answer = answer::read(body, "s").expect("an answer");
    let usage = answer.usage.expect("a report");
    assert_eq!((usage.input, usage.output, usage.total), (12, 8, 20));
    assert_eq!((usage.cached, usage.reasoning), (Some(4), Some(3)));
    assert_eq!(answer.id.as_deref(), Some("r-3"));
    let [choice] = &answer.choices[..] else {
        panic!("one choice: {answer:?}")
    };
    assert_eq!(choice.finish, Some(Finish::ToolCalls));
    let image = Media {
        source: Source::Base64("+/8=".into()),
        media_type: Some("image/png".into()),
        detail: None,
        name: None,
    };
    let call = ToolCall {
        id: "call_s_0".into(),
        name: "find".into(),
        arguments: r#"{"q":"we ir\" "}"#.into(),
        signature: Some("CsQB0e+/AA==".into()),
    };
    let thought = Part::Reasoning {
        text: "Hm, yes.".into(),
        signature: None,
    };
    assert_eq!(
        choice.parts,
        [
            thought,
            Part::Text("Look:".into()),
            Part::Image(image),
            Part::ToolCall(call)
        ]
    );
    let again = written(&answer);
    assert_eq!(answer::read(&again, "other").as_ref(), Ok(&answer));
}

#[test]
fn foreign_parts_survive_a_caller_of_this_dialect() {
    let parts = vec![
        Part::Redacted("ab+/".into()),
        Part::Reasoning {
            text: "thought".into(),
            signature: Some("ErUB+/Aa".into()),
        },
        Part::Refusal("no".into()),
    ];
    let bytes = written(&one(parts.clone(), Finish::Refusal));
    let answer = answer::read(&bytes, "s").expect("an answer");
    let mut expected = one(parts, Finish::Filtered);
    expected.choices[0].parts[2] = Part::Text("no".into());
    assert_eq!(answer, expected);
}

#[test]
fn what_the_dialect_cannot_hold_is_left_out() {
    let call = ToolCall {
        id: "c".into(),
        name: "f".into(),
        arguments: "{broken".into(),
        signature: Some("not base64!".into()),
    };
    let bytes = written(&one(
        vec![Part::ToolCall(call), Part::CachePoint],
        Finish::Stop,
    ));
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        concat!(
            r#"{"candidates":[{"content":{"role":"model","parts":[{"functionCall":"#,
            r#"{"id":"c","name":"f","args":{"arguments":"{broken"}}}]},"finishReason":"STOP","#,
            r#""index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"#,
            r#""totalTokenCount":7},"modelVersion":"m","responseId":"r"}"#
        )
    );
    let nothing = Answer {
        id: None,
        model: None,
        usage: None,
        ..one(Vec::new(), Finish::Length)
    };
    assert_eq!(
        String::from_utf8_lossy(&written(&nothing)),
        concat!(
            r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"#,
            r#""finishReason":"MAX_TOKENS","index":0}],"modelVersion":"asked","responseId":"abc"}"#
        )
    );
}

#[test]
fn a_prompt_held_back_is_an_answer_and_nothing_is_none() {
    let body =
        br#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}"#;
    let answer = answer::read(body, "s").expect("an answer");
    assert_eq!(answer.choices[0].finish, Some(Finish::Filtered));
    assert_eq!(answer.usage, Some(Usage::new(4, 0)));
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"candidates":[]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"}}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"video/mp4"}}]}}]}"#,
        r#"{"error":{"code":500}}"#,
    ] {
        assert!(answer::read(bad.as_bytes(), "s").is_err(), "{bad}");
    }
}
