//! The texts of a call of a language model, where they stand in its body: what a guard looks at and
//! may change. Every other byte of the body stays as it was.
//!
//! | Module | Knows |
//! |---|---|
//! | `walk` | which strings of a body are texts, and whose |
//! | `escape` | JSON strings and the text they are |
//! | [`insert`](mod@insert) | where messages are added, and members taken out |
//!
//! Texts are what is said: messages, instructions, results of tools and what tools are called with.
//! Names, addresses, images and what a provider signed or encrypted are none. Nothing here knows
//! what is looked for.

mod escape;
pub mod insert;
mod walk;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use crate::json::{Document, Fault};

/// In whose words a call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Gemini's `generateContent`.
    Gemini,
    /// Texts whose meaning is asked for, OpenAI's or Gemini's: nobody answers them.
    Embeddings,
    /// JSON of the caller's own: every string in it is a text.
    Made,
}

/// Who says a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions.
    System,
    /// The caller.
    User,
    /// The model, in earlier turns; calls of tools with it.
    Assistant,
    /// A tool that returned something.
    Tool,
}

/// The texts of one body.
pub struct Texts<'a> {
    body: &'a str,
    texts: Vec<Text<'a>>,
    documents: Vec<Inner>,
    messages: usize,
}

/// A text.
struct Text<'a> {
    role: Role,
    text: Cow<'a, str>,
    /// The string, its quotes included.
    at: Range<usize>,
    /// The document it stands in; the body, if none.
    document: Option<usize>,
    changed: bool,
}

/// JSON that stands in a string of the body.
struct Inner {
    at: Range<usize>,
    text: String,
}

impl<'a> Texts<'a> {
    /// Finds the texts of `body`.
    ///
    /// # Errors
    /// If it is not UTF-8, or nested deeper than anybody nests. Whether it is JSON is for the reader
    /// of its dialect to say: of what is none, some texts are found.
    pub fn read(dialect: Dialect, body: &'a [u8]) -> Result<Self, Fault> {
        let body = Document::new(body)?.root().raw();
        let found = walk::call(dialect, body)?;
        let mut texts = Self {
            body,
            texts: Vec::with_capacity(found.hits.len()),
            documents: Vec::new(),
            messages: found.messages,
        };
        for hit in found.hits {
            texts.add(hit)?;
        }
        Ok(texts)
    }

    fn add(&mut self, hit: walk::Hit) -> Result<(), Fault> {
        let text = escape::text(inside(self.body, &hit.at));
        let role = hit.role.unwrap_or(Role::User);
        // What is called JSON may be none: a model wrote it.
        let is_json = |text: &str| {
            let begins = text.trim_start().starts_with(['{', '[']);
            begins && serde_json::from_str::<&RawValue>(text).is_ok()
        };
        if !(hit.is_json && is_json(&text)) {
            self.texts.push(Text {
                role,
                text,
                at: hit.at,
                document: None,
                changed: false,
            });
            return Ok(());
        }
        let text = text.into_owned();
        for inner in walk::made_up(&text)?.hits {
            let unescaped = escape::text(inside(&text, &inner.at)).into_owned();
            self.texts.push(Text {
                role,
                text: unescaped.into(),
                at: inner.at,
                document: Some(self.documents.len()),
                changed: false,
            });
        }
        self.documents.push(Inner { at: hit.at, text });
        Ok(())
    }

    /// How many messages the conversation has, instructions apart.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Who says what, in the order of the body.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &str)> {
        self.texts.iter().map(|text| (text.role, &*text.text))
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The bytes of all texts.
    pub fn bytes(&self) -> usize {
        self.texts.iter().map(|text| text.text.len()).sum()
    }

    /// Makes the text of that number another.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn change(&mut self, index: usize, text: String) {
        let place = &mut self.texts[index];
        place.text = Cow::Owned(text);
        place.changed = true;
    }

    /// The body with what was changed; `None` if nothing was.
    pub fn finish(self) -> Option<Vec<u8>> {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let mut within: Vec<Vec<(Range<usize>, String)>> = Vec::new();
        within.resize_with(self.documents.len(), Vec::new);
        for text in self.texts.into_iter().filter(|text| text.changed) {
            let edit = (text.at, escape::string(&text.text));
            match text.document {
                Some(document) => within[document].push(edit),
                None => edits.push(edit),
            }
        }
        for (document, inner) in self.documents.iter().zip(within) {
            if !inner.is_empty() {
                let text = apply(&document.text, inner);
                edits.push((document.at.clone(), escape::string(&text)));
            }
        }
        (!edits.is_empty()).then(|| apply(self.body, edits).into_bytes())
    }
}

/// What stands between the quotes of a string; nothing, if it never ended.
fn inside<'j>(json: &'j str, at: &Range<usize>) -> &'j str {
    let inside = json.get(at.start + 1..at.end.saturating_sub(1));
    inside.unwrap_or_default()
}

/// `text` with other texts in places that do not overlap.
fn apply(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(at, _)| at.start);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, new) in &edits {
        out.push_str(&text[copied..at.start]);
        out.push_str(new);
        copied = at.end;
    }
    out.push_str(&text[copied..]);
    out
}

impl std::fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is said is the caller's: never printed.
        f.debug_struct("Texts")
            .field("texts", &self.texts.len())
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
