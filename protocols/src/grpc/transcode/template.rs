//! Path templates (google/api/http.proto, "Path template syntax"). Knows segments, not messages: a
//! variable's field is a name here.
//!
//! ```text
//! Template = "/" Segments [ ":" LITERAL ] ;
//! Segments = Segment { "/" Segment } ;
//! Segment  = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}" ;
//! ```

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// More than this many segments is no path that anybody writes.
const MOST_SEGMENTS: usize = 128;

/// A template, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) segments: Vec<Segment>,
    pub(super) verb: Option<String>,
    pub(super) variables: Vec<Variable>,
}

/// What one segment of a path must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Just this, as written: nothing in it is escaped.
    Literal(String),
    /// Anything but nothing.
    One,
    /// Any number of segments, also none. The last.
    Rest,
}

/// A part of the path that is the value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The field, with a dot before each field of a field.
    pub field: String,
    /// Which segments.
    segments: Range<usize>,
    /// Whether the last of them is any number.
    open: bool,
}

/// Why a template is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, in bytes from 0.
    pub at: usize,
    /// What is wrong there.
    pub what: What,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It does not begin with a slash.
    NoSlash,
    /// There is nothing where a segment, a verb or the name of a field should be.
    Empty,
    /// A character stands where it cannot.
    Character(char),
    /// A variable has no end.
    Unclosed,
    /// A variable is in a variable.
    Nested,
    /// Something comes after `**` that is no verb.
    AfterRest,
    /// A field is bound that was bound before, or is part of one.
    Twice(String),
    /// It has too many segments.
    TooMany,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the path template is wrong at byte {}: ", self.at)?;
        match &self.what {
            What::NoSlash => f.write_str("it does not begin with a slash"),
            What::Empty => f.write_str("a segment, a verb or a field's name is missing"),
            What::Character(found) => write!(f, "{found:?} cannot stand here"),
            What::Unclosed => f.write_str("this variable has no closing brace"),
            What::Nested => f.write_str("a variable cannot be in another: close the outer first"),
            What::AfterRest => f.write_str("only a verb may follow `**`: use `*` for one segment"),
            What::Twice(field) => write!(f, "{field} is bound already, or part of a field that is"),
            What::TooMany => write!(f, "it has more than {MOST_SEGMENTS} segments"),
        }
    }
}

impl std::error::Error for Fault {}

impl Template {
    /// Reads a template.
    ///
    /// ```
    /// # use weir_protocols::grpc::transcode::template::{Fault, Template};
    /// let template = Template::parse("/v1/{name=shelves/*}/books/{book.id}:publish")?;
    /// let values = template.bind("/v1/shelves/a%20b/books/7%2F:publish").expect("it matches");
    /// assert_eq!(values, ["shelves/a b", "7/"]);
    /// # Ok::<(), Fault>(())
    /// ```
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Parser::new(text).template()
    }

    /// The variables, from left to right.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// What the variables are in `path`, which has no query. `None` if it is another path, or has an
    /// escape that is none. A [`Table`](super::Table) does the same for many templates at once.
    pub fn bind(&self, path: &str) -> Option<Vec<String>> {
        let path = Path::split(path)?;
        let path = match &self.verb {
            Some(verb) => path.without_verb().filter(|(_, found)| found == verb)?.0,
            None => path,
        };
        if !self.matches(&path) {
            return None;
        }
        let value = |variable: &Variable| variable.value(&path).ok().map(Cow::into_owned);
        self.variables.iter().map(value).collect()
    }

    fn matches(&self, path: &Path<'_>) -> bool {
        let open = self.segments.last() == Some(&Segment::Rest);
        let fixed = self.segments.len() - usize::from(open);
        let found = &path.segments;
        (found.len() == fixed || open && found.len() > fixed)
            && self
                .segments
                .iter()
                .zip(found)
                .all(|(segment, found)| match segment {
                    Segment::Literal(literal) => literal == found,
                    Segment::One => !found.is_empty(),
                    Segment::Rest => true,
                })
    }
}

/// A path, as it came.
#[derive(Clone, Debug)]
pub(super) struct Path<'a> {
    pub(super) segments: Vec<&'a str>,
}

impl<'a> Path<'a> {
    pub(super) fn split(path: &'a str) -> Option<Self> {
        let segments = match path.strip_prefix('/')? {
            "" => Vec::new(),
            path => path.split('/').collect(),
        };
        Some(Self { segments })
    }

    /// The same without what may be a verb, and that.
    pub(super) fn without_verb(&self) -> Option<(Self, &'a str)> {
        let (before, verb) = self.segments.last()?.rsplit_once(':')?;
        let mut path = self.clone();
        *path.segments.last_mut()? = before;
        Some((path, verb))
    }
}

/// An escape in a path is none, or what is escaped is no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Variable {
    /// Its value, without escapes. Where it may be more than one segment, a slash stays escaped, so
    /// that it is not taken for one between two.
    pub(super) fn value<'a>(&self, path: &Path<'a>) -> Result<Cow<'a, str>, Unreadable> {
        let all = &path.segments;
        let end = if self.open {
            all.len()
        } else {
            self.segments.end
        };
        let segments = all.get(self.segments.start..end).unwrap_or_default();
        if self.segments.len() == 1
            && !self.open
            && let [segment] = segments
        {
            return decode(segment, false);
        }
        let segments = segments.iter().map(|segment| decode(segment, true));
        let segments = segments.collect::<Result<Vec<_>, _>>()?;
        Ok(segments.join("/").into())
    }
}

/// `text` without its escapes, but for those of slashes if they are to stay.
fn decode(text: &str, keep_slashes: bool) -> Result<Cow<'_, str>, Unreadable> {
    if !text.contains('%') {
        return Ok(text.into());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            out.push(byte);
            rest = after;
            continue;
        }
        let (&[high, low], after) = after.split_first_chunk().ok_or(Unreadable)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(Unreadable);
        let byte = u8::try_from(digit(high)? << 4 | digit(low)?).map_err(|_| Unreadable)?;
        if keep_slashes && byte == b'/' {
            out.extend([b'%', high, low]);
        } else {
            out.push(byte);
        }
        rest = after;
    }
    let text = String::from_utf8(out).map_err(|_| Unreadable)?;
    Ok(text.into())
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    out: Template,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let out = Template {
            segments: Vec::new(),
            verb: None,
            variables: Vec::new(),
        };
        Self { text, at: 0, out }
    }

    fn template(mut self) -> Result<Template, Fault> {
        if !self.take('/') {
            return Err(self.fault(What::NoSlash));
        }
        // Has no segment by the letter, and is what a root is called by.
        if self.peek().is_none() {
            return Ok(self.out);
        }
        self.segments(false)?;
        if self.take(':') {
            self.out.verb = Some(self.literal()?.to_owned());
        }
        match self.peek() {
            None => Ok(self.out),
            Some(found) => Err(self.fault(What::Character(found))),
        }
    }

    fn segments(&mut self, in_variable: bool) -> Result<(), Fault> {
        loop {
            if self.out.segments.last() == Some(&Segment::Rest) {
                return Err(self.fault(What::AfterRest));
            }
            if self.out.segments.len() == MOST_SEGMENTS {
                return Err(self.fault(What::TooMany));
            }
            match self.peek() {
                Some('{') if in_variable => return Err(self.fault(What::Nested)),
                Some('{') => self.variable()?,
                _ => self.segment()?,
            }
            if !self.take('/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self) -> Result<(), Fault> {
        let segment = if self.take('*') {
            match self.take('*') {
                true => Segment::Rest,
                false => Segment::One,
            }
        } else {
            Segment::Literal(self.literal()?.to_owned())
        };
        self.out.segments.push(segment);
        Ok(())
    }

    fn variable(&mut self) -> Result<(), Fault> {
        let opened = self.at;
        self.take('{');
        let named = self.at;
        let field = self.field()?;
        let is_bound = |bound: &Variable| {
            let within = |inner: &str, outer: &str| {
                let rest = inner.strip_prefix(outer);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            within(&bound.field, &field) || within(&field, &bound.field)
        };
        if self.out.variables.iter().any(is_bound) {
            let what = What::Twice(field);
            return Err(Fault { at: named, what });
        }
        let start = self.out.segments.len();
        if self.take('=') {
            self.segments(true)?;
        } else {
            self.out.segments.push(Segment::One);
        }
        if !self.take('}') {
            return Err(match self.peek() {
                Some(found) => self.fault(What::Character(found)),
                None => Fault {
                    at: opened,
                    what: What::Unclosed,
                },
            });
        }
        self.out.variables.push(Variable {
            field,
            segments: start..self.out.segments.len(),
            open: self.out.segments.last() == Some(&Segment::Rest),
        });
        Ok(())
    }

    fn field(&mut self) -> Result<String, Fault> {
        let start = self.at;
        loop {
            match self.peek() {
                Some('a'..='z' | 'A'..='Z' | '_') => {}
                Some(found) if !matches!(found, '.' | '=' | '}') => {
                    return Err(self.fault(What::Character(found)));
                }
                _ => return Err(self.fault(What::Empty)),
            }
            let is_name = |found: char| found.is_ascii_alphanumeric() || found == '_';
            while self.peek().is_some_and(is_name) {
                self.at += 1;
            }
            if !self.take('.') {
                return Ok(self.text[start..self.at].to_owned());
            }
        }
    }

    /// What a URL may have in a segment, without what templates are made of.
    fn literal(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        let is_literal =
            |found: char| found.is_ascii_alphanumeric() || "-._~!$&'()+,;@%".contains(found);
        while self.peek().is_some_and(is_literal) {
            self.at += 1;
        }
        if start < self.at {
            return Ok(&self.text[start..self.at]);
        }
        Err(match self.peek() {
            None | Some('/' | ':' | '}') => self.fault(What::Empty),
            Some(found) => self.fault(What::Character(found)),
        })
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += if there { wanted.len_utf8() } else { 0 };
        there
    }

    fn fault(&self, what: What) -> Fault {
        Fault { at: self.at, what }
    }
}
