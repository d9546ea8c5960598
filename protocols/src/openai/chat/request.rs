//! What a gateway decides by in a request's body: borrowed text and ranges
//! into the body. Knows no model and no default of any provider.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::reader::Reader;
use crate::json::Fault;

/// A request for a chat completion. Ranges are into the parsed body.
#[derive(Clone)]
pub struct Request<'a> {
    /// The model's name, unescaped.
    pub model: Cow<'a, str>,
    /// The model's JSON value, its quotes included.
    pub model_range: Range<usize>,
    /// Whether the answer is to be streamed; false if not said.
    pub stream: bool,
    /// Whether the caller asked for usage at the end of the stream.
    pub include_usage: bool,
    /// The value of `stream_options`, if it is there, `null` included.
    pub stream_options: Option<Range<usize>>,
    /// The caller's bound on output tokens, if there is one.
    pub output_limit: Option<OutputLimit>,
    /// How many choices are asked for, at least 1; each may use the limit.
    pub n: u64,
    /// The array of messages.
    pub messages: Range<usize>,
    /// How many messages there are.
    pub messages_len: usize,
    /// The array of tools, if there is one.
    pub tools: Option<Range<usize>>,
    /// How many parts of messages are no text: images, sounds, files. What
    /// they cost does not follow from any count of bytes or text tokens.
    pub attachments: usize,
    /// Where `include_usage` must be written to be true.
    pub(super) usage_slot: Slot,
    /// A limit that is there but `null`.
    pub(super) null_limit: Option<Range<usize>>,
    pub(super) body: &'a str,
    /// The functions of the older dialect, which the model reads too.
    pub(super) functions: Option<&'a str>,
    /// The schema of the answer, which it reads as well.
    pub(super) response_format: Option<&'a str>,
    /// Bytes of the body which are payload of attachments.
    pub(super) payload: usize,
}

/// A bound on the tokens of each choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// Which member holds it.
    pub field: LimitField,
    /// The bound.
    pub tokens: u64,
    /// The bound's JSON value.
    pub range: Range<usize>,
}

/// The two members that bound output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitField {
    /// `max_tokens`: the older one, which most other providers know.
    MaxTokens,
    /// `max_completion_tokens`: the one OpenAI's reasoning models demand.
    MaxCompletionTokens,
}

impl LimitField {
    /// The member's key.
    pub fn key(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

/// Where a value must be written.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// There is no `stream_options`.
    NoObject,
    /// `stream_options` is `null`.
    NullObject(Range<usize>),
    /// `stream_options` is an object without it; the offset after its brace.
    Inside { at: usize, empty: bool },
    /// It is there.
    Value(Range<usize>),
}

impl<'a> Request<'a> {
    /// Reads a request's body.
    ///
    /// # Errors
    /// A [`Fault`] if the body is not UTF-8 or not a JSON object, lacks
    /// `model` or `messages`, gives one of the members read here a wrong
    /// type, or states one twice: the provider might take the other.
    pub fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        Reader::new(body)?.request()
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body is a caller's prompt: never printed.
        f.debug_struct("Request")
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("include_usage", &self.include_usage)
            .field("output_limit", &self.output_limit)
            .field("n", &self.n)
            .field("messages_len", &self.messages_len)
            .field("attachments", &self.attachments)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}
