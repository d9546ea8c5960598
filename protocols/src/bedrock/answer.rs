//! What `Converse` answers, as a whole.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{finish, usage};
use crate::json::Text;
use crate::llm::{Answer, Choice, Malformed, Part, ToolCall};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    usage: Option<usage::Usage>,
    #[serde(borrow)]
    additional_model_response_fields: Option<Additional<'a>>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Vec<Block<'a>>,
}

/// A union: one of the members is there. Blocks of other sorts, which only come if asked for, have
/// none of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Reasoning<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow, default)]
    tool_use_id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// A union.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    #[serde(borrow)]
    reasoning_text: Option<ReasoningText<'a>>,
    #[serde(borrow)]
    redacted_content: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ReasoningText<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
}

/// What requests ask for beside the answer: see [`request`](super::request).
#[derive(Deserialize)]
pub(super) struct Additional<'a> {
    #[serde(borrow)]
    stop_sequence: Option<Text<'a>>,
}

impl<'a> Additional<'a> {
    /// The text at which the answer ended.
    pub(super) fn stopped_at(self) -> Option<Cow<'a, str>> {
        self.stop_sequence.and_then(Text::some)
    }
}

/// Reads the body of an answer of `Converse`. Bedrock names neither the answer nor the model there.
/// Ids of tool calls that lack one are made of `seed`.
///
/// # Errors
/// [`Malformed`] if it is no such body.
pub fn read<'a>(body: &'a [u8], seed: &str) -> Result<Answer<'a>, Malformed> {
    let body: Body<'a> =
        serde_json::from_slice(body).map_err(|error| Malformed::json("the answer", &error))?;
    let message = body.output.and_then(|output| output.message);
    let message = message.ok_or_else(|| Malformed::new("the answer has no message"))?;
    let mut calls = 0;
    let mut parts = Vec::with_capacity(message.content.len());
    for block in message.content {
        parts.extend(part(block, seed, &mut calls));
    }
    let choice = Choice {
        index: 0,
        parts,
        finish: body.stop_reason.map(|word| finish::read(&word.0)),
        stopped_at: body
            .additional_model_response_fields
            .and_then(Additional::stopped_at),
    };
    Ok(Answer {
        id: None,
        model: None,
        choices: vec![choice],
        usage: body.usage.and_then(|usage| usage.canonical()),
    })
}

fn part<'a>(block: Block<'a>, seed: &str, calls: &mut u64) -> Option<Part<'a>> {
    if let Some(tool) = block.tool_use {
        let id = tool.tool_use_id.some();
        let id = id.unwrap_or_else(|| format!("call_{seed}_{calls}").into());
        *calls += 1;
        return Some(Part::ToolCall(ToolCall {
            id,
            name: tool.name.0,
            arguments: tool.input.map_or("{}", RawValue::get).into(),
            signature: None,
        }));
    }
    if let Some(reasoning) = block.reasoning_content {
        if let Some(redacted) = reasoning.redacted_content {
            return Some(Part::Redacted(redacted.0));
        }
        let said = reasoning.reasoning_text?;
        return Some(Part::Reasoning {
            text: said.text.0,
            signature: said.signature.and_then(Text::some),
        });
    }
    block.text.map(|text| Part::Text(text.0))
}
