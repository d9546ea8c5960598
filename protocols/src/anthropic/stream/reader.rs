//! Reads the events of a stream. Holds numbers only, none of what they say.

use std::borrow::Cow;

use super::data::{Data, Delta, Message};
use crate::anthropic::block::{Block, call_id};
use crate::anthropic::{finish, usage};
use crate::json::Text;
use crate::llm::{Event, Finish, Malformed};

/// The status an error amid a stream is taken to have, if its type is not known.
const BROKEN: u16 = 500;

/// Reads one stream.
#[derive(Debug)]
pub struct Reader {
    seed: String,
    stage: Stage,
    open: Open,
    /// How many calls have begun.
    calls: u64,
    /// Whether the message said why it ends.
    finished: bool,
    usage: usage::Report,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before `message_start`.
    Before,
    Within,
    /// After `message_stop`.
    Stopped,
    /// After an error.
    Failed,
}

/// The block that is open, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// None, or one whose pieces say themselves what they are.
    Plain,
    /// A call, and whether any of what it is called with has come.
    Call { number: u64, has_arguments: bool },
}

type Each<'e, 'a> = &'e mut dyn FnMut(Event<'a>);

impl Reader {
    /// A reader at the start of a stream. A call without an id is named `call_{seed}_{n}`, by its
    /// number from 0.
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            stage: Stage::Before,
            open: Open::Plain,
            calls: 0,
            finished: false,
            usage: usage::Report::default(),
        }
    }

    /// Whether the stream, should its bytes end now, ended as it should: after `message_stop`.
    pub fn is_complete(&self) -> bool {
        self.stage == Stage::Stopped
    }

    /// Reads an event, given its name and its data, and tells `each` what it means. Events and
    /// pieces of types that are not known are passed over, as the API's versioning asks for; so is
    /// whatever follows the end.
    ///
    /// # Errors
    /// If the data is not JSON of the shape its type has, or stands where it cannot. What was
    /// told before stays true; nothing more can be read.
    pub fn read<'a>(
        &mut self,
        (name, data): (Option<&[u8]>, &'a [u8]),
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        if data.is_empty() || matches!(self.stage, Stage::Stopped | Stage::Failed) {
            return Ok(());
        }
        let mut data: Data<'a> = serde_json::from_slice(data)
            .map_err(|error| Malformed::json("an event of the stream", &error))?;
        // The type stands in the data as well; a few servers leave it to the event's name.
        let sort = data.sort.take().map(|sort| sort.0);
        let sort = sort.as_deref().map(str::as_bytes).or(name);
        match sort.unwrap_or_default() {
            b"ping" => each(Event::Ping),
            b"error" => {
                self.stage = Stage::Failed;
                let error = data.error.unwrap_or_default();
                each(Event::Failed(error.into_error(BROKEN)));
            }
            b"message_start" => self.begin(data.message, each)?,
            b"content_block_start" => self.start_block(within(data.content_block)?, each)?,
            b"content_block_delta" => self.piece(within(data.delta)?, each)?,
            b"content_block_stop" => self.stop_block(each)?,
            b"message_delta" => self.finish(data.delta, data.usage, each)?,
            b"message_stop" => self.stop(each)?,
            _ => {}
        }
        Ok(())
    }

    fn begin<'a>(
        &mut self,
        message: Option<Message<'a>>,
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        if self.stage != Stage::Before {
            return Err(Malformed::new("the stream starts a second message"));
        }
        self.stage = Stage::Within;
        let message = within(message)?;
        each(Event::Begin {
            id: message.id.and_then(Text::some),
            model: message.model.and_then(Text::some),
            created: None,
        });
        self.used(message.usage, each);
        Ok(())
    }

    /// A block begins: it may hold the first of its text, or the whole of it.
    fn start_block<'a>(&mut self, block: Block<'a>, each: Each<'_, 'a>) -> Result<(), Malformed> {
        self.require_begun()?;
        self.end_block(each);
        match &*block.sort.0 {
            "text" => text(block.text, each),
            "thinking" => {
                thought(block.thinking, each);
                signed(block.signature, each);
            }
            "redacted_thinking" => {
                if let Some(data) = block.data.and_then(Text::some) {
                    each(Event::Redacted { choice: 0, data });
                }
            }
            "tool_use" => self.call(block, each),
            _ => {}
        }
        Ok(())
    }

    fn call<'a>(&mut self, block: Block<'a>, each: Each<'_, 'a>) {
        let number = self.calls;
        self.calls += 1;
        each(Event::Call {
            choice: 0,
            index: number,
            id: block
                .id
                .and_then(Text::some)
                .unwrap_or_else(|| call_id(&self.seed, number)),
            name: block.name.unwrap_or_default().0,
            signature: None,
        });
        // The object is empty here and comes in pieces, unless a server has no pieces.
        let input = block.input.map_or("", |input| input.get());
        let has_arguments = input.starts_with('{') && !is_empty_object(input);
        if has_arguments {
            each(arguments(number, Cow::Borrowed(input)));
        }
        self.open = Open::Call {
            number,
            has_arguments,
        };
    }

    fn piece<'a>(&mut self, delta: Delta<'a>, each: Each<'_, 'a>) -> Result<(), Malformed> {
        self.require_begun()?;
        match delta.sort.as_ref().map_or("", |sort| &*sort.0) {
            "text_delta" => text(delta.text, each),
            "thinking_delta" => thought(delta.thinking, each),
            "signature_delta" => signed(delta.signature, each),
            "input_json_delta" => {
                // Those of a server tool belong to no call.
                if let Open::Call {
                    number,
                    has_arguments,
                } = &mut self.open
                    && let Some(json) = delta.partial_json.and_then(Text::some)
                {
                    *has_arguments = true;
                    each(arguments(*number, json));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn stop_block<'a>(&mut self, each: Each<'_, 'a>) -> Result<(), Malformed> {
        self.require_begun()?;
        self.end_block(each);
        Ok(())
    }

    /// A block ends, whether that is said or follows. A call without arguments is called with none:
    /// that is an object too.
    fn end_block(&mut self, each: Each<'_, '_>) {
        if let Open::Call {
            number,
            has_arguments: false,
        } = self.open
        {
            each(arguments(number, Cow::Borrowed("{}")));
        }
        self.open = Open::Plain;
    }

    fn finish<'a>(
        &mut self,
        delta: Option<Delta<'a>>,
        report: Option<usage::Report>,
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        self.require_begun()?;
        let Some(delta) = delta else {
            self.used(report, each);
            return Ok(());
        };
        if let Some(word) = delta
            .stop_reason
            .and_then(Text::some)
            .filter(|_| !self.finished)
        {
            self.finished = true;
            self.end_block(each);
            let reason = finish::read(&word);
            let details = delta.stop_details;
            let explanation = details.and_then(|details| details.explanation.and_then(Text::some));
            if let Some(text) = explanation.filter(|_| reason == Finish::Refusal) {
                each(Event::Refusal { choice: 0, text });
            }
            each(Event::Finish {
                choice: 0,
                reason,
                stopped_at: delta.stop_sequence.and_then(Text::some),
            });
        }
        self.used(report, each);
        Ok(())
    }

    fn stop(&mut self, each: Each<'_, '_>) -> Result<(), Malformed> {
        self.require_begun()?;
        if !self.finished {
            return Err(Malformed::new(
                "the stream stops without saying why the message ends",
            ));
        }
        self.end_block(each);
        self.stage = Stage::Stopped;
        each(Event::End);
        Ok(())
    }

    fn used(&mut self, report: Option<usage::Report>, each: Each<'_, '_>) {
        let Some(report) = report else { return };
        self.usage.update(report);
        if let Some(usage) = self.usage.usage() {
            each(Event::Usage(usage));
        }
    }

    fn require_begun(&self) -> Result<(), Malformed> {
        match self.stage {
            Stage::Before => Err(Malformed::new("the stream does not begin with a message")),
            _ => Ok(()),
        }
    }
}

fn within<T>(member: Option<T>) -> Result<T, Malformed> {
    member.ok_or_else(|| Malformed::new("an event of the stream lacks what its type promises"))
}

fn text<'a>(member: Option<Text<'a>>, each: Each<'_, 'a>) {
    if let Some(text) = member.and_then(Text::some) {
        each(Event::Text { choice: 0, text });
    }
}

fn thought<'a>(member: Option<Text<'a>>, each: Each<'_, 'a>) {
    if let Some(text) = member.and_then(Text::some) {
        each(Event::Reasoning { choice: 0, text });
    }
}

fn signed<'a>(member: Option<Text<'a>>, each: Each<'_, 'a>) {
    if let Some(signature) = member.and_then(Text::some) {
        each(Event::Signature {
            choice: 0,
            signature,
        });
    }
}

const fn arguments(index: u64, json: Cow<'_, str>) -> Event<'_> {
    Event::Arguments {
        choice: 0,
        index,
        json,
    }
}

fn is_empty_object(json: &str) -> bool {
    let inside = json
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}
