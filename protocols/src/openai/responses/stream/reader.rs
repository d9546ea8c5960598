//! Reads the events of a provider. Holds no text: only which calls there are and what was told.
//!
//! Text, refusals, summaries of thoughts and arguments are told as their deltas come; the events that
//! repeat them whole are passed over, but for the arguments of a call of which no delta came. Of
//! items that no other dialect has, as calls of the provider's own tools, it is told that they begin.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::Text;
use crate::llm::{Event, Malformed};
use crate::openai::responses::answer::{Body, Item, signature, whole};
use crate::openai::responses::{REDACTED, failure};

/// The most calls of one response that are kept apart.
const MOST_CALLS: usize = 1024;

/// Reads a stream, event by event.
#[derive(Debug)]
pub struct Reader {
    seed: String,
    begun: bool,
    ended: bool,
    /// The calls, by their index: where each stands in the output, and whether a delta of its
    /// arguments came.
    calls: Vec<Call>,
    refuses: bool,
}

#[derive(Debug)]
struct Call {
    output_index: u64,
    told: bool,
}

/// An event, whatever its type.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    response: Option<Body<'a>>,
    #[serde(borrow, default)]
    item: Option<Item<'a>>,
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    summary_index: u64,
    #[serde(borrow, default)]
    delta: Text<'a>,
    // Of an event that is an error itself.
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl Reader {
    /// A reader at the start of a stream. A call without an id is given one made of `seed`.
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            begun: false,
            ended: false,
            calls: Vec::new(),
            refuses: false,
        }
    }

    /// Whether the stream, should it end now, has ended as the dialect says.
    pub const fn is_complete(&self) -> bool {
        self.ended
    }

    /// Tells `each` what an event says, given its name and its data. What comes after the end is
    /// passed over, and so are events of types unknown here.
    ///
    /// # Errors
    /// [`Malformed`] if the data is not what an event should be.
    pub fn read<'a>(
        &mut self,
        name: Option<&[u8]>,
        data: &'a [u8],
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        // Some servers end as chat completions do.
        if self.ended || data.trim_ascii() == b"[DONE]" || data.trim_ascii().is_empty() {
            return Ok(());
        }
        if !data.trim_ascii_start().starts_with(b"{") {
            return Err(Malformed::new("an event's data is no JSON object"));
        }
        let parsed: Data<'a> = serde_json::from_slice(data)
            .map_err(|error| Malformed::json("an event's data", &error))?;
        let named = match &*parsed.kind.0 {
            "" => name.and_then(|name| std::str::from_utf8(name).ok()),
            _ => None,
        };
        let kind = named.map_or_else(|| parsed.kind.0.clone(), |name| name.to_owned().into());
        self.tell(&kind, parsed, data, each)
    }

    fn tell<'a>(
        &mut self,
        kind: &str,
        mut event: Data<'a>,
        data: &'a [u8],
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        if kind == "error" {
            self.ended = true;
            // The API reference has the members of an error in the event itself; its servers have
            // sent them in an object as well.
            let object = event.error.or_else(|| serde_json::from_slice(data).ok());
            let object = object.map_or("null", RawValue::get);
            each(Event::Failed(failure::read(object)));
            return Ok(());
        }
        if kind.starts_with("response.") {
            self.begin(event.response.as_mut(), each);
        }
        if let Some(what) = kind.strip_suffix(".delta") {
            return self.delta(what, event.output_index, event.delta.0, each);
        }
        match kind {
            // The parts of a summary are paragraphs.
            "response.reasoning_summary_part.added" if event.summary_index > 0 => {
                each(Event::Reasoning {
                    choice: 0,
                    text: Cow::Borrowed("\n\n"),
                });
            }
            "response.output_item.added" => {
                if let Some(item) = event.item {
                    match &*item.kind.0 {
                        "function_call" => self.call(event.output_index, item, each)?,
                        // They begin with what they say.
                        "message" | "reasoning" | "" => {}
                        _ => each(Event::Foreign { choice: 0 }),
                    }
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    self.done(event.output_index, item, each)?;
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.end(kind, event.response, each)?;
            }
            "keepalive" => each(Event::Ping),
            _ => {}
        }
        Ok(())
    }

    fn delta<'a>(
        &mut self,
        what: &str,
        output_index: u64,
        text: Cow<'a, str>,
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        let choice = 0;
        match what {
            "response.output_text" => each(Event::Text { choice, text }),
            "response.refusal" => {
                self.refuses = true;
                each(Event::Refusal { choice, text });
            }
            "response.reasoning_summary_text" | "response.reasoning_text" => {
                each(Event::Reasoning { choice, text });
            }
            "response.function_call_arguments" => self.arguments(output_index, text, each)?,
            _ => {}
        }
        Ok(())
    }

    fn begin<'a>(&mut self, response: Option<&mut Body<'a>>, each: &mut dyn FnMut(Event<'a>)) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let (id, model) = response.map_or((None, None), |response| {
            (response.id.take(), response.model.take())
        });
        each(Event::Begin {
            id: id.and_then(Text::some),
            model: model.and_then(Text::some),
            created: None,
        });
    }

    fn call<'a>(
        &mut self,
        output_index: u64,
        item: Item<'a>,
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        let index = self.calls.len();
        if index == MOST_CALLS {
            return Err(Malformed::new("the response calls too many functions"));
        }
        self.calls.push(Call {
            output_index,
            told: false,
        });
        let id = item.call_id.some();
        each(Event::Call {
            choice: 0,
            index: index as u64,
            id: id.unwrap_or_else(|| Cow::Owned(format!("call_{}_{index}", self.seed))),
            name: item.name.0,
            signature: item.extra_content.and_then(signature),
        });
        Ok(())
    }

    fn arguments<'a>(
        &mut self,
        output_index: u64,
        json: Cow<'a, str>,
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        let calls = self.calls.iter_mut().enumerate().rev();
        let mut calls = calls.filter(|(_, call)| call.output_index == output_index);
        let Some((index, call)) = calls.next() else {
            return Err(Malformed::new("arguments of a call that never began"));
        };
        call.told = true;
        each(Event::Arguments {
            choice: 0,
            index: index as u64,
            json,
        });
        Ok(())
    }

    /// The item is said whole: what was not told of it is now.
    fn done<'a>(
        &mut self,
        output_index: u64,
        item: Item<'a>,
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        match &*item.kind.0 {
            "reasoning" => {
                if let Some(signed) = item.encrypted_content.some() {
                    each(match item.id.0.starts_with(REDACTED) {
                        true => Event::Redacted {
                            choice: 0,
                            data: signed,
                        },
                        false => Event::Signature {
                            choice: 0,
                            signature: signed,
                        },
                    });
                }
            }
            "function_call" => {
                let at = |call: &&Call| call.output_index == output_index;
                match self.calls.iter().rev().find(at) {
                    Some(call) if call.told => {}
                    known => {
                        let is_new = known.is_none();
                        let arguments = item.arguments.0.clone();
                        if is_new {
                            self.call(output_index, item, each)?;
                        }
                        if !arguments.is_empty() {
                            self.arguments(output_index, arguments, each)?;
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end<'a>(
        &mut self,
        kind: &str,
        response: Option<Body<'a>>,
        each: &mut dyn FnMut(Event<'a>),
    ) -> Result<(), Malformed> {
        let Some(response) = response else {
            return Err(Malformed::new("the last event holds no response"));
        };
        self.ended = true;
        if kind == "response.failed" {
            each(Event::Failed(response.failure()));
            return Ok(());
        }
        let incomplete = match kind {
            "response.incomplete" => Some(response.cut_short_by()),
            _ => response.incomplete(),
        };
        each(Event::Finish {
            choice: 0,
            reason: incomplete.unwrap_or_else(|| whole(!self.calls.is_empty(), self.refuses)),
            stopped_at: None,
        });
        if let Some(usage) = response.usage() {
            each(Event::Usage(usage));
        }
        each(Event::End);
        Ok(())
    }
}
