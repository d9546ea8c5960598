//! What is asked of a model.

use std::borrow::Cow;
use std::fmt;

use super::json::Json;
use super::message::{Message, Part};
use super::tool::{Choose, Tool};

/// A call of a model.
#[derive(Clone, Default)]
pub struct Request<'a> {
    /// The model's name.
    pub model: Cow<'a, str>,
    /// What the model is told before the conversation: text and cache points. Instructions that
    /// stand amid a conversation are gathered here, in order.
    pub instructions: Vec<Part<'a>>,
    /// The conversation.
    pub messages: Vec<Message<'a>>,
    /// What the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Whether and what it is to call; `None`: as the provider does by default.
    pub choose: Option<Choose<'a>>,
    /// Whether it may call several tools at once.
    pub parallel_tool_calls: Option<bool>,
    /// What the answer's text is to be.
    pub format: Format<'a>,
    /// The most tokens of output, per choice.
    pub limit: Option<u64>,
    /// How many answers are asked for, at least one.
    pub choices: u64,
    /// Texts at which the answer ends.
    pub stop: Vec<Cow<'a, str>>,
    /// How words are picked.
    pub sampling: Sampling<'a>,
    /// How much the model is to think; `None`: as it does by default.
    pub reasoning: Option<Reasoning>,
    /// Whether probabilities of the words are asked for, and of how many others beside each.
    pub logprobs: Option<u64>,
    /// The caller's own user.
    pub user: Option<Cow<'a, str>>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether a stream is to end with what was used.
    pub stream_usage: bool,
    /// Members that stood in the request and that only its own dialect knows, by name.
    pub unknown: Vec<String>,
}

/// What the text of an answer is to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format<'a> {
    /// Anything.
    #[default]
    Text,
    /// A JSON object of any shape.
    Json,
    /// JSON of this schema.
    Schema {
        /// What the schema is called.
        name: Option<Cow<'a, str>>,
        /// What it is for.
        description: Option<Cow<'a, str>>,
        /// The JSON Schema.
        schema: Json<'a>,
        /// Whether the answer is held to it to the letter.
        strict: Option<bool>,
    },
}

/// How words are picked. What is not said is the provider's to choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling<'a> {
    /// From 0, the likeliest word always, upwards.
    pub temperature: Option<f64>,
    /// Of the likeliest words that come to this probability together.
    pub top_p: Option<f64>,
    /// Of so many likeliest words.
    pub top_k: Option<u64>,
    /// Less of what was said often, -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Less of what was said at all, -2 to 2.
    pub presence_penalty: Option<f64>,
    /// For answers that can be had again.
    pub seed: Option<i64>,
    /// Favours by token, as a JSON object.
    pub logit_bias: Option<Json<'a>>,
}

/// How much a model is to think before it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasoning {
    /// Not at all.
    Off,
    /// As hard as that.
    Effort(Effort),
    /// Up to so many tokens.
    Budget(u64),
    /// As much as it finds right.
    Adaptive,
}

/// How hard a model is to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// As little as there is.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// Hard.
    High,
    /// As hard as it can.
    Max,
}

impl Effort {
    /// The budget that stands for it where a dialect has budgets only, in tokens.
    pub const fn budget(self) -> u64 {
        match self {
            Self::Minimal => 1_024,
            Self::Low => 2_048,
            Self::Medium => 8_192,
            Self::High => 24_576,
            Self::Max => 32_768,
        }
    }

    /// The least effort whose budget is no smaller, where a dialect has efforts only.
    pub fn of_budget(tokens: u64) -> Self {
        let efforts = [Self::Minimal, Self::Low, Self::Medium, Self::High];
        let fits = efforts.into_iter().find(|effort| tokens <= effort.budget());
        fits.unwrap_or(Self::Max)
    }
}

impl<'a> Request<'a> {
    /// A request of nothing yet, for one answer.
    pub fn new(model: impl Into<Cow<'a, str>>) -> Self {
        Self {
            model: model.into(),
            choices: 1,
            ..Self::default()
        }
    }

    /// The name of the tool that was called as `id`, where an earlier turn says so: some dialects
    /// name the tool in its result, others do not.
    pub fn tool_name(&self, id: &str) -> Option<&str> {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        let mut calls = parts.filter_map(|part| match part {
            Part::ToolCall(call) if call.id == id => Some(&*call.name),
            _ => None,
        });
        calls.next_back()
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The conversation is a caller's: never printed.
        f.debug_struct("Request")
            .field("model", &self.model)
            .field("messages", &self.messages.len())
            .field("tools", &self.tools.len())
            .field("limit", &self.limit)
            .field("choices", &self.choices)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
