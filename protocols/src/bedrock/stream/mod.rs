//! The messages of `ConverseStream`, read as the events they stand for.

mod wire;

use serde::Deserialize;

use self::wire::{BlockDelta, BlockStart, BlockStop, MessageStop, Metadata};
use super::answer::Additional;
use super::{error, finish, usage};
use crate::aws::event_stream::{Kind, Message};
use crate::json::Text;
use crate::llm::{Event, Malformed};

/// Blocks of tool calls that may be open at a time. Models write one after the other; the format
/// would let them overlap.
const MAX_OPEN: usize = 64;

/// What is told of each event.
type Each<'f, 'a> = &'f mut dyn FnMut(Event<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came.
    Fresh,
    /// The answer began.
    Begun,
    /// It ended; what it used may follow.
    Stopped,
    /// Nothing follows.
    Ended,
    /// The provider failed: nothing follows.
    Failed,
}

/// Reads a stream. Holds no text: only which blocks are calls of tools.
#[derive(Debug)]
pub struct Reader {
    seed: String,
    state: State,
    /// How many calls there were.
    calls: u64,
    /// The open blocks that are calls: the block's index and the call's number.
    open: Vec<(u64, u64)>,
}

impl Reader {
    /// A reader at the start of a stream. Ids of tool calls that lack one are made of `seed`.
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            state: State::Fresh,
            calls: 0,
            open: Vec::new(),
        }
    }

    /// Whether the stream, should the bytes end now, ended as it should: the message stopped. What
    /// it used is reported after that, and missing then is only missing.
    pub const fn is_complete(&self) -> bool {
        matches!(self.state, State::Stopped | State::Ended)
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`Malformed`] if it is not what it should be at this place.
    pub fn read_message<'a>(
        &mut self,
        message: &'a Message,
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        match message.kind() {
            Kind::Event(name) => self.read(name, &message.payload, each),
            Kind::Exception(name) => {
                self.fail(error::exception(name, &message.payload), each);
                Ok(())
            }
            Kind::Error { code, message } => {
                self.fail(error::unmodelled(code, message), each);
                Ok(())
            }
            Kind::Other => Err(Malformed::new("a message of the stream has no type")),
        }
    }

    /// Reads the payload of an event of type `event_type`, or of an exception of that type. Events
    /// of other types are passed over, as are all after the end.
    ///
    /// # Errors
    /// [`Malformed`] if it is not what it should be at this place.
    pub fn read<'a>(
        &mut self,
        event_type: &str,
        payload: &'a [u8],
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        if matches!(self.state, State::Ended | State::Failed) {
            return Ok(());
        }
        match event_type {
            "messageStart" => self.begin(each),
            "contentBlockStart" => return self.block_start(parse(event_type, payload)?, each),
            "contentBlockDelta" => return self.block_delta(parse(event_type, payload)?, each),
            "contentBlockStop" => {
                let stop: BlockStop = parse(event_type, payload)?;
                self.open
                    .retain(|(block, _)| *block != stop.content_block_index);
            }
            "messageStop" => return self.message_stop(parse(event_type, payload)?, each),
            "metadata" => self.metadata(&parse(event_type, payload)?, each),
            _ if event_type.ends_with("Exception") => {
                self.fail(error::exception(event_type, payload), each);
            }
            _ => {}
        }
        Ok(())
    }

    fn begin<'a>(&mut self, each: Each<'_, 'a>) {
        if self.state == State::Fresh {
            self.state = State::Begun;
            each(Event::Begin {
                id: None,
                model: None,
                created: None,
            });
        }
    }

    /// Content is about to come.
    fn content<'a>(&mut self, each: Each<'_, 'a>) -> Result<(), Malformed> {
        self.begin(each);
        match self.state {
            State::Begun => Ok(()),
            _ => Err(Malformed::new("content follows the end of the message")),
        }
    }

    fn block_start<'a>(
        &mut self,
        block: BlockStart<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        self.content(each)?;
        let Some(tool) = block.start.and_then(|start| start.tool_use) else {
            return Ok(());
        };
        let block = block.content_block_index;
        if self.open.len() >= MAX_OPEN || self.open.iter().any(|(open, _)| *open == block) {
            return Err(Malformed::new(
                "a block starts that is already open, or too many are",
            ));
        }
        let index = self.calls;
        self.calls += 1;
        self.open.push((block, index));
        let id = tool.tool_use_id.some();
        each(Event::Call {
            choice: 0,
            index,
            id: id.unwrap_or_else(|| format!("call_{}_{index}", self.seed).into()),
            name: tool.name.0,
            signature: None,
        });
        Ok(())
    }

    fn block_delta<'a>(
        &mut self,
        block: BlockDelta<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        self.content(each)?;
        let Some(delta) = block.delta else {
            return Ok(());
        };
        let choice = 0;
        if let Some(text) = delta.text.and_then(Text::some) {
            each(Event::Text { choice, text });
        }
        if let Some(input) = delta.tool_use {
            let at = block.content_block_index;
            let open = self.open.iter().find(|(open, _)| *open == at);
            let (_, index) =
                *open.ok_or_else(|| Malformed::new("input of a tool comes outside a call"))?;
            if let Some(json) = input.input.some() {
                each(Event::Arguments {
                    choice,
                    index,
                    json,
                });
            }
        }
        if let Some(reasoning) = delta.reasoning_content {
            if let Some(text) = reasoning.text.and_then(Text::some) {
                each(Event::Reasoning { choice, text });
            }
            if let Some(signature) = reasoning.signature.and_then(Text::some) {
                each(Event::Signature { choice, signature });
            }
            if let Some(data) = reasoning.redacted_content.and_then(Text::some) {
                each(Event::Redacted { choice, data });
            }
        }
        Ok(())
    }

    fn message_stop<'a>(
        &mut self,
        stop: MessageStop<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        self.content(each)?;
        self.state = State::Stopped;
        each(Event::Finish {
            choice: 0,
            reason: finish::read(&stop.stop_reason.0),
            stopped_at: stop
                .additional_model_response_fields
                .and_then(Additional::stopped_at),
        });
        Ok(())
    }

    fn metadata<'a>(&mut self, metadata: &Metadata, each: Each<'_, 'a>) {
        self.begin(each);
        let usage = metadata.usage.as_ref();
        if let Some(usage) = usage.and_then(usage::Usage::canonical) {
            each(Event::Usage(usage));
        }
        if self.state == State::Stopped {
            self.state = State::Ended;
            each(Event::End);
        }
    }

    fn fail<'a>(&mut self, error: crate::llm::Error<'a>, each: Each<'_, 'a>) {
        if !matches!(self.state, State::Ended | State::Failed) {
            self.state = State::Failed;
            each(Event::Failed(error));
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(event_type: &str, payload: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(payload)
        .map_err(|error| Malformed::json(&format!("an event of the stream ({event_type})"), &error))
}
