//! Completions and their chunks as they are on the wire, read by borrowing.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::Text;
use crate::llm::{Malformed, Usage};
use crate::openai::usage;

/// A whole completion, or a chunk of one.
#[derive(Deserialize)]
pub(super) struct Completion<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) model: Option<Text<'a>>,
    #[serde(borrow, default)]
    created: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> Completion<'a> {
    /// Reads one. Its texts are checked to be UTF-8 all at once, which is cheaper than one by one.
    pub(super) fn parse(json: &'a [u8], what: &str) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(json)
            .map_err(|_| Malformed::new(format!("{what} cannot be read: it is not UTF-8")))?;
        serde_json::from_str(text).map_err(|error| Malformed::json(what, &error))
    }

    /// Seconds since the Unix epoch.
    pub(super) fn created(&self) -> Option<u64> {
        self.created?.get().parse().ok()
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        usage::read(self.usage?.get())
    }
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub(super) index: u64,
    #[serde(borrow, default, alias = "delta")]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) reasoning_content: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) reasoning: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow, default)]
    pub(super) function_call: Option<Function<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(borrow, default)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default, alias = "custom")]
    pub(super) function: Option<Function<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default, alias = "input")]
    pub(super) arguments: Option<Text<'a>>,
}

/// One part of a `content` that is a list, as some servers write it.
#[derive(Deserialize)]
pub(super) struct Part<'a> {
    #[serde(borrow, default)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) thinking: Option<&'a RawValue>,
}

/// A piece of a message's content.
pub(super) enum Piece<'a> {
    Text(Text<'a>),
    Thought(Text<'a>),
}

/// Calls `each` with the pieces of a message's `content`: its text, or the texts of its parts.
pub(super) fn pieces<'a>(content: &'a RawValue, each: &mut dyn FnMut(Piece<'a>)) {
    let raw = content.get();
    if !raw.starts_with('[') {
        return each(Piece::Text(Text::of(raw)));
    }
    for part in serde_json::from_str::<Vec<Part<'a>>>(raw).unwrap_or_default() {
        if let Some(text) = part.text {
            each(Piece::Text(text));
        }
        let Some(thinking) = part.thinking.map(RawValue::get) else {
            continue;
        };
        if thinking.starts_with('[') {
            let inner = serde_json::from_str::<Vec<Part<'a>>>(thinking).unwrap_or_default();
            inner
                .into_iter()
                .filter_map(|part| part.text)
                .for_each(|text| each(Piece::Thought(text)));
        } else if let Ok(text) = serde_json::from_str(thinking) {
            each(Piece::Thought(text));
        }
    }
}
