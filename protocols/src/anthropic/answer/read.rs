//! Reads a message. Blocks of server tools, whose use was not asked for here, are passed over, as are
//! citations.

use serde::Deserialize;

use crate::anthropic::block::{Block, StopDetails, call_id};
use crate::anthropic::{finish, usage};
use crate::json::Text;
use crate::llm::{Answer, Choice, Finish, Malformed, Part, ToolCall};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(borrow)]
    content: Vec<Block<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    stop_sequence: Option<Text<'a>>,
    #[serde(borrow, default)]
    stop_details: Option<StopDetails<'a>>,
    #[serde(default)]
    usage: Option<usage::Report>,
}

/// Reads a whole message. A call without an id is named `call_{seed}_{n}`, by its number from 0.
///
/// What the provider says about a refusal (`stop_details.explanation`) follows as a refusal.
///
/// # Errors
/// If it is no message.
pub fn read<'a>(body: &'a [u8], seed: &str) -> Result<Answer<'a>, Malformed> {
    let message: Message<'a> =
        serde_json::from_slice(body).map_err(|error| Malformed::json("the message", &error))?;
    let mut parts = Vec::with_capacity(message.content.len());
    let mut calls = 0;
    for block in message.content {
        if &*block.sort.0 == "tool_use" {
            parts.push(Part::ToolCall(call(block, seed, calls)));
            calls += 1;
        } else {
            parts.extend(said(block));
        }
    }
    let finish = message.stop_reason.map(|word| finish::read(&word.0));
    if finish == Some(Finish::Refusal) {
        let details = message.stop_details;
        let explanation = details.and_then(|details| details.explanation.and_then(Text::some));
        parts.extend(explanation.map(Part::Refusal));
    }
    Ok(Answer {
        id: message.id.and_then(Text::some),
        model: message.model.and_then(Text::some),
        choices: vec![Choice {
            index: 0,
            parts,
            finish,
            stopped_at: message.stop_sequence.and_then(Text::some),
        }],
        usage: message.usage.and_then(|report| report.usage()),
    })
}

fn said(block: Block<'_>) -> Option<Part<'_>> {
    match &*block.sort.0 {
        "text" => block.text.and_then(Text::some).map(Part::Text),
        "thinking" => {
            let text = block.thinking.unwrap_or_default().0;
            let signature = block.signature.and_then(Text::some);
            let is_empty = text.is_empty() && signature.is_none();
            (!is_empty).then_some(Part::Reasoning { text, signature })
        }
        "redacted_thinking" => block.data.and_then(Text::some).map(Part::Redacted),
        _ => None,
    }
}

fn call<'a>(block: Block<'a>, seed: &str, number: u64) -> ToolCall<'a> {
    ToolCall {
        id: block
            .id
            .and_then(Text::some)
            .unwrap_or_else(|| call_id(seed, number)),
        name: block.name.unwrap_or_default().0,
        arguments: block.input.map_or("{}", |input| input.get()).into(),
        signature: None,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::llm::Usage;

    #[test]
    fn every_block_becomes_a_part_borrowed_from_the_body() {
        let body = br#"{"id":"msg_1","type":"message","role":"assistant","model":"claude",
            "content":[
                {"type":"thinking","thinking":"hm","signature":"sig"},
                {"type":"redacted_thinking","data":"xyz"},
                {"type":"text","text":"Look","citations":null},
                {"type":"text","text":""},
                {"type":"server_tool_use","id":"s","name":"web_search","input":{}},
                {"type":"tool_use","id":"toolu_1","name":"find","input":{"q": 1}},
                {"type":"tool_use","name":"find"}],
            "stop_reason":"tool_use","stop_sequence":null,
            "usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":0}}"#;
        let answer = read(body, "x").expect("a message");
        assert_eq!(answer.id.as_deref(), Some("msg_1"));
        assert_eq!(answer.usage.map(|usage| usage.cached), Some(Some(0)));
        let choice = &answer.choices[0];
        assert_eq!(choice.finish, Some(Finish::ToolCalls));
        let call = |id: &'static str, arguments: &'static str| {
            Part::ToolCall(ToolCall {
                id: id.into(),
                name: "find".into(),
                arguments: arguments.into(),
                signature: None,
            })
        };
        assert_eq!(
            choice.parts,
            [
                Part::Reasoning {
                    text: "hm".into(),
                    signature: Some("sig".into())
                },
                Part::Redacted("xyz".into()),
                Part::Text("Look".into()),
                call("toolu_1", r#"{"q": 1}"#),
                call("call_x_1", "{}"),
            ]
        );
        assert!(matches!(
            &choice.parts[2],
            Part::Text(Cow::Borrowed("Look"))
        ));
    }

    #[test]
    fn a_refusal_says_why_if_the_provider_does() {
        let body = br#"{"content":[],"stop_reason":"refusal","stop_details":
            {"type":"refusal","category":"bio","explanation":"No."},
            "usage":{"input_tokens":1,"output_tokens":1}}"#;
        let answer = read(body, "x").expect("a message");
        assert_eq!(answer.usage, Some(Usage::new(1, 1)));
        assert_eq!(answer.choices[0].parts, [Part::Refusal("No.".into())]);
        assert_eq!(answer.choices[0].finish, Some(Finish::Refusal));
    }

    #[test]
    fn what_is_no_message_is_malformed_and_not_repeated() {
        for bad in [
            &b""[..],
            b"{}",
            b"[]",
            b"<html>",
            br#"{"content":"secret"}"#,
            br#"{"content":[{"type":"text","text":"\x00"}]}"#,
            br#"{"content":[{"text":"secret"}]}"#,
        ] {
            let malformed = read(bad, "x").expect_err("no message");
            assert!(!malformed.why.contains("secret"), "{malformed}");
        }
    }
}
