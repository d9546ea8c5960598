//! What a provider sends. Holds no text: of each candidate only its number, how many tools it
//! called, and whether it ended.

use std::borrow::Cow;

use crate::gemini::answer::response::{Candidate, Response, Said};
use crate::gemini::thought::{self, Proof};
use crate::gemini::{error, finish};
use crate::json::Text;
use crate::llm::{Event, Finish, Malformed};

/// More candidates than either API gives. Bounds what a stream can make this hold.
const MAX_CHOICES: usize = 64;

/// Reads a stream of `streamGenerateContent` with `alt=sse` (Gemini API v1beta, Vertex AI v1),
/// event by event.
#[derive(Debug)]
pub struct Reader {
    seed: String,
    begun: bool,
    failed: bool,
    /// Calls so far, of all candidates.
    calls: u64,
    choices: Vec<Choice>,
}

#[derive(Debug)]
struct Choice {
    index: u64,
    calls: u64,
    ended: bool,
}

type Each<'f, 'a> = &'f mut dyn FnMut(Event<'a>);

impl Reader {
    /// At the start of a stream. Calls without an id get `call_{seed}_{n}`.
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            begun: false,
            failed: false,
            calls: 0,
            choices: Vec::new(),
        }
    }

    /// Reads the data of one event; the dialect's events have no name. Every call arrives whole:
    /// its arguments are one piece.
    ///
    /// # Errors
    /// If the data is not what it should be, or the stream goes on after its end.
    pub fn read<'a>(
        &mut self,
        (_, data): (Option<&[u8]>, &'a [u8]),
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        if data.trim_ascii().is_empty() || self.failed {
            return Ok(());
        }
        let response = Response::parse(data, "an event of the stream")?;
        if let Some(failure) = response.error {
            self.failed = true;
            each(Event::Failed(error::of_piece(failure)));
            return Ok(());
        }
        let blocked = response.is_blocked();
        if !std::mem::replace(&mut self.begun, true) {
            each(Event::Begin {
                id: response.response_id.and_then(Text::some),
                model: response.model_version.and_then(Text::some),
                created: None,
            });
        }
        for (at, candidate) in (0..).zip(response.candidates.into_iter().flatten()) {
            self.candidate(candidate, at, each)?;
        }
        if blocked {
            let place = self.place(0)?;
            self.end(place, Finish::Filtered, each);
        }
        if let Some(usage) = response.usage_metadata.and_then(|usage| usage.read()) {
            each(Event::Usage(usage));
        }
        Ok(())
    }

    /// Reads what stands in the stream and is no event's data: an event without any, or what is
    /// left when the bytes end. A provider that fails amid a stream may send its error so, as plain
    /// JSON; anything else is passed over.
    pub fn read_stray<'a>(&mut self, bytes: &'a [u8], each: Each<'_, 'a>) {
        let bytes = bytes.trim_ascii();
        if self.failed || !matches!(bytes.first(), Some(b'{' | b'[')) {
            return;
        }
        self.failed = true;
        each(Event::Failed(error::read(500, bytes)));
    }

    /// Whether the stream, should the bytes end now, ended as it should: each candidate said why,
    /// or there is none because the prompt was held back.
    pub fn is_complete(&self) -> bool {
        let all_ended = self.choices.iter().all(|choice| choice.ended);
        !self.failed && !self.choices.is_empty() && all_ended
    }

    fn candidate<'a>(
        &mut self,
        mut candidate: Candidate<'a>,
        at: u64,
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        let place = self.place(candidate.index.unwrap_or(at))?;
        for part in candidate.parts() {
            let said = part.said()?;
            self.said(said, place, each)?;
        }
        let word = candidate.finish_reason.unwrap_or_default().0;
        if let Some(reason) = finish::read(&word, self.choices[place].calls > 0) {
            self.end(place, reason, each);
        }
        Ok(())
    }

    /// A candidate ends. Some models say so in every piece from there on.
    fn end<'a>(&mut self, place: usize, reason: Finish, each: Each<'_, 'a>) {
        let choice = &mut self.choices[place];
        if !std::mem::replace(&mut choice.ended, true) {
            each(Event::Finish {
                choice: choice.index,
                reason,
                stopped_at: None,
            });
        }
    }

    /// Where the state of the candidate `index` is kept.
    fn place(&mut self, index: u64) -> Result<usize, Malformed> {
        if let Some(place) = self.choices.iter().position(|choice| choice.index == index) {
            return Ok(place);
        }
        if self.choices.len() >= MAX_CHOICES {
            return Err(Malformed::new("the stream holds too many candidates"));
        }
        self.choices.push(Choice {
            index,
            calls: 0,
            ended: false,
        });
        Ok(self.choices.len() - 1)
    }

    fn said<'a>(
        &mut self,
        said: Said<'a>,
        place: usize,
        each: Each<'_, 'a>,
    ) -> Result<(), Malformed> {
        let state = &mut self.choices[place];
        let choice = state.index;
        if state.ended && !matches!(said, Said::Nothing) {
            return Err(Malformed::new("a candidate goes on after its end"));
        }
        match said {
            Said::Nothing => {}
            Said::Text(text) => each(Event::Text { choice, text }),
            Said::Thought { text, signature } => thinks(choice, text, signature, each),
            Said::Call {
                id,
                name,
                arguments,
                signature,
            } => {
                let index = state.calls;
                state.calls += 1;
                let id = id.unwrap_or_else(|| format!("call_{}_{}", self.seed, self.calls).into());
                self.calls += 1;
                each(Event::Call {
                    choice,
                    index,
                    id,
                    name,
                    signature,
                });
                each(Event::Arguments {
                    choice,
                    index,
                    json: arguments,
                });
            }
            Said::Media { .. } => {
                return Err(Malformed::new(
                    "the stream holds a medium that was not asked for",
                ));
            }
        }
        Ok(())
    }
}

fn thinks<'a>(
    choice: u64,
    text: Cow<'a, str>,
    signature: Option<Cow<'a, str>>,
    each: Each<'_, 'a>,
) {
    if !text.is_empty() {
        each(Event::Reasoning { choice, text });
    }
    match signature.map(thought::proof) {
        Some(Proof::Signature(signature)) => each(Event::Signature { choice, signature }),
        Some(Proof::Redacted(data)) => each(Event::Redacted { choice, data }),
        None => {}
    }
}
