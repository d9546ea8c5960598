//! Edits of a body at byte ranges, all other bytes left as they came. Knows
//! no JSON beyond where the outermost object begins.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use bytes::Bytes;

use super::request::{LimitField, Request, Slot};

/// Bytes to write in an edit, made only when the result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// As they are.
    Raw(&'a [u8]),
    /// Text as a JSON string, quoted and escaped.
    String(&'a str),
    /// A number in decimal digits.
    Number(u64),
}

impl Piece<'_> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Raw(bytes) => out.write_all(bytes),
            Self::String(text) => serde_json::to_writer(out, text).map_err(io::Error::from),
            Self::Number(number) => write!(out, "{number}"),
        }
    }
}

/// Edits of one body, applied all at once by [`finish`](Self::finish).
#[derive(Clone)]
pub struct Splice<'a> {
    body: Bytes,
    edits: Vec<Edit<'a>>,
}

#[derive(Clone, Debug)]
struct Edit<'a> {
    range: Range<usize>,
    /// The key of a member to insert before what follows.
    member: Option<Member<'a>>,
    value: Piece<'a>,
}

#[derive(Clone, Copy, Debug)]
struct Member<'a> {
    key: &'a str,
    /// Whether nothing of the body follows in its object.
    last: bool,
}

impl Edit<'_> {
    fn write(&self, next: Option<&Edit<'_>>, out: &mut impl Write) -> io::Result<()> {
        let Some(Member { key, last }) = self.member else {
            return self.value.write(out);
        };
        Piece::String(key).write(out)?;
        out.write_all(b":")?;
        self.value.write(out)?;
        let followed = next.is_some_and(|next| next.range == self.range);
        out.write_all(if followed || !last { b"," } else { b"" })
    }

    /// Whether `self`, made later, takes the place of `earlier`.
    fn supersedes(&self, earlier: &Edit<'_>) -> bool {
        match (self.member, earlier.member) {
            (Some(ours), Some(theirs)) => self.range == earlier.range && ours.key == theirs.key,
            _ => {
                self.range == earlier.range && self.member.is_none() == earlier.member.is_none()
                    || self.range.start < earlier.range.end && earlier.range.start < self.range.end
            }
        }
    }
}

impl<'a> Splice<'a> {
    /// No edit of `body` yet.
    pub fn new(body: Bytes) -> Self {
        Self {
            body,
            edits: Vec::new(),
        }
    }

    /// Puts `piece` in the place of `range`. A later edit that overlaps an
    /// earlier one takes its place, so that a body can be aimed at another
    /// provider by editing it again.
    ///
    /// # Panics
    /// If `range` is not in the body; ranges of a [`Request`] parsed from the
    /// same body always are.
    pub fn replace(&mut self, range: Range<usize>, piece: Piece<'a>) -> &mut Self {
        assert!(
            range.start <= range.end && range.end <= self.body.len(),
            "an edit must be inside the body it edits"
        );
        self.push(Edit {
            range,
            member: None,
            value: piece,
        })
    }

    /// Puts a member at the beginning of the body, which must be an object.
    /// Inserting the same key again takes the place of the first insertion;
    /// whether the body holds the key already is for the caller to know. A
    /// body without a brace stays as it is.
    pub fn insert_first_member(&mut self, key: &'a str, value: Piece<'a>) -> &mut Self {
        let Some(brace) = memchr::memchr(b'{', &self.body) else {
            return self;
        };
        let rest = self.body[brace + 1..].trim_ascii_start();
        let empty = rest.starts_with(b"}");
        self.insert_member(brace + 1, key, value, empty)
    }

    /// Aims the request at the model called `name`.
    pub fn with_model(&mut self, request: &Request<'_>, name: &'a str) -> &mut Self {
        if *request.model == *name {
            return self.revert(&request.model_range);
        }
        self.replace(request.model_range.clone(), Piece::String(name))
    }

    /// Has the provider report usage at the end of a stream, if it is one and
    /// the caller has not asked already.
    pub fn with_usage_requested(&mut self, request: &Request<'_>) -> &mut Self {
        const OPTIONS: Piece<'_> = Piece::Raw(br#"{"include_usage":true}"#);
        const TRUE: Piece<'_> = Piece::Raw(b"true");
        if !request.stream || request.include_usage {
            return self;
        }
        match &request.usage_slot {
            Slot::NoObject => self.insert_first_member("stream_options", OPTIONS),
            Slot::NullObject(range) => self.replace(range.clone(), OPTIONS),
            Slot::Inside { at, empty } => self.insert_member(*at, "include_usage", TRUE, *empty),
            Slot::Value(range) => self.replace(range.clone(), TRUE),
        }
    }

    /// Bounds each choice's output tokens by `bound`. A lower bound of the
    /// caller's stays; where there is none, it is written as `if_absent`, or
    /// as the member that is there with `null`.
    pub fn with_max_tokens(
        &mut self,
        request: &Request<'_>,
        bound: u64,
        if_absent: LimitField,
    ) -> &mut Self {
        let bound_piece = Piece::Number(bound);
        match (&request.output_limit, &request.null_limit) {
            (Some(limit), _) if limit.tokens <= bound => self.revert(&limit.range),
            (Some(limit), _) => self.replace(limit.range.clone(), bound_piece),
            (None, Some(null)) => self.replace(null.clone(), bound_piece),
            (None, None) => self.insert_first_member(if_absent.key(), bound_piece),
        }
    }

    /// Calls the caller's limit, if there is one, by the only name that the server knows. A key
    /// written with escapes stays, as no client writes it.
    pub fn with_limit_called(&mut self, request: &Request<'_>, field: LimitField) -> &mut Self {
        let Some(limit) = request.output_limit.as_ref().filter(|l| l.field != field) else {
            return self;
        };
        let key = format!("\"{}\"", limit.field.key());
        let before = self.body[..limit.range.start].trim_ascii_end();
        let before = before.strip_suffix(b":").unwrap_or(before);
        let end = before.trim_ascii_end().len();
        // A `null` of that name stands beside it: two of one name would be worse.
        let taken = request.null_limit.is_some();
        if taken || !self.body[..end].ends_with(key.as_bytes()) {
            return self;
        }
        self.replace(end - key.len()..end, Piece::String(field.key()))
    }

    /// The edited body, written into one allocation of its exact size; the
    /// same body, not copied, if there is no edit.
    pub fn finish(mut self) -> Bytes {
        if self.edits.is_empty() {
            return self.body;
        }
        // Stable: what is inserted at one place stays in its order.
        self.edits
            .sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut size = Size(0);
        self.apply(&mut size).expect("counting bytes cannot fail");
        let mut out = Vec::with_capacity(size.0);
        self.apply(&mut out).expect("writing to a Vec cannot fail");
        Bytes::from(out)
    }

    fn apply(&self, out: &mut impl Write) -> io::Result<()> {
        let mut copied = 0;
        for (index, edit) in self.edits.iter().enumerate() {
            out.write_all(&self.body[copied..edit.range.start])?;
            edit.write(self.edits.get(index + 1), out)?;
            copied = edit.range.end;
        }
        out.write_all(&self.body[copied..])
    }

    fn insert_member(
        &mut self,
        at: usize,
        key: &'a str,
        value: Piece<'a>,
        last: bool,
    ) -> &mut Self {
        self.push(Edit {
            range: at..at,
            member: Some(Member { key, last }),
            value,
        })
    }

    /// Takes back what was put in the place of `range`.
    fn revert(&mut self, range: &Range<usize>) -> &mut Self {
        self.edits.retain(|edit| edit.range != *range);
        self
    }

    fn push(&mut self, edit: Edit<'a>) -> &mut Self {
        self.edits.retain(|earlier| !edit.supersedes(earlier));
        self.edits.push(edit);
        self
    }
}

impl fmt::Debug for Splice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body is a caller's prompt: never printed.
        f.debug_struct("Splice")
            .field("body_len", &self.body.len())
            .field("edits", &self.edits.len())
            .finish()
    }
}

/// Counts what is written to it.
struct Size(usize);

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
