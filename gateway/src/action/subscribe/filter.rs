//! Which records a subscriber is given: those its route gives out, and of these the ones it asked for.

use std::borrow::Cow;

use weir_protocols::pointer::Pointer;

use super::shown::Shown;

/// What a record must have: all of this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    conditions: Vec<Condition>,
}

/// What a record must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// This key.
    Key(String),
    /// This value of the header of that name.
    Header(String, String),
    /// This at that JSON pointer of its value.
    Json(Pointer, String),
}

impl Filter {
    /// Asks for this, too.
    pub(super) fn add(&mut self, condition: Condition) {
        self.conditions.push(condition);
    }

    /// Whether any record passes.
    pub(super) fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether a record has all that is asked for.
    pub(super) fn passes(&self, shown: &Shown) -> bool {
        let record = &shown.record;
        self.conditions.iter().all(|condition| match condition {
            Condition::Key(key) => record.key.as_deref() == Some(key.as_bytes()),
            Condition::Header(name, value) => record.header(name) == Some(value.as_bytes()),
            Condition::Json(pointer, text) => {
                // Of what could not be read nobody knows whether it has that.
                let value = shown.value().filter(|_| shown.undecodable().is_none());
                let found = pointer.find(value.unwrap_or_default());
                found.is_some_and(|found| is(found.get(), text))
            }
        })
    }
}

/// Whether a value, as JSON, is `text`, or is written so where it is no string.
fn is(json: &str, text: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Cow<'_, str>>(json).is_ok_and(|found| found == text),
        _ => json == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{Header, Record};

    fn passes(conditions: &[Condition]) -> bool {
        let header = |name: &str, value: &str| Header {
            name: name.into(),
            value: Some(value.as_bytes().into()),
        };
        let record = Record {
            partition: 0,
            offset: 0,
            timestamp: None,
            key: Some(b"k"[..].into()),
            headers: [header("kind", "old"), header("kind", "new")].into(),
            value: Some(br#"{"a":{"b":[1.50,"x"]},"c":true,"d":null}"#[..].into()),
        };
        let filter = Filter {
            conditions: conditions.to_vec(),
        };
        filter.passes(&Shown::plain(record.into()))
    }

    #[test]
    fn all_that_is_asked_for_must_be_there() {
        let key = |key: &str| Condition::Key(key.into());
        let header = |name: &str, value: &str| Condition::Header(name.into(), value.into());
        let json = |pointer: &str, text: &str| {
            Condition::Json(Pointer::parse(pointer).expect("a pointer"), text.into())
        };
        for (conditions, expected) in [
            (vec![], true),
            (vec![key("k")], true),
            (vec![key("")], false),
            // The last of a name counts.
            (vec![header("kind", "new")], true),
            (vec![header("kind", "old")], false),
            (vec![header("Kind", "new")], false),
            (vec![json("/a/b/1", "x")], true),
            (vec![json("/a/b/0", "1.50")], true),
            (vec![json("/a/b/0", "1.5")], false),
            (vec![json("/c", "true"), json("/d", "null")], true),
            (vec![json("/a", "x")], false),
            (vec![json("/e", "null")], false),
            (vec![key("k"), json("/c", "false")], false),
        ] {
            assert_eq!(passes(&conditions), expected, "{conditions:?}");
        }
    }
}
