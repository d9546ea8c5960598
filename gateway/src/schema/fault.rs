//! Why a record does not fit its schema. What it says is bounded in length, and holds names but no
//! values: whoever reads it may not be who wrote them.

use std::fmt;

/// The longest text that is said of a place or a wish, in bytes.
const LONGEST: usize = 200;

/// Why a record does not fit its schema: the first thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: a JSON Pointer (RFC 6901), or for Protobuf the field, as `lines[0].amount`. Empty for
    /// all of it.
    pub place: String,
    /// What is wrong there, to be read after the place: `has to be there`.
    pub what: String,
}

impl Fault {
    /// Something about all of a value; [`Fault::within`] says where that is.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            place: String::new(),
            what: what.into(),
        }
    }

    /// The same, seen from what has the value under `name`.
    pub(super) fn within(mut self, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.place.insert_str(0, &name);
        self.place.insert(0, '/');
        self
    }

    /// The place as it is told, cut short where it is long.
    pub fn told(&self) -> String {
        cut(&self.place)
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at));
    format!("{}…", &text[..end.unwrap_or(0)])
}

impl fmt::Display for Fault {
    /// `/text has to be there`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str("it")?,
            _ => f.write_str(&self.told())?,
        }
        write!(f, " {}", cut(&self.what))
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn a_place_is_a_pointer_and_bounded() {
        let fault = Fault::new("has to be there").within("a/b~").within("0");
        assert_eq!(fault.to_string(), "/0/a~1b~0 has to be there");
        assert_eq!(Fault::new("is no JSON").to_string(), "it is no JSON");
        let long = Fault::new("x".repeat(9000)).within(&"ä".repeat(9000));
        assert!(long.to_string().len() < 450, "{}", long.to_string().len());
    }
}
