//! Why a document or its operation is refused: what is wrong, where, and how to mend it. Never repeats
//! what was sent.

use std::borrow::Cow;
use std::fmt;

use super::limits::Exceeded;

/// A place in a document, as GraphQL's `locations` tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// Where `byte` of `text` stands.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = &text.as_bytes()[..byte.min(text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        // Every byte but those that continue a character begins one.
        let characters = before[line_start..]
            .iter()
            .filter(|byte| **byte & 0xc0 != 0x80);
        Self {
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: characters.count() + 1,
        }
    }
}

/// What is wrong with a document, or with what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is more than a limit allows.
    Exceeded(Exceeded),
    /// It is not GraphQL.
    Syntax {
        /// What is wrong, in words.
        problem: Cow<'static, str>,
        /// Where.
        at: Option<Place>,
    },
    /// It holds no operation of the name that was asked for.
    OperationUnknown,
    /// It holds several operations, and none was asked for by name.
    OperationAmbiguous,
    /// A fragment is used that it does not define.
    FragmentUnknown(Place),
    /// A fragment is used within itself.
    FragmentCycle(Place),
}

impl Fault {
    /// Where it is, if at one place.
    pub const fn place(&self) -> Option<Place> {
        match self {
            Self::Exceeded(_) | Self::OperationUnknown | Self::OperationAmbiguous => None,
            Self::Syntax { at, .. } => *at,
            Self::FragmentUnknown(at) | Self::FragmentCycle(at) => Some(*at),
        }
    }
}

impl From<Exceeded> for Fault {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (problem, mend) = match self {
            Self::Exceeded(exceeded) => return exceeded.fmt(f),
            Self::Syntax { problem, .. } => (&**problem, "send a GraphQL document"),
            Self::OperationUnknown => (
                "the document has no operation of that name",
                "name one that it has in operationName",
            ),
            Self::OperationAmbiguous => (
                "the document has several operations",
                "name the one to run in operationName",
            ),
            Self::FragmentUnknown(_) => (
                "the document has no fragment of that name",
                "define it, or leave it out",
            ),
            Self::FragmentCycle(_) => ("a fragment is used within itself", "take it out there"),
        };
        f.write_str(problem)?;
        if let Some(Place { line, column }) = self.place() {
            write!(f, " (line {line}, column {column})")?;
        }
        write!(f, "; {mend}")
    }
}

impl std::error::Error for Fault {}
