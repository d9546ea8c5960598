//! What a caller gets: an event for each piece (`alt=sse`), or the pieces as one JSON array.
//!
//! Every piece holds a candidate with a part in it, since Google's clients keep no turn in their
//! history of which a piece has none. Why candidates ended and what was used stand in the last
//! piece, so the ends wait for it.

use std::borrow::Cow;

use super::calls::Calls;
use crate::gemini::answer::{self, Candidate, Response};
use crate::gemini::wire::{self, Content, MODEL, Part};
use crate::gemini::{error, finish, thought, usage};
use crate::llm::error::Kind;
use crate::llm::{Envelope, Error, Event, Finish, ToolCall, Usage};

/// Writes a stream of `streamGenerateContent` (Gemini API v1beta, Vertex AI v1).
///
/// The keep-alive is an empty line: Google's Python client takes a comment for an error.
#[derive(Debug)]
pub struct Writer {
    id: String,
    model: String,
    tell_usage: bool,
    form: Form,
    usage: Option<Usage>,
    calls: Calls,
    ended: Vec<(u64, Finish)>,
    /// Nothing follows.
    over: bool,
}

/// How pieces stand in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Events,
    Array { empty: bool },
}

impl Writer {
    /// For callers that asked for `alt=sse`. `usage`: whether the last piece tells what was used,
    /// as the dialect's always does.
    pub fn new(envelope: Envelope<'_>, usage: bool) -> Self {
        Self {
            id: envelope.id.to_owned(),
            model: envelope.model.to_owned(),
            tell_usage: usage,
            form: Form::Events,
            usage: None,
            calls: Calls::default(),
            ended: Vec::new(),
            over: false,
        }
    }

    /// For callers that did not: the stream is one JSON array (`application/json`).
    pub fn array(envelope: Envelope<'_>, usage: bool) -> Self {
        Self {
            form: Form::Array { empty: true },
            ..Self::new(envelope, usage)
        }
    }

    /// Appends what `event` becomes to `out`: nothing, if it waits for what follows. A call is
    /// written once it is whole, which is when another part or the end of its choice comes. One
    /// larger than 1 MiB, or that goes on after another began, fails the stream.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Begin { id, model, .. } => self.begin(id.as_deref(), model.as_deref()),
            Event::Call {
                choice,
                index,
                id,
                name,
                signature,
            } => {
                self.close(*choice, out);
                let call = ToolCall {
                    id: Cow::Owned(id.clone().into_owned()),
                    name: Cow::Owned(name.clone().into_owned()),
                    arguments: Cow::Borrowed(""),
                    signature: signature.clone().map(|text| Cow::Owned(text.into_owned())),
                };
                let fits = self.calls.begin(*choice, *index, call);
                self.hold(fits, out);
            }
            Event::Arguments {
                choice,
                index,
                json,
            } => {
                let fits = self.calls.add(*choice, *index, json);
                self.hold(fits, out);
            }
            Event::Finish { choice, reason, .. } => {
                self.close(*choice, out);
                self.ended.push((*choice, *reason));
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Ping => out.push(b'\n'),
            Event::Failed(error) => self.fail(error, out),
            Event::End => self.end(out),
            Event::Text { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::Signature { choice, .. }
            | Event::Redacted { choice, .. } => {
                if let Some(part) = part(event) {
                    self.close(*choice, out);
                    self.piece(*choice, part, out);
                }
            }
            Event::Foreign { .. } => {}
        }
    }

    fn begin(&mut self, id: Option<&str>, model: Option<&str>) {
        if let Some(id) = id {
            id.clone_into(&mut self.id);
        }
        if let Some(model) = model {
            model.clone_into(&mut self.model);
        }
    }

    /// Writes the call that is being put together for `choice`, if there is one.
    fn close(&mut self, choice: u64, out: &mut Vec<u8>) {
        let Some(call) = self.calls.take(choice) else {
            return;
        };
        let part = Part {
            function_call: Some(wire::Call {
                id: &call.id,
                name: &call.name,
                args: call.object().into_owned(),
            }),
            thought_signature: call.signature.as_deref().and_then(answer::signature),
            ..Part::default()
        };
        self.piece(choice, part, out);
    }

    fn piece(&mut self, choice: u64, part: Part<'_>, out: &mut Vec<u8>) {
        self.response(vec![candidate(choice, part, None)], None, out);
    }

    /// The last piece: why each choice ended, and what was used.
    fn end(&mut self, out: &mut Vec<u8>) {
        while let Some(choice) = self.calls.any() {
            self.close(choice, out);
        }
        let ended = std::mem::take(&mut self.ended);
        let usage = self.usage.filter(|_| self.tell_usage);
        let mut candidates: Vec<Candidate<'_>> = ended
            .into_iter()
            .map(|(choice, reason)| candidate(choice, Part::text(""), Some(reason)))
            .collect();
        if candidates.is_empty() && usage.is_some() {
            candidates.push(candidate(0, Part::text(""), None));
        }
        if !candidates.is_empty() {
            self.response(candidates, usage, out);
        }
        self.close_form(out);
    }

    /// Ends the stream unless what was to be held could be.
    fn hold(&mut self, fits: bool, out: &mut Vec<u8>) {
        if !fits {
            let error = Error {
                kind: Kind::Internal,
                message: "a tool call was too long, or came in pieces that cannot be joined".into(),
                param: None,
                code: None,
            };
            self.fail(&error, out);
        }
    }

    fn fail(&mut self, failure: &Error<'_>, out: &mut Vec<u8>) {
        self.open_piece(out);
        error::write(out, error::status_of(failure.kind), failure, None, "");
        self.close_piece(out);
        self.close_form(out);
    }

    fn response(
        &mut self,
        candidates: Vec<Candidate<'_>>,
        usage: Option<Usage>,
        out: &mut Vec<u8>,
    ) {
        self.open_piece(out);
        let response = Response {
            candidates,
            usage_metadata: usage.as_ref().map(usage::Wire::of),
            model_version: &self.model,
            response_id: &self.id,
        };
        answer::body(out, &response);
        self.close_piece(out);
    }

    fn open_piece(&mut self, out: &mut Vec<u8>) {
        match &mut self.form {
            Form::Events => out.extend_from_slice(b"data: "),
            Form::Array { empty } => {
                let is_first = std::mem::replace(empty, false);
                out.extend_from_slice(if is_first { b"[" } else { b",\n" });
            }
        }
    }

    fn close_piece(&self, out: &mut Vec<u8>) {
        if self.form == Form::Events {
            out.extend_from_slice(b"\n\n");
        }
    }

    fn close_form(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        match self.form {
            Form::Events => {}
            Form::Array { empty: true } => out.extend_from_slice(b"[]"),
            Form::Array { empty: false } => out.push(b']'),
        }
    }
}

/// What an event that is said at once becomes, if it says anything that the dialect can hold.
fn part<'w>(event: &'w Event<'_>) -> Option<Part<'w>> {
    match event {
        Event::Text { text, .. } | Event::Refusal { text, .. } => {
            (!text.is_empty()).then(|| Part::text(text))
        }
        Event::Reasoning { text, .. } => (!text.is_empty()).then(|| Part::thought(text, None)),
        Event::Signature { signature, .. } => {
            thought::carry(signature).map(|proof| Part::thought("", Some(proof)))
        }
        Event::Redacted { data, .. } => {
            thought::carry_redacted(data).map(|proof| Part::thought("", Some(proof)))
        }
        _ => None,
    }
}

fn candidate(choice: u64, part: Part<'_>, reason: Option<Finish>) -> Candidate<'_> {
    Candidate {
        content: Content {
            role: Some(MODEL),
            parts: vec![part],
        },
        finish_reason: reason.map(finish::word),
        index: choice,
    }
}
