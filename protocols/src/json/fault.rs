//! Why a request is refused: what is wrong, where, and how to mend it.
//! Never repeats what was sent. Knows no status codes.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of fault it is.
    pub kind: Kind,
    /// The JSON path, such as `messages[2].content`; empty for the whole
    /// body. OpenAI's error object calls this `param`.
    pub path: String,
    /// What is wrong, in words.
    pub problem: Cow<'static, str>,
    /// How to mend it, in words.
    pub mend: &'static str,
    /// The offset into the body, in bytes from 0.
    pub byte: usize,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
}

/// The sorts of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The body is not UTF-8.
    NotUtf8,
    /// The body is not JSON.
    Syntax,
    /// A value is of another type than it must be.
    WrongType,
    /// A value is of the right type but beyond what it may be.
    OutOfRange,
    /// Something required is not there.
    Missing,
    /// A key stands twice, so that two readers may take two values.
    Duplicate,
    /// Two members exclude each other.
    Conflict,
}

impl Fault {
    /// A fault at `byte` of `body`, in the body itself; see [`Self::at_path`].
    pub(crate) fn new(
        kind: Kind,
        body: &[u8],
        byte: usize,
        problem: impl Into<Cow<'static, str>>,
        mend: &'static str,
    ) -> Self {
        let before = &body[..byte.min(body.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        Self {
            kind,
            path: String::new(),
            problem: problem.into(),
            mend,
            byte,
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_start + 1,
        }
    }

    /// The same fault, said to be at `path`.
    pub(crate) fn at_path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// What serde_json found while reading the text which begins at `base`
    /// of `body`.
    pub(crate) fn json(body: &[u8], base: usize, error: &serde_json::Error) -> Self {
        let text = &body[base..];
        let line_start = match error.line() {
            0 | 1 => 0,
            line => memchr::memchr_iter(b'\n', text)
                .nth(line - 2)
                .map_or(0, |at| at + 1),
        };
        let byte = base + line_start + error.column().saturating_sub(1);
        if error.is_data() {
            // serde's words would repeat the value; ours do not.
            return Self::new(
                Kind::WrongType,
                body,
                byte,
                "an object must stand here, something else does",
                "send a JSON object",
            );
        }
        let place = format!(" at line {} column {}", error.line(), error.column());
        let problem = error.to_string();
        Self::new(
            Kind::Syntax,
            body,
            byte,
            format!(
                "not JSON: {}",
                problem.strip_suffix(&place).unwrap_or(&problem)
            ),
            "send one JSON object",
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(
            f,
            "{} (line {}, column {}, byte {}); {}",
            self.problem, self.line, self.column, self.byte, self.mend
        )
    }
}

impl std::error::Error for Fault {}
