//! The turns of a conversation as items.

use std::borrow::Cow;

use super::wire::{Content, Item, Part};
use crate::llm::loss::Dropped;
use crate::llm::{self, Media, Message, Refused, Request, Role, Source, ToolResult};

/// All turns. What is said in one stands in its order, as a message between other items.
pub(super) fn write<'r>(
    request: &'r Request<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<Item<'r>>, Refused> {
    let mut items = Vec::with_capacity(request.messages.len());
    for (at, turn) in request.messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        dropped.note("name", turn.name.is_some());
        match turn.role {
            Role::User => user(turn, &path, dropped, &mut items)?,
            Role::Assistant => assistant(turn, &path, dropped, &mut items)?,
        }
    }
    Ok(items)
}

fn user<'r>(
    turn: &'r Message<'_>,
    path: &str,
    dropped: &mut Dropped,
    items: &mut Vec<Item<'r>>,
) -> Result<(), Refused> {
    let mut said = Vec::new();
    for part in &turn.parts {
        if let llm::Part::ToolResult(result) = part {
            message("user", &mut said, items);
            items.push(returned(result, path, dropped)?);
        } else {
            said.extend(attached(part, path)?);
        }
    }
    message("user", &mut said, items);
    Ok(())
}

fn assistant<'r>(
    turn: &'r Message<'_>,
    path: &str,
    dropped: &mut Dropped,
    items: &mut Vec<Item<'r>>,
) -> Result<(), Refused> {
    for part in &turn.parts {
        match part {
            // As text alone it needs no id, which only the provider's own messages have.
            llm::Part::Text(text) => items.push(Item::Message {
                role: "assistant",
                content: Content::Text(text),
            }),
            llm::Part::Refusal(refusal) => items.push(Item::Message {
                role: "assistant",
                content: Content::Parts(vec![Part::Refusal { refusal }]),
            }),
            llm::Part::ToolCall(call) => items.push(Item::FunctionCall {
                call_id: &call.id,
                name: &call.name,
                arguments: match call.arguments.trim() {
                    "" => "{}",
                    _ => &call.arguments,
                },
            }),
            llm::Part::Reasoning {
                text,
                signature: Some(signature),
            } => items.push(reasoning(text, signature)),
            llm::Part::Redacted(data) => items.push(reasoning("", data)),
            llm::Part::Reasoning { .. } => dropped.note("reasoning of earlier turns", true),
            llm::Part::CachePoint => {}
            llm::Part::Image(_)
            | llm::Part::Audio(_)
            | llm::Part::Document(_)
            | llm::Part::ToolResult(_) => {
                return Err(Refused::new(path, "takes only text and calls from a model"));
            }
        }
    }
    Ok(())
}

fn reasoning<'r>(text: &'r str, encrypted_content: &'r str) -> Item<'r> {
    let summary = Some(text).filter(|text| !text.is_empty());
    Item::Reasoning {
        summary: summary.map(|text| Part::SummaryText { text }),
        encrypted_content,
    }
}

fn returned<'r>(
    result: &'r ToolResult<'_>,
    path: &str,
    dropped: &mut Dropped,
) -> Result<Item<'r>, Refused> {
    dropped.note("is_error", result.is_error);
    let mut said = Vec::new();
    for part in &result.parts {
        said.extend(attached(part, path)?);
    }
    Ok(Item::FunctionCallOutput {
        call_id: &result.id,
        output: flat(said),
    })
}

/// What a user says or a tool returns; nothing of a hint.
fn attached<'r>(part: &'r llm::Part<'_>, path: &str) -> Result<Option<Part<'r>>, Refused> {
    match part {
        llm::Part::Text(text) => Ok(Some(Part::InputText { text })),
        llm::Part::Image(media) => image(media, path).map(Some),
        llm::Part::Document(media) => Ok(Some(document(media))),
        llm::Part::CachePoint => Ok(None),
        llm::Part::Audio(_) => Err(Refused::new(path, "takes no sounds")),
        llm::Part::Reasoning { .. }
        | llm::Part::Redacted(_)
        | llm::Part::ToolCall(_)
        | llm::Part::ToolResult(_)
        | llm::Part::Refusal(_) => Err(Refused::new(path, "takes this from a model only")),
    }
}

fn image<'r>(media: &'r Media<'_>, path: &str) -> Result<Part<'r>, Refused> {
    let (image_url, file_id) = match &media.source {
        Source::Url(url) => (Some(Cow::Borrowed(&**url)), None),
        Source::Base64(data) => (Some(data_url(media, "image/png", data)), None),
        Source::File(id) => (None, Some(&**id)),
        Source::Text(_) => return Err(Refused::new(path, "takes no image written as text")),
    };
    Ok(Part::InputImage {
        image_url,
        file_id,
        detail: media.detail.as_deref().unwrap_or("auto"),
    })
}

/// A document; of plain text it is text, whatever it is called.
fn document<'r>(media: &'r Media<'_>) -> Part<'r> {
    let filename = media.name.as_deref();
    let (filename, file_data, file_url, file_id) = match &media.source {
        Source::Base64(data) => {
            let data = data_url(media, "application/pdf", data);
            // What is sent along needs a name.
            let filename = filename.or(Some("document.pdf"));
            (filename, Some(data), None, None)
        }
        Source::Url(url) => (filename, None, Some(&**url), None),
        Source::File(id) => (filename, None, None, Some(&**id)),
        Source::Text(text) => return Part::InputText { text },
    };
    Part::InputFile {
        filename,
        file_data,
        file_url,
        file_id,
    }
}

fn data_url<'r>(media: &Media<'_>, or: &str, data: &str) -> Cow<'r, str> {
    let media_type = media.media_type.as_deref().unwrap_or(or);
    Cow::Owned(format!("data:{media_type};base64,{data}"))
}

fn message<'r>(role: &'static str, said: &mut Vec<Part<'r>>, items: &mut Vec<Item<'r>>) {
    if !said.is_empty() {
        let content = flat(std::mem::take(said));
        items.push(Item::Message { role, content });
    }
}

/// A lone text needs no list around it.
fn flat(parts: Vec<Part<'_>>) -> Content<'_> {
    match <[Part<'_>; 1]>::try_from(parts) {
        Ok([Part::InputText { text }]) => Content::Text(text),
        Ok(lone) => Content::Parts(lone.into()),
        Err(parts) => Content::Parts(parts),
    }
}
