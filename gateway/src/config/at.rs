//! Where in the files something is written.

use std::sync::Arc;

use super::fault::{push_index, push_key};

/// A place in one of the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// Which file.
    pub file: usize,
    /// Where in it.
    pub path: String,
}

impl At {
    /// The place of a section.
    pub(super) fn section(file: usize, section: &str) -> Self {
        Self {
            file,
            path: section.to_owned(),
        }
    }

    /// The place of `key` in this one.
    pub(super) fn key(&self, key: &str) -> Self {
        let mut at = self.clone();
        push_key(&mut at.path, key);
        at
    }

    /// The place of an entry in this one.
    pub(super) fn index(&self, index: usize) -> Self {
        let mut at = self.clone();
        push_index(&mut at.path, index);
        at
    }
}

/// An entry as written, and where.
#[derive(Debug, Clone)]
pub(super) struct Item<T> {
    /// Where.
    pub at: At,
    /// The team whose file it is in.
    pub team: Option<Arc<str>>,
    /// What it says.
    pub raw: T,
}
