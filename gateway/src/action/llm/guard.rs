//! Policies that mind what is said, at work on one call: they see the prompt before anything else
//! does, and what the model answers on its way back.
//!
//! Each text of an answer is filtered by itself: a choice's answer, its refusal, its thoughts, each
//! tool call. What filters hold back goes out where the text ends: when the choice goes on with
//! something else, or is over.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use weir_protocols::llm::{Answer, Event, Part};
use weir_protocols::texts::Dialect;
use weir_telemetry::Code;

use super::api::Inbound;
use super::endpoint::Generate;
use crate::error::GatewayError;
use crate::policy::speech::{Answers, Filter, Kind, Prompt};
use crate::proxy::{Downstream, Request};

/// What is to be done to an answer, last policy first.
pub(super) type Guards = Vec<Arc<dyn Answers>>;

/// Shows a call for an answer to the policies of its route; the body as they leave it.
pub(super) async fn prompt(
    request: &mut Request,
    down: &mut Downstream,
    generate: &Generate<'_>,
    body: Bytes,
) -> Result<(Bytes, Guards), GatewayError> {
    let dialect = match generate.api {
        Inbound::Chat => Dialect::Chat,
        Inbound::Responses => Dialect::Responses,
        Inbound::Messages => Dialect::Messages,
        Inbound::Gemini => Dialect::Gemini,
        Inbound::Prompt => Dialect::Made,
    };
    let model = generate.model.as_deref();
    show(request, down, (dialect, model), body).await
}

/// Shows a call for vectors to the policies of its route; the body as they leave it. No answer of
/// it has words.
pub(super) async fn embed(
    request: &mut Request,
    down: &mut Downstream,
    body: Bytes,
) -> Result<Bytes, GatewayError> {
    let (body, _) = show(request, down, (Dialect::Embeddings, None), body).await?;
    Ok(body)
}

async fn show(
    request: &mut Request,
    down: &mut Downstream,
    (dialect, model): (Dialect, Option<&str>),
    body: Bytes,
) -> Result<(Bytes, Guards), GatewayError> {
    let guarded = request
        .route
        .clone()
        .filter(|route| route.chain.is_guarded());
    let Some(route) = guarded else {
        return Ok((body, Guards::new()));
    };
    let mut prompt = Prompt {
        request,
        down,
        dialect,
        model,
        body,
    };
    let guards = route.chain.prompt(&mut prompt).await?;
    Ok((prompt.body, guards))
}

/// Which text of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Answer,
    Refusal,
    Reasoning,
    /// What the call of that number is made with.
    Arguments(u64),
}

/// What is done to one streamed answer.
pub(super) struct Speech {
    guards: Guards,
    /// The text each choice is at.
    open: Vec<Lane>,
}

/// One text that is being said.
struct Lane {
    choice: u64,
    place: Place,
    filters: Vec<Box<dyn Filter>>,
    /// What went in and was not seen to come out as it was.
    unseen: String,
    altered: bool,
}

/// Choices beyond so many are no answer to anything.
const MOST_CHOICES: usize = 128;

/// Told of an event that goes on.
type Each<'e> = &'e mut dyn FnMut(&Event<'_>);

impl Speech {
    /// `None` if nothing is done to answers.
    pub(super) fn new(guards: &Guards) -> Option<Self> {
        (!guards.is_empty()).then(|| Self {
            guards: guards.clone(),
            open: Vec::new(),
        })
    }

    /// Takes in an event, and tells `each` what goes on by it.
    pub(super) fn event(&mut self, event: &Event<'_>, each: Each<'_>) -> Result<(), GatewayError> {
        match event {
            Event::Text { choice, text } => self.say(*choice, Place::Answer, text, each)?,
            Event::Refusal { choice, text } => self.say(*choice, Place::Refusal, text, each)?,
            Event::Reasoning { choice, text } => {
                self.say(*choice, Place::Reasoning, text, each)?;
            }
            Event::Arguments {
                choice,
                index,
                json,
            } => self.say(*choice, Place::Arguments(*index), json, each)?,
            Event::Signature { choice, .. } => {
                // It proves nothing of thoughts that were changed.
                if !self.close(*choice, each)? {
                    each(event);
                }
            }
            Event::Redacted { choice, .. }
            | Event::Call { choice, .. }
            | Event::Finish { choice, .. } => {
                self.close(*choice, each)?;
                each(event);
            }
            Event::End => {
                self.end(each)?;
                each(event);
            }
            Event::Begin { .. }
            | Event::Foreign { .. }
            | Event::Usage(_)
            | Event::Ping
            | Event::Failed(_) => each(event),
        }
        Ok(())
    }

    /// Lets go of everything that is held back.
    pub(super) fn end(&mut self, each: Each<'_>) -> Result<(), GatewayError> {
        while let Some(lane) = self.open.last() {
            self.close(lane.choice, each)?;
        }
        Ok(())
    }

    fn say(
        &mut self,
        choice: u64,
        place: Place,
        text: &str,
        each: Each<'_>,
    ) -> Result<(), GatewayError> {
        let lane = match self.open.iter().position(|lane| lane.choice == choice) {
            Some(at) if self.open[at].place == place => at,
            Some(_) => {
                self.close(choice, each)?;
                self.begin(choice, place)?
            }
            None => self.begin(choice, place)?,
        };
        let lane = &mut self.open[lane];
        let mut out = String::new();
        lane.push(0, text, &mut out)?;
        lane.compare(text, &out);
        if text.is_empty() || !out.is_empty() {
            each(&event(choice, place, out.into()));
        }
        Ok(())
    }

    fn begin(&mut self, choice: u64, place: Place) -> Result<usize, GatewayError> {
        if self.open.len() == MOST_CHOICES {
            let error = GatewayError::new(Code::ProviderResponseInvalid);
            return Err(error.source("the answer has more choices than anybody asks for"));
        }
        self.open.push(Lane::new(&self.guards, choice, place));
        Ok(self.open.len() - 1)
    }

    /// Ends the text that a choice is at; whether it was changed.
    fn close(&mut self, choice: u64, each: Each<'_>) -> Result<bool, GatewayError> {
        let Some(at) = self.open.iter().position(|lane| lane.choice == choice) else {
            return Ok(false);
        };
        let mut lane = self.open.swap_remove(at);
        let mut out = String::new();
        lane.end(&mut out)?;
        lane.compare("", &out);
        if !out.is_empty() {
            each(&event(choice, lane.place, out.into()));
        }
        Ok(lane.altered || !lane.unseen.is_empty())
    }
}

fn event(choice: u64, place: Place, text: Cow<'_, str>) -> Event<'_> {
    match place {
        Place::Answer => Event::Text { choice, text },
        Place::Refusal => Event::Refusal { choice, text },
        Place::Reasoning => Event::Reasoning { choice, text },
        Place::Arguments(index) => Event::Arguments {
            choice,
            index,
            json: text,
        },
    }
}

impl Lane {
    fn new(guards: &Guards, choice: u64, place: Place) -> Self {
        let kind = match place {
            Place::Answer => Kind::Answer,
            Place::Refusal => Kind::Refusal,
            Place::Reasoning => Kind::Reasoning,
            Place::Arguments(_) => Kind::Arguments,
        };
        let filters = guards.iter().filter_map(|guard| guard.clone().filter(kind));
        Self {
            choice,
            place,
            filters: filters.collect(),
            unseen: String::new(),
            altered: false,
        }
    }

    /// Passes a piece through the filters from the `first` on.
    fn push(&mut self, first: usize, text: &str, out: &mut String) -> Result<(), GatewayError> {
        let mut text = Cow::Borrowed(text);
        for filter in &mut self.filters[first..] {
            let mut next = String::new();
            filter.text(&text, &mut next)?;
            text = Cow::Owned(next);
        }
        out.push_str(&text);
        Ok(())
    }

    /// What each filter held back passes through those after it.
    fn end(&mut self, out: &mut String) -> Result<(), GatewayError> {
        for at in 0..self.filters.len() {
            let mut held = String::new();
            self.filters[at].end(&mut held)?;
            self.push(at + 1, &held, out)?;
        }
        Ok(())
    }

    /// Finds out whether what comes out is what went in.
    fn compare(&mut self, text: &str, out: &str) {
        if self.altered {
            return;
        }
        self.unseen.push_str(text);
        match self.unseen.starts_with(out) {
            true => drop(self.unseen.drain(..out.len())),
            false => {
                self.altered = true;
                self.unseen.clear();
            }
        }
    }
}

/// Filters a whole answer, whose text is JSON if `is_json`.
pub(super) fn whole(
    guards: &Guards,
    answer: &mut Answer<'_>,
    is_json: bool,
) -> Result<(), GatewayError> {
    let said = match is_json {
        true => Place::Arguments(0),
        false => Place::Answer,
    };
    for part in answer
        .choices
        .iter_mut()
        .flat_map(|choice| &mut choice.parts)
    {
        match part {
            Part::Text(text) => one(guards, said, text).map(drop)?,
            Part::Refusal(text) => one(guards, Place::Refusal, text).map(drop)?,
            Part::Reasoning { text, signature } => {
                if one(guards, Place::Reasoning, text)? {
                    *signature = None;
                }
            }
            Part::ToolCall(call) => {
                one(guards, Place::Arguments(0), &mut call.arguments).map(drop)?;
            }
            Part::Image(_)
            | Part::Audio(_)
            | Part::Document(_)
            | Part::Redacted(_)
            | Part::ToolResult(_)
            | Part::CachePoint => {}
        }
    }
    Ok(())
}

/// Filters one text; whether it was changed.
fn one(guards: &Guards, place: Place, text: &mut Cow<'_, str>) -> Result<bool, GatewayError> {
    let mut lane = Lane::new(guards, 0, place);
    let mut out = String::new();
    lane.push(0, text, &mut out)?;
    lane.end(&mut out)?;
    let altered = out != **text;
    if altered {
        *text = Cow::Owned(out);
    }
    Ok(altered)
}
