//! Writes what stands in a turn, block by block. Text without anything but white space is left out:
//! Anthropic refuses it.

use std::borrow::Cow;

use serde::Serialize;

use super::call_id;
use super::media::{self, Source};
use crate::llm::loss::{Dropped, Refused};
use crate::llm::{Json, Media, Part, Role, ToolResult};

/// A mark: what stands before it in the prompt may be kept.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Cached {
    #[serde(rename = "type")]
    sort: &'static str,
}

/// The mark of a block that is cached.
pub(super) const CACHED: Cached = Cached { sort: "ephemeral" };

/// A block of content.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'r> {
    Text {
        text: &'r str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cached>,
    },
    Image {
        source: Source<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cached>,
    },
    Document {
        source: Source<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cached>,
    },
    Thinking {
        thinking: &'r str,
        signature: &'r str,
    },
    RedactedThinking {
        data: &'r str,
    },
    ToolUse {
        id: Cow<'r, str>,
        name: &'r str,
        input: Json<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cached>,
    },
    ToolResult {
        tool_use_id: Cow<'r, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'r>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cached>,
    },
}

impl Block<'_> {
    /// Whether it is what the model thought.
    pub(super) const fn is_thought(&self) -> bool {
        matches!(self, Self::Thinking { .. } | Self::RedactedThinking { .. })
    }

    /// Whether it is what a tool returned.
    pub(super) const fn is_result(&self) -> bool {
        matches!(self, Self::ToolResult { .. })
    }

    /// Whether it calls a tool.
    pub(super) const fn is_call(&self) -> bool {
        matches!(self, Self::ToolUse { .. })
    }

    /// Marks the block. Thoughts cannot be marked.
    fn cache(&mut self) -> bool {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => *cache_control = Some(CACHED),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => return false,
        }
        true
    }
}

/// The instructions as blocks, and whether what stands before them is to be cached.
pub(super) fn instructions<'r>(parts: &'r [Part<'_>]) -> Result<(Vec<Block<'r>>, bool), Refused> {
    let mut blocks = Vec::with_capacity(parts.len());
    let mut before = false;
    for part in parts {
        match part {
            Part::Text(text) => blocks.extend(self::text(text)),
            Part::CachePoint => before |= !cache(&mut blocks),
            _ => return Err(Refused::new("system", "takes instructions as text")),
        }
    }
    Ok((blocks, before))
}

/// What is said in a message of this role, which stands at `path`.
pub(super) fn content<'r>(
    role: Role,
    parts: &'r [Part<'_>],
    path: &str,
    dropped: &mut Dropped,
) -> Result<Vec<Block<'r>>, Refused> {
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        let block = match (part, role) {
            (Part::CachePoint, _) => {
                cache(&mut blocks);
                None
            }
            (Part::Text(text), _) | (Part::Refusal(text), Role::Assistant) => self::text(text),
            (Part::Image(_) | Part::Document(_), Role::User) => Some(medium(part, path, dropped)?),
            (Part::ToolResult(result), Role::User) => Some(tool_result(result, path, dropped)?),
            (Part::ToolCall(call), Role::Assistant) => Some(Block::ToolUse {
                id: call_id::fit(&call.id),
                name: &call.name,
                input: call.object(),
                cache_control: None,
            }),
            (Part::Reasoning { text, signature }, Role::Assistant) => {
                // Thoughts without a proof are another provider's: Anthropic refuses them.
                dropped.note("reasoning of earlier turns", signature.is_none());
                signature.as_deref().map(|signature| Block::Thinking {
                    thinking: text,
                    signature,
                })
            }
            (Part::Redacted(data), Role::Assistant) => Some(Block::RedactedThinking { data }),
            _ => return Err(Refused::new(path, misplaced(part))),
        };
        blocks.extend(block);
    }
    Ok(blocks)
}

const fn misplaced(part: &Part<'_>) -> &'static str {
    match part {
        Part::Audio(_) => "takes no sound",
        Part::Image(_) | Part::Document(_) => "takes images and documents from users only",
        Part::ToolResult(_) => "takes results of tools from users only",
        _ => "takes thoughts, refusals and calls of tools from assistants only",
    }
}

fn text(text: &str) -> Option<Block<'_>> {
    let is_blank = text.trim().is_empty();
    (!is_blank).then_some(Block::Text {
        text,
        cache_control: None,
    })
}

/// Marks the last block that can be marked; whether there is one.
fn cache(blocks: &mut [Block<'_>]) -> bool {
    blocks.iter_mut().rev().any(Block::cache)
}

fn medium<'r>(part: &'r Part<'_>, path: &str, dropped: &mut Dropped) -> Result<Block<'r>, Refused> {
    let note = |media: &Media<'_>, dropped: &mut Dropped| {
        let detail = media.detail.as_deref();
        dropped.note("detail", detail.is_some_and(|detail| detail != "auto"));
    };
    match part {
        Part::Image(media) => {
            note(media, dropped);
            Ok(Block::Image {
                source: media::write_image(media, path)?,
                cache_control: None,
            })
        }
        Part::Document(media) => {
            note(media, dropped);
            Ok(Block::Document {
                source: media::write_document(media, path)?,
                title: media.name.as_deref(),
                cache_control: None,
            })
        }
        _ => Err(Refused::new(path, misplaced(part))),
    }
}

fn tool_result<'r>(
    result: &'r ToolResult<'_>,
    path: &str,
    dropped: &mut Dropped,
) -> Result<Block<'r>, Refused> {
    let mut content = Vec::with_capacity(result.parts.len());
    for part in &result.parts {
        match part {
            Part::Text(text) => content.extend(self::text(text)),
            Part::Image(_) | Part::Document(_) => content.push(medium(part, path, dropped)?),
            Part::CachePoint => {
                cache(&mut content);
            }
            _ => {
                let why = "takes text, images and documents as results of tools";
                return Err(Refused::new(path, why));
            }
        }
    }
    Ok(Block::ToolResult {
        tool_use_id: call_id::fit(&result.id),
        content,
        is_error: result.is_error,
        cache_control: None,
    })
}
