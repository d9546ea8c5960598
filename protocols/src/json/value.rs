//! A value somewhere in a request, and the path to it. Knows no key by name.
//!
//! Paths are kept on the stack, as a chain from the value up to the body, and written out only for a
//! fault.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fault::{Fault, Kind};
use super::walk::{self, Stop, is_string, range_in, sort_of};
use crate::llm::Json;

/// The body of a request.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a>(&'a str);

impl<'a> Document<'a> {
    /// # Errors
    /// If it is not UTF-8.
    pub(crate) fn new(body: &'a [u8]) -> Result<Self, Fault> {
        std::str::from_utf8(body).map(Self).map_err(|error| {
            Fault::new(
                Kind::NotUtf8,
                body,
                error.valid_up_to(),
                "the body is not UTF-8",
                "encode the JSON as UTF-8",
            )
        })
    }

    /// All of it.
    pub(crate) fn root(self) -> Value<'a, 'static> {
        Value {
            body: self.0,
            raw: self.0.trim_matches([' ', '\t', '\n', '\r']),
            path: Path::Root,
        }
    }
}

#[derive(Clone, Copy)]
enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Root => {}
            Self::Key(parent, key) => {
                parent.write(out);
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Self::Index(parent, index) => {
                parent.write(out);
                out.push_str(&format!("[{index}]"));
            }
        }
    }
}

/// A value, as it stands in the body.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a, 'p> {
    body: &'a str,
    raw: &'a str,
    path: Path<'p>,
}

impl<'a, 'p> Value<'a, 'p> {
    /// The bytes of the value.
    pub(crate) const fn raw(&self) -> &'a str {
        self.raw
    }

    /// Where it stands in the body.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        range_in(self.body, self.raw)
    }

    pub(crate) fn is_null(&self) -> bool {
        self.raw == "null"
    }

    pub(crate) fn is_string(&self) -> bool {
        is_string(self.raw)
    }

    pub(crate) fn is_array(&self) -> bool {
        self.raw.starts_with('[')
    }

    pub(crate) fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    /// The path, as `messages[2].content`.
    pub(crate) fn path(&self) -> String {
        let mut out = String::new();
        self.path.write(&mut out);
        out
    }

    /// The members called `keys`, `null` taken as not there, and the names of all others to
    /// `unknown`.
    ///
    /// # Errors
    /// If it is no object, or one of the members stands in it twice.
    pub(crate) fn members<'s, const N: usize>(
        &'s self,
        keys: [&'static str; N],
        unknown: &mut dyn FnMut(&str),
    ) -> Result<[Option<Value<'a, 's>>; N], Fault> {
        let mut values: [Option<Value<'a, 's>>; N] = [None; N];
        let walked = walk::members(self.raw, &mut |key, raw| {
            let Some(index) = keys.iter().position(|known| *known == key) else {
                unknown(key);
                return Ok(());
            };
            let value = Value {
                body: self.body,
                raw,
                path: Path::Key(&self.path, keys[index]),
            };
            match values[index].replace(value) {
                None => Ok(()),
                Some(_) => Err(value.fault(
                    Kind::Duplicate,
                    "the key stands twice",
                    "send it once: two readers could take two different values",
                )),
            }
        });
        self.settle(walked)?;
        Ok(values.map(|value| value.filter(|value| !value.is_null())))
    }

    /// As [`members`](Self::members), where others do not matter.
    pub(crate) fn pick<'s, const N: usize>(
        &'s self,
        keys: [&'static str; N],
    ) -> Result<[Option<Value<'a, 's>>; N], Fault> {
        self.members(keys, &mut |_| {})
    }

    /// Every element of an array.
    ///
    /// # Errors
    /// If it is no array, and what `each` says.
    pub(crate) fn elements(
        &self,
        each: &mut dyn FnMut(Value<'a, '_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !self.is_array() {
            return Err(self.wrong_type("an array", "send an array"));
        }
        let walked = walk::elements(self.raw, &mut |index, raw| {
            each(Value {
                body: self.body,
                raw,
                path: Path::Index(&self.path, index),
            })
        });
        self.settle(walked)
    }

    /// Every element of an array, or the value itself if it is none.
    ///
    /// # Errors
    /// What `each` says.
    pub(crate) fn one_or_more(
        &self,
        each: &mut dyn FnMut(Value<'a, '_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.is_array() {
            self.elements(each)
        } else {
            each(*self)
        }
    }

    /// The text of a string, unescaped.
    ///
    /// # Errors
    /// If it is no string, or has half of a surrogate pair in it, which no text can hold.
    pub(crate) fn text(&self) -> Result<Cow<'a, str>, Fault> {
        if !self.is_string() {
            return Err(self.wrong_type("a string", "send a string"));
        }
        let inner = &self.raw[1..self.raw.len() - 1];
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Ok(Cow::Borrowed(inner));
        }
        serde_json::from_str(self.raw)
            .map(Cow::Owned)
            .map_err(|_| self.fault(Kind::Syntax, "a broken escape", "mend the string"))
    }

    /// A whole number, not negative.
    ///
    /// # Errors
    /// If it is none, or too large.
    pub(crate) fn whole(&self) -> Result<u64, Fault> {
        const MEND: &str = "send a whole number";
        if !self.raw.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.wrong_type("a whole number, not negative", MEND));
        }
        // Digits only, so that all that can fail is the size.
        self.raw
            .parse()
            .map_err(|_| self.fault(Kind::OutOfRange, "the number is too large", MEND))
    }

    /// A whole number of either sign.
    ///
    /// # Errors
    /// If it is none, or too large.
    pub(crate) fn integer(&self) -> Result<i64, Fault> {
        let wrong = |_| self.wrong_type("a whole number", "send a whole number");
        self.raw.parse().map_err(wrong)
    }

    /// A number.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn number(&self) -> Result<f64, Fault> {
        let wrong = || self.wrong_type("a number", "send a number");
        let is_number = self
            .raw
            .starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let number = is_number.then(|| self.raw.parse().ok()).flatten();
        number.filter(|n: &f64| n.is_finite()).ok_or_else(wrong)
    }

    /// A boolean.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn boolean(&self) -> Result<bool, Fault> {
        match self.raw {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong_type("a boolean", "send true or false")),
        }
    }

    /// The value as it was written.
    pub(crate) fn json(&self) -> Json<'a> {
        let raw: &RawValue = serde_json::from_str(self.raw).expect("it was cut out of JSON");
        Json::from(raw)
    }

    /// An object as it was written.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn json_object(&self) -> Result<Json<'a>, Fault> {
        match self.is_object() {
            true => Ok(self.json()),
            false => Err(self.wrong_type("an object", "send an object")),
        }
    }

    /// The member `key` is required, and was not there.
    pub(crate) fn missing(&self, key: &'static str, mend: &'static str) -> Fault {
        let value = Value {
            path: Path::Key(&self.path, key),
            ..*self
        };
        value.fault(Kind::Missing, "it is required and missing", mend)
    }

    pub(crate) fn wrong_type(&self, expected: &'static str, mend: &'static str) -> Fault {
        let problem = format!("expected {expected}, found {}", sort_of(self.raw));
        self.fault(Kind::WrongType, problem, mend)
    }

    /// A word that is none of those that may stand here.
    pub(crate) fn unknown_word(&self, mend: &'static str) -> Fault {
        self.fault(Kind::OutOfRange, "this word is not known here", mend)
    }

    pub(crate) fn fault(
        &self,
        kind: Kind,
        problem: impl Into<Cow<'static, str>>,
        mend: &'static str,
    ) -> Fault {
        let at = self.range().start;
        Fault::new(kind, self.body.as_bytes(), at, problem, mend).at_path(self.path())
    }

    fn settle(&self, walked: Result<(), Stop<Fault>>) -> Result<(), Fault> {
        walked.map_err(|stop| match stop {
            Stop::Fault(fault) => fault,
            Stop::Json(error) => {
                Fault::json(self.body.as_bytes(), self.range().start, &error).at_path(self.path())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(body: &str) -> Value<'_, 'static> {
        Document::new(body.as_bytes()).expect("UTF-8").root()
    }

    #[test]
    fn a_fault_says_what_is_wrong_where_it_stands() {
        let body = "{\"a\":[{\"b\":1},\n {\"b\":true}]}";
        let value = root(body);
        let [a] = value.pick(["a"]).expect("an object");
        let fault = a
            .expect("it is there")
            .elements(&mut |element| {
                let [b] = element.pick(["b"])?;
                b.expect("it is there").whole().map(|_| ())
            })
            .expect_err("true is no number");
        assert_eq!((fault.path.as_str(), fault.line), ("a[1].b", 2));
        assert_eq!(fault.kind, Kind::WrongType);
        assert!(fault.problem.contains("found a boolean"), "{fault}");
    }

    #[test]
    fn a_key_that_stands_twice_is_a_fault_and_an_unknown_one_is_told() {
        let mut unknown = Vec::new();
        let value = root(r#"{"x":1,"a":null,"y":{}}"#);
        let [a] = value
            .members(["a"], &mut |key| unknown.push(key.to_owned()))
            .expect("an object");
        assert!(a.is_none());
        assert_eq!(unknown, ["x", "y"]);
        let twice = root(r#"{"a":1,"a":2}"#);
        let fault = twice.pick(["a"]).map(|_| ()).expect_err("it stands twice");
        assert_eq!((fault.path.as_str(), fault.kind), ("a", Kind::Duplicate));
    }

    #[test]
    fn scalars_are_what_they_say_or_a_fault() {
        assert_eq!(root("-7").integer(), Ok(-7));
        assert_eq!(root("0.25").number(), Ok(0.25));
        assert_eq!(root(r#""a\u00e4""#).text().as_deref(), Ok("aä"));
        for (bad, kind) in [
            ("\"\\ud800\"", Kind::Syntax),
            ("1", Kind::WrongType),
            ("nul", Kind::WrongType),
        ] {
            assert_eq!(root(bad).text().map_err(|f| f.kind), Err(kind), "{bad}");
        }
        assert_eq!(
            root("99999999999999999999").whole().map_err(|f| f.kind),
            Err(Kind::OutOfRange)
        );
        assert!(root("1e999").number().is_err());
        assert!(root("inf").number().is_err());
    }
}
