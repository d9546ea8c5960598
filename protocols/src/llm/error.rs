//! Why there is no answer: errors as providers tell them and as callers are told.

use std::borrow::Cow;
use std::fmt;

/// The class of an error. Every dialect has a word for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong.
    InvalidRequest,
    /// The key is wrong or missing.
    Authentication,
    /// The caller may not do this.
    Permission,
    /// There is no such thing.
    NotFound,
    /// The request is too large.
    TooLarge,
    /// Too much was asked in too little time, or a quota is used up.
    RateLimited,
    /// Something broke.
    Internal,
    /// The model has too much to do.
    Overloaded,
    /// It took too long.
    Timeout,
}

impl Kind {
    /// The class that an HTTP status stands for.
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            403 => Self::Permission,
            404 => Self::NotFound,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            503 | 529 => Self::Overloaded,
            408 | 504 => Self::Timeout,
            400..=499 => Self::InvalidRequest,
            _ => Self::Internal,
        }
    }
}

/// An error.
#[derive(Clone, Debug, PartialEq)]
pub struct Error<'a> {
    /// Its class.
    pub kind: Kind,
    /// What happened and how to mend it, for people.
    pub message: Cow<'a, str>,
    /// The path of the member to blame, if one is.
    pub param: Option<Cow<'a, str>>,
    /// The stable code, for programs.
    pub code: Option<Cow<'a, str>>,
}

impl Error<'_> {
    /// The same, borrowed from nothing.
    pub fn into_owned(self) -> Error<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Error {
            kind: self.kind,
            message: own(self.message),
            param: self.param.map(own),
            code: self.code.map(own),
        }
    }
}

/// Bytes of a provider that are not what its dialect says they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong with them. Holds nothing of what they say.
    pub why: String,
}

impl Malformed {
    /// For this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }

    /// Because it is not the JSON it should be. What was read is not repeated.
    pub fn json(what: &str, error: &serde_json::Error) -> Self {
        let class = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            serde_json::error::Category::Syntax => "it is not JSON",
            _ => "it has another shape",
        };
        Self::new(format!(
            "{what} cannot be read: {class}, at line {} column {}",
            error.line(),
            error.column()
        ))
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Malformed {}
