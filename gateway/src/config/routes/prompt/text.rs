//! A text of a prompt, with `{input.NAME}` in it.
//!
//! What is put in is put in as it is: nothing in it is read as a template, so that no caller can
//! name what the route did not.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::check::{At, Checker};
use crate::config::fault::suggest;
use crate::config::template::{Piece, pieces};

/// A text with properties of the input in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// Text that stands for itself.
    Literal(Arc<str>),
    /// A property of the input, and what stands there where it has none: `None` if its schema
    /// requires it.
    Input(Arc<str>, Option<Arc<str>>),
}

impl Text {
    /// The text with what `input` holds in it; `input` fits the schema that the text was checked
    /// against.
    pub fn fill(&self, input: &Map<String, Value>) -> String {
        let mut filled = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => filled.push_str(text),
                Segment::Input(name, default) => match (input.get(&**name), default) {
                    (Some(value), _) => filled.push_str(&written(value)),
                    (None, default) => filled.push_str(default.as_deref().unwrap_or_default()),
                },
            }
        }
        filled
    }
}

/// Text as it is, anything else as JSON.
fn written(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Checks that a text names only what an input that fits `schema` is sure to have.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    text: &str,
    schema: &Map<String, Value>,
) -> Option<Text> {
    let pieces = match pieces(text) {
        Ok(pieces) => pieces,
        Err(malformed) => {
            cx.fault(at, malformed.message, malformed.hint);
            return None;
        }
    };
    let mut segments = Vec::new();
    let mut good = true;
    for piece in pieces {
        match piece {
            Piece::Literal(text) => segments.push(Segment::Literal(text.into())),
            Piece::Variable(name) => match property(name, schema) {
                Ok(segment) => segments.push(segment),
                Err((message, hint)) => {
                    cx.fault(at, message, hint);
                    good = false;
                }
            },
        }
    }
    good.then_some(Text { segments })
}

/// A variable, or what is wrong with it and how to mend it.
fn property(variable: &str, schema: &Map<String, Value>) -> Result<Segment, (String, String)> {
    let Some(name) = variable.strip_prefix("input.") else {
        let hint = "name a property of the input, as {input.text}; \"{{\" is a brace";
        return Err((format!("no variable \"{{{variable}}}\""), hint.to_owned()));
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    let Some(property) = properties.and_then(|all| all.get(name)) else {
        let known = properties.into_iter().flat_map(Map::keys);
        let hint = suggest(name, known.map(String::as_str));
        return Err((
            format!("`input` has no property \"{name}\""),
            match hint.is_empty() {
                true => "add it to `properties`".to_owned(),
                false => hint,
            },
        ));
    };
    let default = property.get("default").map(|value| written(value).into());
    let required = schema.get("required").and_then(Value::as_array);
    let required = required.is_some_and(|names| names.iter().any(|one| one == name));
    if !required && default.is_none() {
        return Err((
            format!("`input` does not require \"{name}\", so it may be missing"),
            format!(
                "add it to `required`, or give it a `default`: {{ default: … }} in `properties.{name}`"
            ),
        ));
    }
    Ok(Segment::Input(name.into(), default))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_put_in_is_not_read_again() {
        let schema = json!({ "properties": { "a": {}, "b": { "default": 3 } }, "required": ["a"] });
        let schema = schema.as_object().expect("an object");
        let segments = ["input.a", "input.b"].map(|name| property(name, schema).expect("known"));
        let text = Text {
            segments: segments.into(),
        };
        let filled = |input: Value| text.fill(input.as_object().expect("an object"));
        assert_eq!(filled(json!({ "a": "{input.b} {{" })), "{input.b} {{3");
        assert_eq!(filled(json!({ "a": [1, "x"], "b": null })), "[1,\"x\"]null");
    }
}
