//! What a dialect has no words for.
//!
//! Where leaving a member out would change what the answer is (several choices, a tool, an image, a
//! schema), the request is refused; where it would only tune it (a seed, a penalty, a user's name),
//! it is dropped, and the caller is told which.

use std::fmt;

/// A request written in a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The bytes.
    pub body: Vec<u8>,
    /// What was left out, by the name of the member in the canonical request; in the order found,
    /// each once.
    pub dropped: Vec<&'static str>,
}

/// A request that a dialect cannot express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The part of the request, such as `messages[2]` or `n`; what the caller wrote, as far as
    /// dialects agree on it.
    pub path: String,
    /// Why it cannot be expressed, in words that go on from "the model's provider".
    pub why: &'static str,
}

impl Refused {
    /// At this path, for this reason.
    pub fn new(path: impl Into<String>, why: &'static str) -> Self {
        Self {
            path: path.into(),
            why,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the model's provider {}", self.path, self.why)
    }
}

impl std::error::Error for Refused {}

/// The names of what is left out while a request is written.
#[derive(Debug, Default)]
pub struct Dropped(Vec<&'static str>);

impl Dropped {
    /// Leaves `name` out if it is there.
    pub fn note(&mut self, name: &'static str, is_there: bool) {
        if is_there && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// All of them.
    pub fn into_names(self) -> Vec<&'static str> {
        self.0
    }
}
