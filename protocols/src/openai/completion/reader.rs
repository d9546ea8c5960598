//! Chunks of a streamed completion, into events.

use std::borrow::Cow;

use super::finish;
use super::wire::{Choice, Completion, Message, Piece, ToolCall, pieces};
use crate::llm::{Event, Malformed};
use crate::openai::{error, usage};

/// More calls than this in one answer are no answer.
const MOST_CALLS: usize = 1024;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    done: bool,
    finished: bool,
    /// The seed of names for calls that came without.
    seed: Box<str>,
    /// Which call the provider means by which number: its choice, its `index` and whether that
    /// was said; the position among those of its choice is ours.
    calls: Vec<Call>,
}

#[derive(Debug, PartialEq, Eq)]
struct Call {
    choice: u64,
    /// As the provider numbers it.
    theirs: Option<u64>,
    /// As we do.
    ours: u64,
}

impl Reader {
    /// A stream of which nothing was read. Calls that the provider gives no `id` are named after
    /// `seed`.
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.into(),
            ..Self::default()
        }
    }

    /// Reads the data of one event.
    ///
    /// # Errors
    /// [`Malformed`] if it is none of this dialect's.
    pub fn read<'a>(
        &mut self,
        data: &'a [u8],
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        if usage::is_done(data) {
            self.done = true;
            each(Event::End);
            return Ok(());
        }
        if data.trim_ascii().is_empty() {
            each(Event::Ping);
            return Ok(());
        }
        let chunk = Completion::parse(data, "a chunk")?;
        if let Some(error) = chunk.error.filter(|error| error.get() != "null") {
            each(Event::Failed(error::of_object(0, error.get())));
            return Ok(());
        }
        let (created, usage) = (chunk.created(), chunk.usage());
        if !self.begun {
            self.begun = true;
            each(Event::Begin {
                id: chunk.id.and_then(crate::json::Text::some),
                model: chunk.model.and_then(crate::json::Text::some),
                created,
            });
        }
        for choice in chunk.choices.into_iter().flatten() {
            self.choice(choice, each)?;
        }
        if let Some(usage) = usage {
            each(Event::Usage(usage));
        }
        Ok(())
    }

    /// Whether the stream ended as it should, if it ends now.
    pub const fn is_complete(&self) -> bool {
        self.done
    }

    fn choice<'a>(
        &mut self,
        choice: Choice<'a>,
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        let index = choice.index;
        if let Some(message) = choice.message {
            self.message(index, message, each)?;
        }
        if let Some(reason) = choice.finish_reason.and_then(crate::json::Text::some) {
            self.finished = true;
            each(Event::Finish {
                choice: index,
                reason: finish(&reason),
                stopped_at: None,
            });
        }
        Ok(())
    }

    fn message<'a>(
        &mut self,
        choice: u64,
        message: Message<'a>,
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        let thoughts = message.reasoning_content.or(message.reasoning);
        if let Some(text) = thoughts.and_then(crate::json::Text::some) {
            each(Event::Reasoning { choice, text });
        }
        if let Some(content) = message.content {
            pieces(content, &mut |piece| {
                let event = match piece {
                    Piece::Text(text) => text.some().map(|text| Event::Text { choice, text }),
                    Piece::Thought(text) => {
                        text.some().map(|text| Event::Reasoning { choice, text })
                    }
                };
                event.into_iter().for_each(&mut *each);
            });
        }
        if let Some(text) = message.refusal.and_then(crate::json::Text::some) {
            each(Event::Refusal { choice, text });
        }
        for (at, call) in message.tool_calls.into_iter().flatten().enumerate() {
            self.call(choice, at, call, each)?;
        }
        if let Some(function) = message.function_call {
            let call = ToolCall {
                index: Some(0),
                id: None,
                function: Some(function),
            };
            self.call(choice, 0, call, each)?;
        }
        Ok(())
    }

    fn call<'a>(
        &mut self,
        choice: u64,
        at: usize,
        call: ToolCall<'a>,
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        let id = call.id.and_then(crate::json::Text::some);
        let function = call.function;
        let (name, arguments) = function.map_or((None, None), |f| (f.name, f.arguments));
        let name = name.and_then(crate::json::Text::some);
        let known = self.known(choice, call.index, at, id.is_some());
        let index = match known {
            Some(index) => index,
            None => {
                let index = self.begin(choice, call.index)?;
                let id = id.unwrap_or_else(|| Cow::Owned(format!("call_{}_{index}", self.seed)));
                each(Event::Call {
                    choice,
                    index,
                    id,
                    name: name.unwrap_or_default(),
                    signature: None,
                });
                index
            }
        };
        if let Some(json) = arguments.and_then(crate::json::Text::some) {
            each(Event::Arguments {
                choice,
                index,
                json,
            });
        }
        Ok(())
    }

    /// The call that is meant, if it has begun. Servers that do not number calls send each whole,
    /// with an `id` of its own.
    fn known(&self, choice: u64, theirs: Option<u64>, at: usize, named: bool) -> Option<u64> {
        let mut of_choice = self.calls.iter().filter(|call| call.choice == choice);
        match theirs {
            Some(_) => of_choice.find(|call| call.theirs == theirs).map(|c| c.ours),
            None if named => None,
            None => of_choice.nth(at).map(|call| call.ours),
        }
    }

    fn begin(&mut self, choice: u64, theirs: Option<u64>) -> Result<u64, Malformed> {
        if self.calls.len() >= MOST_CALLS {
            return Err(Malformed::new("it calls more tools than can be told apart"));
        }
        let ours = self.calls.iter().filter(|c| c.choice == choice).count() as u64;
        self.calls.push(Call {
            choice,
            theirs,
            ours,
        });
        Ok(ours)
    }
}
