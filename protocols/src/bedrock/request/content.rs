//! The conversation: turns that alternate, and what is said in each.

use super::id::{self, Names};
use super::{media, wire};
use crate::bedrock::model::Model;
use crate::llm::loss::Dropped;
use crate::llm::{Message, Part, Refused, Request, Role, ToolCall, ToolResult};

/// Writes the turns of `request`.
pub(super) fn messages<'r>(
    request: &'r Request<'_>,
    model: Model,
    dropped: &mut Dropped,
) -> Result<Vec<wire::Message<'r>>, Refused> {
    let mut writer = Writer {
        model,
        dropped,
        names: Names::default(),
    };
    let mut turns: Vec<wire::Message<'r>> = Vec::new();
    for (index, message) in request.messages.iter().enumerate() {
        let content = writer.turn(message, index)?;
        let role = role(message.role);
        match turns.last_mut() {
            _ if content.is_empty() => {}
            Some(last) if last.role == role => last.content.extend(content),
            None if message.role == Role::Assistant => {
                let path = format!("messages[{index}]");
                return Err(Refused::new(path, "wants the user to speak first"));
            }
            _ => turns.push(wire::Message { role, content }),
        }
    }
    if turns.is_empty() {
        return Err(Refused::new(
            "messages",
            "wants at least one turn that says something",
        ));
    }
    for turn in &mut turns {
        // What tools returned answers the turn before, and must come first. Stable.
        turn.content
            .sort_by_key(|block| !matches!(block, wire::Block::ToolResult(_)));
    }
    Ok(turns)
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

struct Writer<'d> {
    model: Model,
    dropped: &'d mut Dropped,
    names: Names,
}

impl Writer<'_> {
    fn turn<'r>(
        &mut self,
        message: &'r Message<'_>,
        index: usize,
    ) -> Result<Vec<wire::Block<'r>>, Refused> {
        self.dropped.note("name", message.name.is_some());
        let mut content = Vec::with_capacity(message.parts.len());
        for part in &message.parts {
            let path = || format!("messages[{index}]");
            if !belongs(part, message.role) {
                return Err(Refused::new(
                    path(),
                    "takes no such part from whoever speaks here",
                ));
            }
            content.extend(self.block(part, &path)?);
        }
        Ok(content)
    }

    /// The block that a part becomes; `None` if it is left out.
    fn block<'r>(
        &mut self,
        part: &'r Part<'_>,
        path: &dyn Fn() -> String,
    ) -> Result<Option<wire::Block<'r>>, Refused> {
        Ok(Some(match part {
            Part::Text(text) | Part::Refusal(text) => {
                return Ok(said(text).map(wire::Block::Text));
            }
            Part::Image(image) => {
                self.dropped.note("detail", image.detail.is_some());
                wire::Block::Image(media::image(image, &path())?)
            }
            Part::Document(document) => {
                wire::Block::Document(media::document(document, &mut self.names, &path())?)
            }
            Part::Audio(_) => return Err(Refused::new(path(), "takes no sounds")),
            Part::Reasoning {
                text,
                signature: Some(signature),
            } => {
                wire::Block::ReasoningContent(wire::Reasoning::ReasoningText(wire::ReasoningText {
                    text,
                    signature,
                }))
            }
            Part::Reasoning {
                signature: None, ..
            } => {
                self.dropped.note("reasoning_content", true);
                return Ok(None);
            }
            Part::Redacted(data) => {
                wire::Block::ReasoningContent(wire::Reasoning::RedactedContent(data))
            }
            Part::ToolCall(call) => wire::Block::ToolUse(self.call(call, path)?),
            Part::ToolResult(result) => wire::Block::ToolResult(self.result(result, path)?),
            Part::CachePoint if self.model.caches() => wire::Block::CachePoint(wire::CACHE_POINT),
            Part::CachePoint => {
                self.dropped.note("cache_control", true);
                return Ok(None);
            }
        }))
    }

    fn call<'r>(
        &mut self,
        call: &'r ToolCall<'_>,
        path: &dyn Fn() -> String,
    ) -> Result<wire::ToolUse<'r>, Refused> {
        if !id::fits(&call.name) {
            return Err(Refused::new(
                path(),
                "takes names of tools of 1 to 64 letters, digits, hyphens and underscores",
            ));
        }
        self.dropped
            .note("thought_signature", call.signature.is_some());
        Ok(wire::ToolUse {
            tool_use_id: id::fit(&call.id),
            name: &call.name,
            input: call.object(),
        })
    }

    fn result<'r>(
        &mut self,
        result: &'r ToolResult<'_>,
        path: &dyn Fn() -> String,
    ) -> Result<wire::ToolResult<'r>, Refused> {
        let mut content = Vec::with_capacity(result.parts.len());
        for part in &result.parts {
            match part {
                Part::Text(text) => content.extend(said(text).map(wire::ResultBlock::Text)),
                Part::Image(image) => {
                    self.dropped.note("detail", image.detail.is_some());
                    content.push(wire::ResultBlock::Image(media::image(image, &path())?));
                }
                Part::Document(document) => content.push(wire::ResultBlock::Document(
                    media::document(document, &mut self.names, &path())?,
                )),
                Part::CachePoint => self.dropped.note("cache_control", true),
                _ => {
                    return Err(Refused::new(
                        path(),
                        "takes only text, images and documents from a tool",
                    ));
                }
            }
        }
        Ok(wire::ToolResult {
            tool_use_id: id::fit(&result.id),
            content,
            status: result.is_error.then_some("error"),
        })
    }
}

/// The text, unless it is blank, which the API refuses.
fn said(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.trim().is_empty())
}

/// Whether a part may stand in a turn of this role.
const fn belongs(part: &Part<'_>, role: Role) -> bool {
    match part {
        Part::Text(_) | Part::CachePoint => true,
        Part::Image(_) | Part::Audio(_) | Part::Document(_) | Part::ToolResult(_) => {
            matches!(role, Role::User)
        }
        Part::Reasoning { .. } | Part::Redacted(_) | Part::ToolCall(_) | Part::Refusal(_) => {
            matches!(role, Role::Assistant)
        }
    }
}
