//! Which answers are kept: those that are whole, ended by themselves and are not too large. A stream
//! is copied as it passes, up to the size that is kept; nothing waits for that.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use weir_protocols::llm::{Answer, Finish};
use weir_protocols::openai::embeddings;

use super::Cache;
use super::entry::{Entry, Form, Head, now};
use super::key::Key;
use super::replay::gather;
use super::semantic::Meaning;
use crate::action::llm::api::Outbound;
use crate::large;

/// Where the answer of a call is to be kept.
pub(in crate::action::llm) struct Keep<'k> {
    pub(super) cache: &'k Cache,
    pub(super) key: Key,
    /// What the call means, if that is compared.
    pub(super) meaning: Option<Meaning>,
}

/// The same, of one target that is about to answer.
#[derive(Clone, Copy)]
pub(in crate::action::llm) struct Keeping<'k> {
    pub(in crate::action::llm) keep: &'k Keep<'k>,
    pub(in crate::action::llm) speaks: Outbound,
    pub(in crate::action::llm) provider: &'k Arc<str>,
    pub(in crate::action::llm) model: &'k Arc<str>,
    /// What callers are told was dropped of the call.
    pub(in crate::action::llm) dropped: Option<&'k HeaderValue>,
    /// Whether the answer may be no longer than its caller wanted it, because a quota had no room.
    pub(in crate::action::llm) limited: bool,
}

impl Keeping<'_> {
    /// Something to copy a stream on.
    pub(in crate::action::llm) fn tape(&self) -> Tape {
        Tape {
            said: Vec::new(),
            most: self.keep.cache.max_entry,
            over: false,
        }
    }

    /// Keeps a document, if it is a whole answer.
    pub(in crate::action::llm) fn whole(&self, document: &Bytes) {
        if document.len() > self.keep.cache.max_entry {
            return;
        }
        let is_whole = large::work(document.len(), || {
            let answer = self.speaks.read(document, "");
            answer.is_ok_and(|answer| self.is_complete(&answer))
        });
        if is_whole {
            self.put(Form::Whole, document.clone());
        }
    }

    /// Keeps a stream that came to its end, if it is a whole answer.
    pub(in crate::action::llm) fn stream(&self, tape: Tape) {
        if tape.over {
            return;
        }
        let said = Bytes::from(tape.said);
        let is_whole = large::work(said.len(), || {
            let told = gather(self.speaks, &said, "");
            told.is_some_and(|told| self.is_complete(&told.answer))
        });
        if is_whole {
            self.put(Form::Stream, said);
        }
    }

    /// Keeps the document of so many vectors.
    pub(in crate::action::llm) fn vectors(&self, document: &Bytes, count: usize) {
        if document.len() > self.keep.cache.max_entry {
            return;
        }
        let is_whole = large::work(document.len(), || {
            let read = embeddings::answer::read(document);
            read.is_ok_and(|answer| answer.vectors.len() == count)
        });
        if is_whole {
            self.put(Form::Vectors, document.clone());
        }
    }

    /// Whether every choice ended, and not sooner than its caller wanted.
    fn is_complete(&self, answer: &Answer<'_>) -> bool {
        let ended = |finish: Finish| finish.is_whole() || finish == Finish::Length && !self.limited;
        let mut reasons = answer.choices.iter().map(|choice| choice.finish);
        !answer.choices.is_empty() && reasons.all(|reason| reason.is_some_and(ended))
    }

    fn put(&self, form: Form, body: Bytes) {
        let cache = self.keep.cache;
        let dropped = self.dropped.and_then(|names| names.to_str().ok());
        let entry = Entry {
            head: Head {
                form,
                speaks: self.speaks,
                provider: self.provider.clone(),
                model: self.model.clone(),
                dropped: dropped.map(str::to_owned),
                kept_at: now(),
            },
            // What it was cut from may be larger.
            body: Bytes::copy_from_slice(&body),
        };
        let key = self.keep.key;
        cache.shelf.put(key, entry, cache.ttl, &cache.metrics);
        if let (Some(semantic), Some(meaning)) = (&cache.semantic, &self.keep.meaning) {
            let limits = (semantic.max_texts, cache.ttl);
            cache.shelf.remember(&semantic.index, meaning, key, limits);
        }
    }
}

/// A copy of a stream, as far as it has come.
pub(in crate::action::llm) struct Tape {
    said: Vec<u8>,
    most: usize,
    /// It is larger than what is kept.
    over: bool,
}

impl Tape {
    /// A piece came.
    pub(in crate::action::llm) fn add(&mut self, piece: &[u8]) {
        if self.over {
            return;
        }
        self.over = self.said.len() + piece.len() > self.most;
        match self.over {
            true => self.said = Vec::new(),
            false => self.said.extend_from_slice(piece),
        }
    }
}
