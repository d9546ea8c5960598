//! A whole completion.

use serde::Serialize;

use super::wire::{Choice as Wire, Completion, Piece, pieces};
use super::{finish, word};
use crate::json::Text;
use crate::llm::{Answer, Choice, Envelope, Finish, Malformed, Part, ToolCall, Usage};

/// Reads a whole completion. Calls that came without an `id` are named after `seed`.
///
/// # Errors
/// [`Malformed`] if it is none, or has no choice.
pub fn read<'a>(body: &'a [u8], seed: &str) -> Result<Answer<'a>, Malformed> {
    let completion = Completion::parse(body, "the answer")?;
    let usage = completion.usage();
    let choices = completion.choices.unwrap_or_default();
    if choices.is_empty() {
        return Err(Malformed::new("the answer has no choices"));
    }
    Ok(Answer {
        id: completion.id.and_then(Text::some),
        model: completion.model.and_then(Text::some),
        choices: choices.into_iter().map(|c| choice(c, seed)).collect(),
        usage,
    })
}

fn choice<'a>(choice: Wire<'a>, seed: &str) -> Choice<'a> {
    let mut parts = Vec::new();
    if let Some(message) = choice.message {
        let thoughts = message.reasoning_content.or(message.reasoning);
        if let Some(text) = thoughts.and_then(Text::some) {
            let signature = None;
            parts.push(Part::Reasoning { text, signature });
        }
        if let Some(content) = message.content {
            pieces(content, &mut |piece| match piece {
                Piece::Text(text) => parts.extend(text.some().map(Part::Text)),
                Piece::Thought(text) => parts.extend(text.some().map(|text| Part::Reasoning {
                    text,
                    signature: None,
                })),
            });
        }
        parts.extend(message.refusal.and_then(Text::some).map(Part::Refusal));
        let calls = message.tool_calls.into_iter().flatten();
        let calls = calls.map(|call| (call.id.and_then(Text::some), call.function));
        let older = message.function_call.map(|function| (None, Some(function)));
        for (at, (id, function)) in calls.chain(older).enumerate() {
            let (name, arguments) = function.map_or((None, None), |f| (f.name, f.arguments));
            parts.push(Part::ToolCall(ToolCall {
                id: id.unwrap_or_else(|| format!("call_{seed}_{at}").into()),
                name: name.unwrap_or_default().0,
                arguments: arguments.unwrap_or_default().0,
                signature: None,
            }));
        }
    }
    let reason = choice.finish_reason.and_then(Text::some);
    Choice {
        index: choice.index,
        parts,
        finish: reason.map(|reason| finish(&reason)),
        stopped_at: None,
    }
}

#[derive(Serialize)]
struct Written<'w> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'w str,
    choices: Vec<WrittenChoice<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Tokens>,
}

#[derive(Serialize)]
struct WrittenChoice<'w> {
    index: u64,
    message: Message<'w>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'w> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'w>>,
}

#[derive(Serialize)]
struct Call<'w> {
    id: &'w str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'w>,
}

#[derive(Serialize)]
struct Function<'w> {
    name: &'w str,
    arguments: &'w str,
}

/// `usage`, as it is written.
#[derive(Serialize)]
pub(super) struct Tokens {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<Cached>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<Reasoned>,
}

#[derive(Serialize)]
struct Cached {
    cached_tokens: u64,
}

#[derive(Serialize)]
struct Reasoned {
    reasoning_tokens: u64,
}

impl From<&Usage> for Tokens {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.total,
            prompt_tokens_details: usage.cached.map(|cached_tokens| Cached { cached_tokens }),
            completion_tokens_details: usage
                .reasoning
                .map(|reasoning_tokens| Reasoned { reasoning_tokens }),
        }
    }
}

/// Appends a whole completion to `out`.
pub fn write(out: &mut Vec<u8>, answer: &Answer<'_>, envelope: &Envelope<'_>) {
    let written = Written {
        id: super::writer::id(answer.id.as_deref(), envelope),
        object: "chat.completion",
        created: envelope.created,
        model: answer.model.as_deref().unwrap_or(envelope.model),
        choices: answer.choices.iter().map(written).collect(),
        usage: answer.usage.as_ref().map(Tokens::from),
    };
    serde_json::to_writer(out, &written).expect("text and numbers always serialise");
}

fn written<'w>(choice: &'w Choice<'_>) -> WrittenChoice<'w> {
    let mut calls = Vec::new();
    let (mut content, mut refusal, mut thoughts) = (None, None, None);
    for part in &choice.parts {
        match part {
            Part::Text(text) => add(&mut content, text),
            Part::Refusal(text) => add(&mut refusal, text),
            Part::Reasoning { text, .. } if !text.is_empty() => add(&mut thoughts, text),
            Part::ToolCall(call) => calls.push(Call {
                id: &call.id,
                kind: "function",
                function: Function {
                    name: &call.name,
                    arguments: match call.arguments.trim() {
                        "" => "{}",
                        _ => &call.arguments,
                    },
                },
            }),
            // No member of a completion holds these.
            Part::Reasoning { .. }
            | Part::Redacted(_)
            | Part::Image(_)
            | Part::Audio(_)
            | Part::Document(_)
            | Part::ToolResult(_)
            | Part::CachePoint => {}
        }
    }
    let finish = choice.finish.unwrap_or(match calls.is_empty() {
        true => Finish::Stop,
        false => Finish::ToolCalls,
    });
    WrittenChoice {
        index: choice.index,
        message: Message {
            role: "assistant",
            content,
            refusal,
            reasoning_content: thoughts,
            tool_calls: calls,
        },
        logprobs: None,
        finish_reason: word(finish),
    }
}

fn add(all: &mut Option<String>, text: &str) {
    all.get_or_insert_default().push_str(text);
}
