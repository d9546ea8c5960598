//! Text with values of the request in it: `{path.x}`, `{header.x}`, `{query.x}`; for records
//! `{body./x}`, `{consumer}` and `{team}` beside; in prompts `{consumer}`, `{team}`, `{header.x}` and
//! what callers fill in.
//!
//! A template is parsed once, when the configuration is checked. It knows the
//! names of the values it needs and not where they come from.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use weir_protocols::pointer::{self, Pointer};

/// Text with values of the request in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    segments: Vec<Segment>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Text that stands for itself.
    Literal(Arc<str>),
    /// A value of the request.
    Variable(Variable),
}

/// A value of the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Variable {
    /// What the route's path template captured under this name, percent-decoded.
    Path(Arc<str>),
    /// The first header field of this name.
    Header(HeaderName),
    /// The first query parameter of this name, percent-decoded.
    Query(Arc<str>),
    /// What is at this place of the record's value, which is JSON.
    Body(Pointer),
    /// Who calls.
    Consumer,
    /// Whose it is.
    Team,
    /// What the caller fills in under this name.
    Argument(Arc<str>),
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(name) => write!(f, "{{path.{name}}}"),
            Self::Header(name) => write!(f, "{{header.{name}}}"),
            Self::Query(name) => write!(f, "{{query.{name}}}"),
            Self::Body(pointer) => write!(f, "{{body.{pointer}}}"),
            Self::Consumer => f.write_str("{consumer}"),
            Self::Team => f.write_str("{team}"),
            Self::Argument(name) => write!(f, "{{variables.{name}}}"),
        }
    }
}

/// Why text is no template: what is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

/// A piece of text as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// What stands for itself, its braces single.
    Literal(String),
    /// What stands between braces.
    Variable(&'t str),
}

/// Takes text apart at its braces; `{{` and `}}` are braces that stand for themselves. No two
/// literals are neighbours, and none is empty.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Malformed> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..at + 1];
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}').filter(|_| brace == "{") else {
            return Err(Malformed {
                message: format!("\"{brace}\" without its counterpart"),
                hint: format!("write \"{brace}{brace}\" for the character itself"),
            });
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Variable(name));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

impl Template {
    /// Reads `{path.x}`, `{header.x}` and `{query.x}`; `{{` and `}}` are braces.
    ///
    /// # Errors
    /// An unknown variable, a lone brace, or a name that cannot be one.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Self::read(text, Variable::parse)
    }

    /// Reads what a record is made with: beside what [`parse`](Self::parse) reads, `{body./x}`,
    /// `{consumer}` and `{team}`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_record(text: &str) -> Result<Self, Malformed> {
        Self::read(text, Variable::of_record)
    }

    /// The same without the body: what is known of a caller who sends none.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_caller(text: &str) -> Result<Self, Malformed> {
        Self::read(text, Variable::of_caller)
    }

    /// Reads text of a prompt: `{consumer}`, `{team}` and `{header.x}`; `{variables.x}` beside, if
    /// callers fill it in.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_prompt(text: &str, filled: bool) -> Result<Self, Malformed> {
        Self::read(text, |name| Variable::of_prompt(name, filled))
    }

    fn read(
        text: &str,
        variable: impl Fn(&str) -> Result<Variable, Malformed>,
    ) -> Result<Self, Malformed> {
        let segments = pieces(text)?.into_iter().map(|piece| {
            Ok(match piece {
                Piece::Literal(text) => Segment::Literal(text.into()),
                Piece::Variable(name) => Segment::Variable(variable(name)?),
            })
        });
        Ok(Self {
            segments: segments.collect::<Result<_, _>>()?,
        })
    }

    /// The pieces, in order. No two literals are neighbours.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The text, if no value of the request is needed.
    pub fn literal(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [] => Some(""),
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The values it needs.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Variable(variable) => Some(variable),
        })
    }

    /// The text with the values in it.
    ///
    /// # Errors
    /// The first variable for which `value` has none.
    pub fn render<'a, 'v>(
        &'a self,
        value: impl Fn(&'a Variable) -> Option<Cow<'v, str>>,
    ) -> Result<String, &'a Variable> {
        let mut text = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Variable(variable) => text.push_str(&value(variable).ok_or(variable)?),
            }
        }
        Ok(text)
    }
}

/// What may stand between the braces.
const KNOWN: &str = "known are {path.NAME}, {header.NAME} and {query.NAME}";
/// The same, for a caller who sends no body.
const KNOWN_OF_CALLER: &str =
    "known are {path.NAME}, {header.NAME}, {query.NAME}, {consumer} and {team}";
/// The same, for a record.
const KNOWN_OF_RECORD: &str =
    "known are {path.NAME}, {header.NAME}, {query.NAME}, {body./POINTER}, {consumer} and {team}";

impl Variable {
    /// Reads what stands between the braces.
    fn parse(text: &str) -> Result<Self, Malformed> {
        let unknown = || Malformed {
            message: format!("no variable \"{{{text}}}\""),
            hint: KNOWN.to_owned(),
        };
        match text.split_once('.') {
            Some((_, "")) => Err(unknown()),
            Some(("path", name)) => Ok(Self::Path(name.into())),
            Some(("query", name)) => Ok(Self::Query(name.into())),
            Some(("header", name)) => Self::header(name),
            _ => Err(unknown()),
        }
    }

    /// The same, for a record.
    fn of_record(text: &str) -> Result<Self, Malformed> {
        match text.split_once('.') {
            Some(("body", pointer)) => Self::body(pointer),
            _ => Self::of(text, KNOWN_OF_RECORD),
        }
    }

    /// The same, for who sends no body.
    fn of_caller(text: &str) -> Result<Self, Malformed> {
        Self::of(text, KNOWN_OF_CALLER)
    }

    fn of(text: &str, known: &str) -> Result<Self, Malformed> {
        match text {
            "consumer" => Ok(Self::Consumer),
            "team" => Ok(Self::Team),
            _ => Self::parse(text).map_err(|mut malformed| {
                if malformed.hint == KNOWN {
                    known.clone_into(&mut malformed.hint);
                }
                malformed
            }),
        }
    }

    fn body(text: &str) -> Result<Self, Malformed> {
        let why = match Pointer::parse(text) {
            Ok(pointer) if !text.is_empty() => return Ok(Self::Body(pointer)),
            Err(pointer::Malformed::Escape) => {
                "in a JSON pointer \"~0\" stands for \"~\" and \"~1\" for \"/\""
            }
            Ok(_) | Err(pointer::Malformed::Start) => {
                "write a JSON pointer, as in {body./customer/id}"
            }
        };
        Err(Malformed {
            message: format!("\"{text}\" points to no part of the body"),
            hint: why.to_owned(),
        })
    }

    /// The same, in a prompt.
    fn of_prompt(text: &str, filled: bool) -> Result<Self, Malformed> {
        match text.split_once('.') {
            None if text == "consumer" => Ok(Self::Consumer),
            None if text == "team" => Ok(Self::Team),
            Some(("header", name)) if !name.is_empty() => Self::header(name),
            Some(("variables", name)) if filled && !name.is_empty() => {
                Ok(Self::Argument(name.into()))
            }
            _ => Err(Malformed {
                message: format!("no variable \"{{{text}}}\""),
                hint: match filled {
                    true => "known are {consumer}, {team}, {header.NAME} and {variables.NAME}",
                    false => "known are {consumer}, {team} and {header.NAME}",
                }
                .to_owned(),
            }),
        }
    }

    fn header(name: &str) -> Result<Self, Malformed> {
        HeaderName::from_bytes(name.as_bytes())
            .map(Self::Header)
            .map_err(|_| Malformed {
                message: format!("\"{name}\" is no header name"),
                hint: "header names are letters, digits and \"-\"".to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(text: &str) -> Vec<String> {
        Template::parse(text)
            .expect("a template")
            .variables()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn variables_and_literals_are_told_apart() {
        assert_eq!(
            variables("a-{path.id}-{header.X-Key}{query.q}"),
            ["{path.id}", "{header.x-key}", "{query.q}"]
        );
        assert_eq!(
            Template::parse("{{plain}}").expect("a template").literal(),
            Some("{plain}")
        );
        assert_eq!(Template::parse("").expect("a template").literal(), Some(""));
    }

    #[test]
    fn records_are_made_of_their_bodies_and_of_who_calls_too() {
        let text = "{body./a~1b/0}{consumer}{team}{path.x}";
        let template = Template::parse_record(text).expect("a template");
        let written: String = template.variables().map(ToString::to_string).collect();
        assert_eq!(written, text);
        for (text, message) in [
            ("{body.}", "\"\" points to no part of the body"),
            ("{body.x}", "\"x\" points to no part of the body"),
            ("{body./~2}", "\"/~2\" points to no part of the body"),
            ("{body}", "no variable \"{body}\""),
        ] {
            let malformed = Template::parse_record(text).expect_err(text);
            assert_eq!(malformed.message, message);
        }
        let hint = Template::parse_record("{x}").expect_err("unknown").hint;
        assert!(hint.contains("{body./POINTER}"), "{hint}");
    }

    #[test]
    fn rendering_names_the_first_value_that_is_missing() {
        let template = Template::parse("{path.a}/{path.b}").expect("a template");
        let all = template.render(|_| Some("x".into()));
        assert_eq!(all.as_deref(), Ok("x/x"));
        let some = template.render(|v| (*v == Variable::Path("a".into())).then(|| "x".into()));
        assert_eq!(some, Err(&Variable::Path("b".into())));
    }

    #[test]
    fn what_is_no_template_says_why() {
        for (text, message) in [
            ("{body.x}", "no variable \"{body.x}\""),
            ("{path.}", "no variable \"{path.}\""),
            ("{}", "no variable \"{}\""),
            ("a{b", "\"{\" without its counterpart"),
            ("a}b", "\"}\" without its counterpart"),
            ("{header.a b}", "\"a b\" is no header name"),
        ] {
            assert_eq!(Template::parse(text).expect_err(text).message, message);
        }
    }
}
