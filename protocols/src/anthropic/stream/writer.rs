//! Writes the events of a stream, in the order in which official clients put them together again.
//! Keeps which block is open, the last usage, and calls that came too early.

use serde::Serialize;

use super::calls::{Calls, Step};
use super::wire::{
    Bare, BlockDelta, BlockStart, BlockStop, Delta, Empty, Ending, Message, MessageDelta, Opening,
    Start,
};
use crate::anthropic::{error, finish};
use crate::llm::error::Kind;
use crate::llm::{Envelope, Error, Event, Finish, Usage};

/// Writes one stream.
///
/// It knows one choice: what belongs to another is left out. Usage always ends the stream; numbers
/// the provider does not tell are zero, since clients require them. A refusal is text, with
/// `refusal` as the reason to stop.
#[derive(Debug)]
pub struct Writer {
    id: String,
    model: String,
    stage: Stage,
    /// The number of the open block, or else of the next.
    block: u64,
    open: Open,
    calls: Calls,
    refused: bool,
    finish: Option<(Finish, Option<String>)>,
    usage: Usage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is written.
    Before,
    Within,
    /// The end is written, or an error.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Thinking,
    Call,
    /// A block that came whole.
    Whole,
}

impl Writer {
    /// A writer at the start of a stream, whose answer has what `envelope` says where the provider
    /// says nothing.
    pub fn new(envelope: &Envelope<'_>) -> Self {
        Self {
            id: format!("msg_{}", envelope.id),
            model: envelope.model.to_owned(),
            stage: Stage::Before,
            block: 0,
            open: Open::Nothing,
            calls: Calls::default(),
            refused: false,
            finish: None,
            usage: Usage::new(0, 0),
        }
    }

    /// Appends what `event` becomes to `out`: no event, one or several.
    ///
    /// The start is written with whatever follows it, so that usage known by then stands in it.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.stage == Stage::Over {
            return;
        }
        match event {
            Event::Begin { id, model, .. } => self.begin(id.as_deref(), model.as_deref()),
            Event::Usage(usage) => self.usage = *usage,
            Event::Text { choice: 0, text } => self.text(text, out),
            Event::Refusal { choice: 0, text } => {
                self.refused = true;
                self.text(text, out);
            }
            Event::Reasoning { choice: 0, text } if !text.is_empty() => {
                self.thinking(&Delta::Thinking { thinking: text }, out);
            }
            Event::Signature {
                choice: 0,
                signature,
            } => {
                self.thinking(&Delta::Signature { signature }, out);
                self.leave(out);
            }
            Event::Redacted { choice: 0, data } => {
                self.leave(out);
                self.start_block(Open::Whole, &Opening::RedactedThinking { data }, out);
                self.stop_block(out);
            }
            Event::Call {
                choice: 0,
                index,
                id,
                name,
                ..
            } => self.call(*index, id, name, out),
            Event::Arguments {
                choice: 0,
                index,
                json,
            } => self.arguments(*index, json, out),
            Event::Finish {
                choice: 0,
                reason,
                stopped_at,
            } => {
                self.leave(out);
                self.finish = Some((*reason, stopped_at.as_deref().map(str::to_owned)));
            }
            Event::Ping => {
                self.start(out);
                put(out, "ping", &Bare { sort: "ping" });
            }
            Event::Failed(error) => self.fail(error, out),
            Event::End => self.end(out),
            _ => {}
        }
    }

    fn begin(&mut self, id: Option<&str>, model: Option<&str>) {
        if let Some(id) = id {
            self.id = id.to_owned();
        }
        if let Some(model) = model {
            self.model = model.to_owned();
        }
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.enter(Open::Text, &Opening::Text { text: "" }, out);
        self.piece(&Delta::Text { text }, out);
    }

    fn thinking(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let opening = Opening::Thinking {
            thinking: "",
            signature: "",
        };
        self.enter(Open::Thinking, &opening, out);
        self.piece(delta, out);
    }

    fn call(&mut self, index: u64, id: &str, name: &str, out: &mut Vec<u8>) {
        match self.calls.begin(index, id, name) {
            Step::Write => {
                self.stop_block(out);
                self.start_call(id, name, out);
            }
            Step::Hold => {}
            Step::Fail => self.fail_mixed(out),
        }
    }

    fn arguments(&mut self, index: u64, json: &str, out: &mut Vec<u8>) {
        match self.calls.piece(index, json) {
            Step::Write => self.input(json, out),
            Step::Hold => {}
            Step::Fail => return self.fail_mixed(out),
        }
        while let Some(held) = self.calls.next(false) {
            self.stop_block(out);
            self.start_call(&held.id, &held.name, out);
            self.input(&held.json, out);
        }
    }

    fn start_call(&mut self, id: &str, name: &str, out: &mut Vec<u8>) {
        let opening = Opening::ToolUse {
            id,
            name,
            input: Empty {},
        };
        self.start_block(Open::Call, &opening, out);
    }

    fn input(&mut self, json: &str, out: &mut Vec<u8>) {
        if !json.is_empty() {
            self.piece(&Delta::InputJson { partial_json: json }, out);
        }
    }

    /// Makes the open block one of this sort.
    fn enter(&mut self, open: Open, opening: &Opening<'_>, out: &mut Vec<u8>) {
        if self.open != open {
            self.leave(out);
            self.start_block(open, opening, out);
        }
    }

    /// Closes the open block, and writes the calls that wait for it.
    fn leave(&mut self, out: &mut Vec<u8>) {
        self.stop_block(out);
        while let Some(held) = self.calls.next(true) {
            self.start_call(&held.id, &held.name, out);
            self.input(&held.json, out);
            self.stop_block(out);
        }
        self.calls.close();
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if self.stage != Stage::Before {
            return;
        }
        self.stage = Stage::Within;
        let data = Start {
            sort: "message_start",
            message: Message {
                id: &self.id,
                sort: "message",
                role: "assistant",
                model: &self.model,
                content: [],
                stop_reason: None,
                stop_sequence: None,
                usage: self.usage.into(),
            },
        };
        put(out, data.sort, &data);
    }

    fn start_block(&mut self, open: Open, block: &Opening<'_>, out: &mut Vec<u8>) {
        self.start(out);
        self.open = open;
        let data = BlockStart {
            sort: "content_block_start",
            index: self.block,
            content_block: block,
        };
        put(out, data.sort, &data);
    }

    fn piece(&self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        let data = BlockDelta {
            sort: "content_block_delta",
            index: self.block,
            delta,
        };
        put(out, data.sort, &data);
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        if self.open == Open::Nothing {
            return;
        }
        self.open = Open::Nothing;
        let data = BlockStop {
            sort: "content_block_stop",
            index: self.block,
        };
        put(out, data.sort, &data);
        self.block += 1;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        self.leave(out);
        self.stage = Stage::Over;
        let (reason, stopped_at) = self.finish.take().unwrap_or((Finish::Stop, None));
        let data = MessageDelta {
            sort: "message_delta",
            delta: Ending {
                stop_reason: finish::write_refused(reason, self.refused),
                stop_sequence: stopped_at.as_deref(),
            },
            usage: self.usage.into(),
        };
        put(out, data.sort, &data);
        put(
            out,
            "message_stop",
            &Bare {
                sort: "message_stop",
            },
        );
    }

    fn fail(&mut self, error: &Error<'_>, out: &mut Vec<u8>) {
        self.stage = Stage::Over;
        put(out, "error", &error::event(error));
    }

    fn fail_mixed(&mut self, out: &mut Vec<u8>) {
        let error = Error {
            kind: Kind::Internal,
            message: "the model's provider sent tool calls mixed in a way that this API cannot \
                      express; ask for one call at a time with disable_parallel_tool_use"
                .into(),
            param: None,
            code: None,
        };
        self.fail(&error, out);
    }
}

/// Appends an event. JSON has no line break outside of escapes, so its data is one line.
fn put(out: &mut Vec<u8>, name: &str, data: &impl Serialize) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut *out, data).expect("text and numbers always serialise");
    out.extend_from_slice(b"\n\n");
}
