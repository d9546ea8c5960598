//! The model's answer, and its two forms: one object, or a stream of chunks.

use bytes::Bytes;
use serde::Serialize;

use super::ask::Ask;
use super::{NAME, words};

/// The most of what was said that is repeated, in characters.
const REPEATED: usize = 160;

/// An answer.
pub(super) struct Completion {
    id: String,
    created: u64,
    tokens: Vec<String>,
    finish_reason: &'static str,
    usage: Usage,
}

/// What an answer cost, in tokens.
#[derive(Debug, Clone, Copy, Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

/// An answer as one object.
#[derive(Serialize)]
pub(super) struct Whole<'c> {
    id: &'c str,
    object: &'static str,
    created: u64,
    model: &'static str,
    choices: [Choice; 1],
    usage: Usage,
}

#[derive(Serialize)]
struct Choice {
    index: u32,
    message: Message,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
    refusal: Option<()>,
}

/// A piece of a streamed answer.
#[derive(Serialize)]
struct Chunk<'c> {
    id: &'c str,
    object: &'static str,
    created: u64,
    model: &'static str,
    choices: Vec<Change<'c>>,
    /// Where usage was asked for, null in every chunk but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct Change<'c> {
    index: u32,
    delta: Delta<'c>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'c> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'c str>,
}

impl Completion {
    /// Answers `ask`, as the model's answer of this `number`, at `created` (Unix seconds).
    pub(super) fn new(ask: &Ask, number: u64, created: u64) -> Self {
        let text = reply(&ask.said);
        let all: Vec<String> = words::tokens(&text).map(str::to_owned).collect();
        let room = ask.max_tokens.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        let finish_reason = if all.len() > room { "length" } else { "stop" };
        let tokens: Vec<String> = all.into_iter().take(room).collect();
        let (prompt_tokens, completion_tokens) = (ask.prompt_tokens, tokens.len() as u64);
        let usage = Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
        };
        Completion {
            id: format!("chatcmpl-demo-{number}"),
            created,
            tokens,
            finish_reason,
            usage,
        }
    }

    /// The answer as one object.
    pub(super) fn whole(&self) -> Whole<'_> {
        let message = Message {
            role: "assistant",
            content: self.tokens.concat(),
            refusal: None,
        };
        Whole {
            id: &self.id,
            object: "chat.completion",
            created: self.created,
            model: NAME,
            choices: [Choice {
                index: 0,
                message,
                logprobs: None,
                finish_reason: self.finish_reason,
            }],
            usage: self.usage,
        }
    }

    /// The answer as server-sent events: who speaks, token by token, why it ends, what it cost if
    /// that was asked for, and the end mark.
    pub(super) fn events(&self, include_usage: bool) -> Vec<Bytes> {
        let first = Delta {
            role: Some("assistant"),
            content: Some(""),
        };
        let tokens = self.tokens.iter().map(|token| Delta {
            role: None,
            content: Some(token),
        });
        let mut changes = vec![change(first, None)];
        changes.extend(tokens.map(|delta| change(delta, None)));
        changes.push(change(Delta::default(), Some(self.finish_reason)));

        let pending = include_usage.then_some(None);
        let mut events: Vec<Bytes> = changes
            .into_iter()
            .map(|change| event(&self.chunk(vec![change], pending)))
            .collect();
        if include_usage {
            events.push(event(&self.chunk(Vec::new(), Some(Some(self.usage)))));
        }
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        events
    }

    fn chunk<'c>(&'c self, choices: Vec<Change<'c>>, usage: Option<Option<Usage>>) -> Chunk<'c> {
        let object = "chat.completion.chunk";
        Chunk {
            id: &self.id,
            object,
            created: self.created,
            model: NAME,
            choices,
            usage,
        }
    }
}

fn change<'c>(delta: Delta<'c>, finish_reason: Option<&'static str>) -> Change<'c> {
    Change {
        index: 0,
        delta,
        logprobs: None,
        finish_reason,
    }
}

fn event(chunk: &Chunk<'_>) -> Bytes {
    let json = serde_json::to_string(chunk).expect("the demo's own types have text for keys");
    format!("data: {json}\n\n").into()
}

/// What the model has to say about what it was told.
fn reply(said: &str) -> String {
    let words: Vec<&str> = said.split_whitespace().collect();
    let closing = "I am a parrot and know no more than that, but every word of this was counted \
                   on its way to you.";
    if words.is_empty() {
        return format!("You said nothing I could read. {closing}");
    }
    let one_line = words.join(" ");
    let repeated: String = one_line.chars().take(REPEATED).collect();
    let more = if repeated.len() < one_line.len() {
        "…"
    } else {
        ""
    };
    let count = if words.len() == 1 {
        "one word".to_owned()
    } else {
        format!("{} words", words.len())
    };
    format!("You said “{repeated}{more}”, which is {count}. {closing}")
}
