//! The one way a benchmark fails: with a sentence. Nobody branches on it, so it has no variants.

use std::fmt;

/// Why the run stopped, for the person who started it.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure in plain words: what, where, and how to mend it.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// For `map_err`: puts what was being done before why it could not be.
    pub fn during<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |why| Self(format!("{what}: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}
