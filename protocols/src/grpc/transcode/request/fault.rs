//! What can be wrong with a request, and where. Says what was expected, never what was sent.

use std::fmt;

/// How much of a name that nobody knows is repeated, in bytes.
const MOST_SHOWN: usize = 64;

/// Why a request is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which part of the request.
    pub part: Part,
    /// The field or parameter, where it is about one. Fields of fields have dots, elements brackets.
    pub field: Option<String>,
    /// What is wrong.
    pub what: What,
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its path.
    Path,
    /// Its query.
    Query,
    /// Its body.
    Body {
        /// Which message of it, counted from 1; in a stream, blank lines do not count.
        message: u64,
        /// Where in that message, from 1; 0 if it is not about a place.
        line: usize,
        /// Where in that line, in bytes from 1.
        column: usize,
    },
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A value is not of the field's kind.
    Value {
        /// What it should be.
        expected: String,
    },
    /// There is no such field, or none that can be here.
    Unknown,
    /// The path or the body says it.
    Elsewhere,
    /// It is there more than once and can be only once.
    Twice,
    /// Only one of several fields can be there, and another is.
    Choice,
    /// An escape is none, or what is escaped is no UTF-8.
    Escape,
    /// It is no JSON.
    Json {
        /// What the parser says.
        why: String,
    },
    /// It is longer than allowed.
    TooLong {
        /// How long a message may be, in bytes.
        max: u32,
    },
    /// It is one parameter more than allowed.
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// It has to be there (proto2) and is not.
    Lacking,
    /// There is a body, and the method takes none.
    Body,
}

impl Fault {
    pub(super) fn query(name: &str, what: What) -> Self {
        Self {
            part: Part::Query,
            field: Some(shown(name)),
            what,
        }
    }
}

/// As much of a name as is repeated.
pub(super) fn shown(name: &str) -> String {
    if name.len() <= MOST_SHOWN {
        return name.to_owned();
    }
    let end = (0..=MOST_SHOWN).rev().find(|at| name.is_char_boundary(*at));
    format!("{}…", &name[..end.unwrap_or(0)])
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Path => f.write_str("in the path, ")?,
            Part::Query => f.write_str("in the query, ")?,
            Part::Body { message, line, .. } => {
                f.write_str("in the body, ")?;
                if message > 1 {
                    write!(f, "message {message}, ")?;
                }
                if line > 1 {
                    write!(f, "line {line}, ")?;
                }
            }
        }
        if let Part::Body {
            line: 1.., column, ..
        } = self.part
        {
            write!(f, "column {column}, ")?;
        }
        match &self.field {
            Some(field) => write!(f, "`{field}` ")?,
            None => f.write_str("something ")?,
        }
        self.what.fmt(f)
    }
}

impl fmt::Display for What {
    /// What is to be said behind the name of the field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { expected } => write!(f, "is to be {expected}"),
            Self::Unknown => f.write_str("is no field that can be set here"),
            Self::Elsewhere => f.write_str("is said by the path or the body already"),
            Self::Twice => f.write_str("is there more than once, and can be only once"),
            Self::Choice => f.write_str("cannot be there together with another field that is"),
            Self::Escape => f.write_str("has an escape that is none, or makes no UTF-8"),
            Self::Json { why } => write!(f, "is no JSON: {why}"),
            Self::TooLong { max } => write!(f, "is longer than the {max} bytes allowed"),
            Self::TooMany { max } => write!(f, "is one more than the {max} parameters allowed"),
            Self::Lacking => f.write_str("has to be there"),
            Self::Body => f.write_str("is sent where the method takes no body"),
        }
    }
}

impl std::error::Error for Fault {}
