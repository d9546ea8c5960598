//! Writes the events a caller expects.
//!
//! The dialect demands that the end of every part, every item and the response says all of it again,
//! so that the whole answer has to be held until it ends. That is bounded by [`MOST`]: an answer
//! that grows beyond it fails.
//!
//! Thoughts and messages end where something else begins. Calls stay open until the answer ends,
//! for pieces of several may come in turns.

use std::borrow::Cow;

use super::item::Telling;
use super::wire::{Failure, Lifecycle, emit};
use crate::llm::{Envelope, Error, Event, Finish, ToolCall, Usage, error::Kind};
use crate::openai;
use crate::openai::responses::failure;
use crate::openai::responses::wire::{self, Item, Response};
use crate::sse;

/// The most of an answer that is held, in bytes.
pub const MOST: usize = 16 << 20;

/// What an item takes beside its text, in bytes, about.
const ITEM: usize = 256;

/// Writes a stream, event by event.
pub struct Writer {
    /// The response's own id, `resp_…`.
    id: String,
    /// What the ids of items are made of.
    seed: String,
    model: String,
    created: u64,
    sequence: u64,
    begun: bool,
    over: bool,
    items: Vec<Item<'static>>,
    /// The thoughts or the message that grow, in `items`.
    open: Option<usize>,
    /// The calls by their index, in `items`.
    calls: Vec<usize>,
    /// How many of them are done.
    calls_done: usize,
    held: usize,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Writer {
    /// A writer at the start of a stream.
    pub fn new(envelope: &Envelope<'_>) -> Self {
        Self {
            id: format!("resp_{}", envelope.id),
            seed: envelope.id.to_owned(),
            model: envelope.model.to_owned(),
            created: envelope.created,
            sequence: 0,
            begun: false,
            over: false,
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
            calls_done: 0,
            held: 0,
            finish: None,
            usage: None,
        }
    }

    /// Whether the stream has ended, well or not: nothing more is written.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Appends what `event` becomes to `out`: no event, or some. Events of other choices than the
    /// first, of which none can be asked for in this dialect, become nothing.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Ping => sse::write_comment(out, "keep-alive"),
            Event::Failed(error) => self.fail(error, out),
            Event::Begin { id, model, .. } => {
                if let Some(own) = id.as_deref().filter(|id| id.starts_with("resp_")) {
                    self.id = own.to_owned();
                }
                if let Some(model) = model {
                    self.model = model.clone().into_owned();
                }
                self.begin(out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => {
                self.begin(out);
                self.end(out);
            }
            content => {
                self.begin(out);
                self.held += weight(content);
                if self.held > MOST {
                    return self.fail(&too_long(), out);
                }
                self.content(content, out);
            }
        }
    }

    fn content(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Text { choice: 0, text } if !text.is_empty() => {
                let at = self.message(out);
                self.telling(at, out).say(text, false);
            }
            Event::Refusal { choice: 0, text } if !text.is_empty() => {
                let at = self.message(out);
                self.telling(at, out).say(text, true);
            }
            Event::Reasoning { choice: 0, text } if !text.is_empty() => {
                let at = self.thoughts(out);
                self.telling(at, out).think(text);
            }
            Event::Signature {
                choice: 0,
                signature,
            } => {
                let at = self.thoughts(out);
                if let Item::Reasoning {
                    encrypted_content, ..
                } = &mut self.items[at]
                {
                    *encrypted_content = Some(Cow::Owned(signature.clone().into_owned()));
                }
                self.close("completed", out);
            }
            Event::Redacted { choice: 0, data } => {
                self.close("completed", out);
                let at = self.items.len();
                let data = Cow::Owned(data.clone().into_owned());
                self.add(Item::redacted(&self.seed, at, data), out);
                self.telling(at, out).done("completed");
            }
            Event::Call {
                choice: 0,
                id,
                name,
                signature,
                ..
            } => {
                let signature = signature.as_deref();
                self.call(id, name, signature, out);
            }
            Event::Arguments {
                choice: 0,
                index,
                json,
            } if !json.is_empty() => self.arguments(*index, json, out),
            Event::Finish {
                choice: 0, reason, ..
            } => {
                self.finish = Some(*reason);
                self.close_all(out);
            }
            _ => {}
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let response = Response::new(&self.id, &self.model, self.created, &[]);
        for kind in ["response.created", "response.in_progress"] {
            let response = &response;
            emit(out, &mut self.sequence, kind, &Lifecycle { response });
        }
    }

    fn call(&mut self, id: &str, name: &str, signature: Option<&str>, out: &mut Vec<u8>) {
        self.close("completed", out);
        let at = self.items.len();
        let call = ToolCall {
            id: Cow::Owned(id.to_owned()),
            name: Cow::Owned(name.to_owned()),
            arguments: Cow::Borrowed(""),
            signature: signature.map(|signature| Cow::Owned(signature.to_owned())),
        };
        self.calls.push(at);
        self.add(Item::call(&self.seed, at, call), out);
    }

    fn arguments(&mut self, index: u64, json: &str, out: &mut Vec<u8>) {
        let open = usize::try_from(index)
            .ok()
            .filter(|index| *index >= self.calls_done);
        match open.and_then(|index| self.calls.get(index).copied()) {
            Some(at) => self.telling(at, out).argue(json),
            None => {
                let message = "the model's provider sent arguments of a call that is not open";
                self.fail(&internal(message), out);
            }
        }
    }

    /// Where the message stands that grows.
    fn message(&mut self, out: &mut Vec<u8>) -> usize {
        self.open_as(
            |item| matches!(item, Item::Message { .. }),
            |seed, at| Item::message(seed, at, Vec::new()),
            out,
        )
    }

    /// Where the thoughts stand that grow.
    fn thoughts(&mut self, out: &mut Vec<u8>) -> usize {
        self.open_as(
            |item| matches!(item, Item::Reasoning { .. }),
            |seed, at| Item::reasoning(seed, at, None, None),
            out,
        )
    }

    fn open_as(
        &mut self,
        is_wanted: fn(&Item<'_>) -> bool,
        new: fn(&str, usize) -> Item<'static>,
        out: &mut Vec<u8>,
    ) -> usize {
        match self.open {
            Some(at) if is_wanted(&self.items[at]) => at,
            _ => {
                self.close("completed", out);
                let at = self.items.len();
                self.add(new(&self.seed, at), out);
                self.open = Some(at);
                at
            }
        }
    }

    fn add(&mut self, item: Item<'static>, out: &mut Vec<u8>) {
        let at = self.items.len();
        self.held += ITEM;
        self.items.push(item);
        self.telling(at, out).added();
    }

    /// Ends the thoughts or the message that grow, if any do.
    fn close(&mut self, status: &'static str, out: &mut Vec<u8>) {
        if let Some(at) = self.open.take() {
            self.telling(at, out).done(status);
        }
    }

    /// Ends whatever is open. What grew last is cut short if the answer is.
    fn close_all(&mut self, out: &mut Vec<u8>) {
        let status = wire::status(self.finish);
        while let Some(at) = self.calls.get(self.calls_done).copied() {
            self.calls_done += 1;
            self.telling(at, out).done(status);
        }
        self.close(status, out);
    }

    fn telling<'w>(&'w mut self, at: usize, out: &'w mut Vec<u8>) -> Telling<'w> {
        Telling {
            item: &mut self.items[at],
            at,
            sequence: &mut self.sequence,
            out,
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.close_all(out);
        self.over = true;
        let response = Response::new(&self.id, &self.model, self.created, &self.items);
        let mut response = response.ended(self.finish);
        response.usage = self.usage.map(wire::Usage::from);
        let kind = match response.status {
            "completed" => "response.completed",
            _ => "response.incomplete",
        };
        let response = &response;
        emit(out, &mut self.sequence, kind, &Lifecycle { response });
    }

    /// Ends the stream badly: the response as far as it came has failed, and then the error, which
    /// official client libraries raise.
    fn fail(&mut self, error: &Error<'_>, out: &mut Vec<u8>) {
        self.over = true;
        let code = failure::code(error.kind);
        if self.begun {
            let open = self.calls[self.calls_done..].iter().chain(&self.open);
            for at in open {
                self.items[*at].set_status("incomplete");
            }
            let response = Response::new(&self.id, &self.model, self.created, &self.items);
            let mut response = response.failed(code, &error.message);
            response.usage = self.usage.map(wire::Usage::from);
            let response = &response;
            emit(
                out,
                &mut self.sequence,
                "response.failed",
                &Lifecycle { response },
            );
        }
        let param = error.param.as_deref();
        let code = error.code.as_deref().unwrap_or(code);
        let failure = Failure {
            code,
            message: &error.message,
            param,
            error: openai::error::Error {
                message: &error.message,
                kind: failure::class(error.kind),
                param,
                code: Some(code),
                extra: None,
            },
        };
        emit(out, &mut self.sequence, "error", &failure);
    }
}

/// How much of an event is held, in bytes.
fn weight(event: &Event<'_>) -> usize {
    match event {
        Event::Text { text, .. } | Event::Reasoning { text, .. } | Event::Refusal { text, .. } => {
            text.len()
        }
        Event::Signature {
            signature: text, ..
        }
        | Event::Redacted { data: text, .. }
        | Event::Arguments { json: text, .. } => text.len(),
        Event::Call {
            id,
            name,
            signature,
            ..
        } => id.len() + name.len() + signature.as_deref().map_or(0, str::len),
        _ => 0,
    }
}

fn too_long() -> Error<'static> {
    internal(
        "the answer is longer than can be told in this dialect's stream, which repeats it whole",
    )
}

fn internal(message: &'static str) -> Error<'static> {
    Error {
        kind: Kind::Internal,
        message: Cow::Borrowed(message),
        param: None,
        code: None,
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What it holds is an answer: never printed.
        f.debug_struct("Writer")
            .field("id", &self.id)
            .field("items", &self.items.len())
            .field("held", &self.held)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
