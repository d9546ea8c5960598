//! The messages of a chat request, as they are written.

use super::wire::{Called, Content, File, ImageUrl, InputAudio, Message, Part, ToolCall};
use crate::llm::loss::Dropped;
use crate::llm::{self, Media, Refused, Request, Role, Source};
use crate::openai::chat::Profile;

/// All messages, instructions first.
pub(super) fn write<'r>(
    request: &'r Request<'_>,
    profile: &Profile,
    dropped: &mut Dropped,
) -> Result<Vec<Message<'r>>, Refused> {
    let mut out = Vec::with_capacity(request.messages.len() + 1);
    let said = content(&request.instructions, "instructions", dropped)?;
    if !said.is_empty() {
        let role = match profile.developer {
            true => "developer",
            false => "system",
        };
        out.push(message(role, None, Some(flat(said))));
    }
    for (at, turn) in request.messages.iter().enumerate() {
        let path = || format!("messages[{at}]");
        dropped.note("name", !profile.names && turn.name.is_some());
        let name = turn.name.as_deref().filter(|_| profile.names);
        match turn.role {
            Role::User => user(turn, name, &path(), dropped, &mut out)?,
            Role::Assistant => out.push(assistant(turn, name, &path(), dropped)?),
        }
    }
    Ok(out)
}

/// What tools returned comes first: it answers the turn before.
fn user<'r>(
    turn: &'r llm::Message<'_>,
    name: Option<&'r str>,
    path: &str,
    dropped: &mut Dropped,
    out: &mut Vec<Message<'r>>,
) -> Result<(), Refused> {
    let before = out.len();
    for part in &turn.parts {
        if let llm::Part::ToolResult(result) = part {
            let said = content(&result.parts, path, dropped)?;
            if said.iter().any(|part| !matches!(part, Part::Text { .. })) {
                let why = "takes only text from tools";
                return Err(Refused::new(path, why));
            }
            out.push(Message {
                tool_call_id: Some(&result.id),
                ..message("tool", None, Some(flat(said)))
            });
        }
    }
    let said = content(&turn.parts, path, dropped)?;
    if !said.is_empty() || out.len() == before {
        out.push(message("user", name, Some(flat(said))));
    }
    Ok(())
}

fn assistant<'r>(
    turn: &'r llm::Message<'_>,
    name: Option<&'r str>,
    path: &str,
    dropped: &mut Dropped,
) -> Result<Message<'r>, Refused> {
    let said = content(&turn.parts, path, dropped)?;
    let mut calls = Vec::new();
    let mut refusal = None;
    for part in &turn.parts {
        match part {
            llm::Part::ToolCall(call) => calls.push(ToolCall {
                id: &call.id,
                kind: "function",
                function: Called {
                    name: &call.name,
                    arguments: match call.arguments.trim() {
                        "" => "{}",
                        _ => &call.arguments,
                    },
                },
            }),
            llm::Part::Refusal(text) => refusal = Some(&**text),
            _ => {}
        }
    }
    Ok(Message {
        refusal,
        content: (!said.is_empty()).then(|| flat(said)),
        tool_calls: calls,
        ..message("assistant", name, None)
    })
}

const fn message<'r>(
    role: &'static str,
    name: Option<&'r str>,
    content: Option<Content<'r>>,
) -> Message<'r> {
    Message {
        role,
        name,
        content,
        refusal: None,
        tool_calls: Vec::new(),
        tool_call_id: None,
    }
}

/// A lone text needs no list around it, and older servers know no other form.
fn flat(mut parts: Vec<Part<'_>>) -> Content<'_> {
    match (parts.len(), parts.first()) {
        (0, _) => Content::Text(""),
        (1, Some(Part::Text { text })) => Content::Text(text),
        _ => Content::Parts(std::mem::take(&mut parts)),
    }
}

/// What of `parts` stands in a message's content.
fn content<'r>(
    parts: &'r [llm::Part<'_>],
    path: &str,
    dropped: &mut Dropped,
) -> Result<Vec<Part<'r>>, Refused> {
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            llm::Part::Text(text) => out.push(Part::Text { text }),
            llm::Part::Image(media) => out.push(image(media, path)?),
            llm::Part::Audio(media) => out.push(audio(media, path)?),
            llm::Part::Document(media) => out.push(document(media, path)?),
            llm::Part::Reasoning { .. } | llm::Part::Redacted(_) => {
                dropped.note("reasoning of earlier turns", true);
            }
            // Members of their own, or hints.
            llm::Part::ToolCall(_)
            | llm::Part::ToolResult(_)
            | llm::Part::Refusal(_)
            | llm::Part::CachePoint => {}
        }
    }
    Ok(out)
}

fn image<'r>(media: &'r Media<'_>, path: &str) -> Result<Part<'r>, Refused> {
    let url = match &media.source {
        Source::Url(url) => url.clone().into_owned(),
        Source::Base64(data) => data_url(media.media_type.as_deref().unwrap_or("image/png"), data),
        Source::Text(_) | Source::File(_) => {
            return Err(Refused::new(
                path,
                "takes images as a URL or in base64 only",
            ));
        }
    };
    Ok(Part::ImageUrl {
        image_url: ImageUrl {
            url,
            detail: media.detail.as_deref(),
        },
    })
}

fn audio<'r>(media: &'r Media<'_>, path: &str) -> Result<Part<'r>, Refused> {
    let format = media.media_type.as_deref().unwrap_or("audio/wav");
    match &media.source {
        Source::Base64(data) => Ok(Part::InputAudio {
            input_audio: InputAudio {
                data,
                format: match format.strip_prefix("audio/").unwrap_or(format) {
                    "mpeg" => "mp3",
                    "x-wav" | "wave" => "wav",
                    other => other,
                },
            },
        }),
        _ => Err(Refused::new(path, "takes sounds in base64 only")),
    }
}

fn document<'r>(media: &'r Media<'_>, path: &str) -> Result<Part<'r>, Refused> {
    let mut file = File {
        filename: media.name.as_deref(),
        file_data: None,
        file_id: None,
    };
    match &media.source {
        Source::Base64(data) => {
            let media_type = media.media_type.as_deref().unwrap_or("application/pdf");
            file.file_data = Some(data_url(media_type, data));
            file.filename = file.filename.or(Some("document.pdf"));
        }
        Source::File(id) => file.file_id = Some(id),
        // It is text, whatever it is called.
        Source::Text(text) => return Ok(Part::Text { text }),
        Source::Url(_) => {
            return Err(Refused::new(
                path,
                "fetches no documents: send it in base64",
            ));
        }
    }
    Ok(Part::File { file })
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}
