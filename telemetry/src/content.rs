//! What was said to a model and what it said, as far as operators want to read that: nothing,
//! unless the configuration and the route both ask for it, and then only on sampled spans.
//!
//! It is never part of a [`Record`](crate::Record), so that neither the access log nor the flight
//! recorder can come by it. It holds no more text than it was told to, and its JSON follows the
//! schemas of OpenTelemetry's `gen_ai.input.messages`, `gen_ai.output.messages` and
//! `gen_ai.system_instructions`. The bytes of images, sounds and documents are left out.

mod json;

/// What a message, a part or the name of a tool counts for beside its text, so that many empty ones
/// are bounded as well.
const OVERHEAD: usize = 16;

/// What was said, either way.
#[derive(Clone, Debug)]
pub struct Content {
    max: usize,
    /// Bytes that may still be taken in of what goes to the model.
    left_in: usize,
    /// Bytes that may still be taken in of what it answers.
    left_out: usize,
    instructions: Vec<Part>,
    input: Vec<Message>,
    output: Vec<Answer>,
    cut: bool,
}

/// A turn of the conversation.
#[derive(Clone, Debug)]
struct Message {
    role: &'static str,
    parts: Vec<Part>,
}

/// One of the answers.
#[derive(Clone, Debug)]
struct Answer {
    choice: u64,
    parts: Vec<Part>,
    finish: Option<&'static str>,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text, or the words in which a model declines.
    Text(String),
    /// What the model thought.
    Reasoning(String),
    /// The model calls a tool.
    Call {
        /// What its result refers to.
        id: String,
        /// The tool.
        name: String,
        /// JSON, as the model wrote it.
        arguments: String,
    },
    /// What a tool returned.
    Returned {
        /// The call.
        id: String,
        /// The text of it.
        text: String,
    },
    /// An image, a sound or a document: that there was one.
    Medium {
        /// `image`, `audio` or `document`.
        modality: &'static str,
        /// Its media type, where that was said.
        media_type: Option<String>,
    },
}

impl Content {
    /// Of which `max` bytes each way are kept.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            left_in: max,
            left_out: max,
            instructions: Vec::new(),
            input: Vec::new(),
            output: Vec::new(),
            cut: false,
        }
    }

    /// Bytes of memory that this holds, roughly, and that its JSON takes.
    pub fn size(&self) -> usize {
        2 * self.max - self.left_in - self.left_out
    }

    /// Whether something was left out because it was too long.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The model is told this before the conversation.
    pub fn instruct(&mut self, part: Part) {
        let part = keep(&mut self.left_in, &mut self.cut, part);
        self.instructions.extend(part);
    }

    /// A turn of the conversation: `user`, `assistant` or `tool`.
    pub fn turn(&mut self, role: &'static str, parts: impl IntoIterator<Item = Part>) {
        if !room(&mut self.left_in, &mut self.cut) {
            return;
        }
        let (left, cut) = (&mut self.left_in, &mut self.cut);
        let parts = parts.into_iter().map_while(|part| keep(left, cut, part));
        let parts = parts.collect();
        self.input.push(Message { role, parts });
    }

    /// Somebody else is asked: what was answered so far does not count.
    pub fn unanswered(&mut self) {
        self.output.clear();
        self.left_out = self.max;
    }

    /// The model says this, after what it said of this choice before. Pieces of one text or of one
    /// call's arguments grow together.
    pub fn say(&mut self, choice: u64, part: Part) {
        let Some(at) = self.answer(choice) else {
            return;
        };
        let (left, cut) = (&mut self.left_out, &mut self.cut);
        let parts = &mut self.output[at].parts;
        let (grows, more) = match (parts.last_mut(), &part) {
            (Some(Part::Text(text)), Part::Text(more))
            | (Some(Part::Reasoning(text)), Part::Reasoning(more)) => (text, more),
            _ => {
                parts.extend(keep(left, cut, part));
                return;
            }
        };
        grows.push_str(shorten(left, cut, more));
    }

    /// More of what a tool is called with: of the latest call of this choice.
    pub fn argue(&mut self, choice: u64, json: &str) {
        let Some(at) = self.answer(choice) else {
            return;
        };
        let parts = self.output[at].parts.iter_mut().rev();
        let mut calls = parts.filter_map(|part| match part {
            Part::Call { arguments, .. } => Some(arguments),
            _ => None,
        });
        if let Some(arguments) = calls.next() {
            arguments.push_str(shorten(&mut self.left_out, &mut self.cut, json));
        }
    }

    /// A choice ended for this reason.
    pub fn finish(&mut self, choice: u64, reason: &'static str) {
        if let Some(at) = self.answer(choice) {
            self.output[at].finish = Some(reason);
        }
    }

    /// Where an answer is; a new one if there is room for it.
    fn answer(&mut self, choice: u64) -> Option<usize> {
        let known = self.output.iter().position(|a| a.choice == choice);
        if known.is_some() || !room(&mut self.left_out, &mut self.cut) {
            return known;
        }
        self.output.push(Answer {
            choice,
            parts: Vec::new(),
            finish: None,
        });
        Some(self.output.len() - 1)
    }
}

/// Whether there is room for one more thing.
fn room(left: &mut usize, cut: &mut bool) -> bool {
    let fits = *left >= OVERHEAD;
    *left = left.saturating_sub(OVERHEAD);
    *cut |= !fits;
    fits
}

/// As much of a text as there is room for, to a whole character.
fn shorten<'t>(left: &mut usize, cut: &mut bool, text: &'t str) -> &'t str {
    let whole = |end: &usize| text.is_char_boundary(*end);
    let most = text.len().min(*left);
    let end = (0..=most).rev().find(whole).unwrap_or(0);
    *left -= end;
    *cut |= end < text.len();
    &text[..end]
}

/// A part as far as there is room for it.
fn keep(left: &mut usize, cut: &mut bool, part: Part) -> Option<Part> {
    if !room(left, cut) {
        return None;
    }
    let mut short = |text: String| match text.len() <= *left {
        true => {
            *left -= text.len();
            text
        }
        false => shorten(left, cut, &text).to_owned(),
    };
    Some(match part {
        Part::Text(text) => Part::Text(short(text)),
        Part::Reasoning(text) => Part::Reasoning(short(text)),
        Part::Call {
            id,
            name,
            arguments,
        } => Part::Call {
            id: short(id),
            name: short(name),
            arguments: short(arguments),
        },
        Part::Returned { id, text } => Part::Returned {
            id: short(id),
            text: short(text),
        },
        Part::Medium {
            modality,
            media_type,
        } => Part::Medium {
            modality,
            media_type: media_type.map(short),
        },
    })
}

#[cfg(test)]
mod tests;
