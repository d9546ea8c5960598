//! Turns of a conversation. Knows nothing of who holds it.

use std::borrow::Cow;

use super::tool::{ToolCall, ToolResult};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The caller, or what tools returned to it.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// The author's name, where several share a role.
    pub name: Option<Cow<'a, str>>,
    /// What is said, in order.
    pub parts: Vec<Part<'a>>,
}

/// A piece of a turn, or of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Part<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// An image.
    Image(Media<'a>),
    /// A sound.
    Audio(Media<'a>),
    /// A document, such as a PDF.
    Document(Media<'a>),
    /// What the model thought before it spoke. Providers that sign it want it back as it was.
    Reasoning {
        /// The thoughts, or a summary of them; may be empty where only a signature is given.
        text: Cow<'a, str>,
        /// What proves that the provider wrote it.
        signature: Option<Cow<'a, str>>,
    },
    /// Thoughts that the provider encrypted: its own word for them.
    Redacted(Cow<'a, str>),
    /// The model calls a tool.
    ToolCall(ToolCall<'a>),
    /// What a tool returned.
    ToolResult(ToolResult<'a>),
    /// The model declines, in its own words.
    Refusal(Cow<'a, str>),
    /// Whatever stands before this in the prompt may be kept by the provider for later calls: a
    /// hint that changes no answer, dropped where a dialect has no word for it.
    CachePoint,
}

/// An image, a sound or a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Media<'a> {
    /// Where its bytes are.
    pub source: Source<'a>,
    /// Its media type, such as `image/png`, where that is said.
    pub media_type: Option<Cow<'a, str>>,
    /// How closely the model is to look: `low`, `high`, `auto`.
    pub detail: Option<Cow<'a, str>>,
    /// Its file name.
    pub name: Option<Cow<'a, str>>,
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq)]
pub enum Source<'a> {
    /// At an address, which the provider fetches.
    Url(Cow<'a, str>),
    /// Here, in base64 (RFC 4648, 4).
    Base64(Cow<'a, str>),
    /// Here, as plain text.
    Text(Cow<'a, str>),
    /// In the provider's own store, by its name there.
    File(Cow<'a, str>),
}

impl Part<'_> {
    /// What sort of part it is, in a word for messages.
    pub const fn sort(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "an image",
            Self::Audio(_) => "a sound",
            Self::Document(_) => "a document",
            Self::Reasoning { .. } | Self::Redacted(_) => "reasoning",
            Self::ToolCall(_) => "a tool call",
            Self::ToolResult(_) => "a tool result",
            Self::Refusal(_) => "a refusal",
            Self::CachePoint => "a cache point",
        }
    }
}
