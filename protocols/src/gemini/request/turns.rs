//! The turns of a conversation, written. Turns of one role become one: the results of a turn's
//! calls must all stand in the turn after it, and nothing else beside them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::media;
use crate::gemini::model::Generation;
use crate::gemini::thought;
use crate::gemini::wire::{self, Content, MODEL, USER};
use crate::llm::loss::Dropped;
use crate::llm::{
    Json, Media, Message, Part, Refused, Request, Role, Source, ToolCall, ToolResult,
};

/// Writes the conversation. What the model thought is left out: Gemini takes its own thoughts back
/// only as signatures of calls, and other models' not at all.
///
/// # Errors
/// If a part cannot be said.
pub(super) fn write<'w>(
    request: &'w Request<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<Content<'w>>, Refused> {
    let mut turns = Turns {
        names: names(request),
        generation: Generation::of(&request.model),
        dropped,
        role: None,
        called: false,
        results: Vec::new(),
        said: Vec::new(),
        contents: Vec::new(),
    };
    for (at, message) in request.messages.iter().enumerate() {
        turns.message(message, at)?;
    }
    turns.end();
    Ok(turns.contents)
}

/// The tools' names by the ids of their calls; of calls with one id, the last.
fn names<'w>(request: &'w Request<'_>) -> HashMap<&'w str, &'w str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) => Some((&*call.id, &*call.name)),
        _ => None,
    });
    calls.collect()
}

struct Turns<'w, 'd> {
    names: HashMap<&'w str, &'w str>,
    generation: Generation,
    dropped: &'d mut Dropped,
    /// Who speaks in the turn that is being written.
    role: Option<Role>,
    /// Whether the model called a tool in it already.
    called: bool,
    /// What tools returned in it.
    results: Vec<wire::Part<'w>>,
    /// What else is said in it.
    said: Vec<wire::Part<'w>>,
    contents: Vec<Content<'w>>,
}

impl<'w> Turns<'w, '_> {
    fn message(&mut self, message: &'w Message<'_>, at: usize) -> Result<(), Refused> {
        if self.role != Some(message.role) {
            self.end();
            self.role = Some(message.role);
        }
        self.dropped.note("name", message.name.is_some());
        for part in &message.parts {
            self.part(part, at)?;
        }
        Ok(())
    }

    /// Writes the turn, if anything is said in it.
    fn end(&mut self) {
        self.called = false;
        let role = match self.role {
            Some(Role::Assistant) => MODEL,
            _ => USER,
        };
        for parts in [&mut self.results, &mut self.said] {
            if !parts.is_empty() {
                self.contents.push(Content {
                    role: Some(role),
                    parts: std::mem::take(parts),
                });
            }
        }
    }

    fn part(&mut self, part: &'w Part<'_>, at: usize) -> Result<(), Refused> {
        match part {
            Part::Text(text) | Part::Refusal(text) if text.is_empty() => {}
            Part::Text(text) | Part::Refusal(text) => self.said.push(wire::Part::text(text)),
            Part::Image(media) | Part::Audio(media) | Part::Document(media) => {
                self.media(media, at)?;
            }
            Part::Reasoning { .. } | Part::Redacted(_) => {
                self.dropped.note("reasoning of earlier turns", true);
            }
            Part::ToolCall(call) => {
                let call = self.call(call);
                self.said.push(call);
            }
            Part::ToolResult(result) => {
                let result = self.result(result, at)?;
                self.results.push(result);
            }
            // Gemini finds what it keeps of a prompt by itself.
            Part::CachePoint => {}
        }
        Ok(())
    }

    fn media(&mut self, media: &'w Media<'_>, at: usize) -> Result<(), Refused> {
        let closely = media
            .detail
            .as_deref()
            .is_some_and(|detail| detail != "auto");
        self.dropped.note("detail", closely);
        self.dropped.note("filename", media.name.is_some());
        let is_empty = matches!(&media.source, Source::Text(text) if text.is_empty());
        if !is_empty {
            let part = media::write(media, &format!("messages[{at}]"))?;
            self.said.push(part);
        }
        Ok(())
    }

    /// A call. Of the calls of a turn, Gemini signs the first and from generation 3 on refuses that
    /// one without a signature; for one that it did not write there is a word that says so.
    fn call(&mut self, call: &'w ToolCall<'_>) -> wire::Part<'w> {
        let is_first = !std::mem::replace(&mut self.called, true);
        let unsigned = (is_first && self.generation.is_third()).then_some(thought::UNSIGNED);
        wire::Part {
            function_call: Some(wire::Call {
                id: &call.id,
                name: &call.name,
                args: call.object().into_owned(),
            }),
            thought_signature: call.signature.as_deref().or(unsigned).map(Cow::Borrowed),
            ..wire::Part::default()
        }
    }

    fn result(&self, result: &'w ToolResult<'_>, at: usize) -> Result<wire::Part<'w>, Refused> {
        let path = || format!("messages[{at}]");
        let name = result.name.as_deref().filter(|name| !name.is_empty());
        let name = name.or_else(|| self.names.get(&*result.id).copied());
        let name = name.ok_or_else(|| {
            let why = "must be told which tool returned a result, and no call here has its id";
            Refused::new(path(), why)
        })?;
        let mut texts = Vec::new();
        let mut parts = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text(text) | Part::Refusal(text) => texts.push(&**text),
                Part::Image(media) | Part::Document(media) => match &media.source {
                    Source::Text(text) => texts.push(text),
                    Source::Base64(data) if self.generation.is_third() => parts.push(wire::Part {
                        inline_data: Some(media::blob(media, data, &path())?),
                        ..wire::Part::default()
                    }),
                    Source::Base64(_) => {
                        let why = "takes media from tools from Gemini 3 on only";
                        return Err(Refused::new(path(), why));
                    }
                    Source::Url(_) | Source::File(_) => {
                        let why = "takes media from tools as bytes only";
                        return Err(Refused::new(path(), why));
                    }
                },
                Part::CachePoint => {}
                _ => return Err(Refused::new(path(), "takes text and media from tools only")),
            }
        }
        Ok(wire::Part {
            function_response: Some(wire::Response {
                id: &result.id,
                name,
                response: outcome(texts, result.is_error),
                parts,
            }),
            ..wire::Part::default()
        })
    }
}

/// What a tool returned, as an object: its own if it is one.
fn outcome<'w>(texts: Vec<&'w str>, is_error: bool) -> wire::Outcome<'w> {
    let text = match texts[..] {
        [text] => Cow::Borrowed(text),
        _ => Cow::Owned(texts.concat()),
    };
    let trimmed = text.trim();
    let object = trimmed
        .starts_with('{')
        .then(|| Json::parse(trimmed))
        .flatten();
    match (object, is_error) {
        (Some(object), false) => wire::Outcome::Object(object.into_owned()),
        (Some(error), true) => wire::Outcome::FailedObject {
            error: error.into_owned(),
        },
        (None, false) => wire::Outcome::Text { result: text },
        (None, true) => wire::Outcome::Failed { error: text },
    }
}
