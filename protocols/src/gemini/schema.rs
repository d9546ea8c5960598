//! Gemini's own `Schema` type as JSON Schema, which every other dialect speaks.
//!
//! Types are written in small letters, `nullable` becomes the type `null`, numbers that protobuf's
//! JSON writes as strings become numbers, and names in snake case become camel case. Whatever else
//! stands in a schema is kept as it is: JSON Schema passes over words it does not know.

use serde_json::value::RawValue;

use crate::json::{Fault, Kind, Stop, Value, is_string, members};
use crate::llm::Json;

/// How deep schemas may stand in one another.
const MAX_DEPTH: usize = 64;

/// Reads a `Schema`.
///
/// # Errors
/// If it is no object, or holds schemas deeper than [`MAX_DEPTH`].
pub(super) fn read(value: &Value<'_, '_>) -> Result<Json<'static>, Fault> {
    if !value.is_object() {
        return Err(value.wrong_type("an object", "send a schema"));
    }
    let mut out = String::with_capacity(value.raw().len());
    schema(value.raw(), MAX_DEPTH, &mut out)
        .ok()
        .and_then(|()| Json::parse(&out))
        .ok_or_else(|| {
            value.fault(
                Kind::OutOfRange,
                "the schema is broken, or schemas stand in one another too deep",
                "send a schema at most 64 deep",
            )
        })
}

/// The schema cannot be walked: why does not matter, the fault names both reasons.
struct Unread;

impl From<Stop<Unread>> for Unread {
    fn from(_: Stop<Unread>) -> Self {
        Self
    }
}

/// What the words of one schema say that must be said together.
#[derive(Default)]
struct Together<'a> {
    kind: Option<&'a str>,
    any_of: Option<&'a str>,
    values: Option<&'a str>,
    nullable: bool,
}

fn schema(text: &str, depth: usize, out: &mut String) -> Result<(), Unread> {
    if !text.starts_with('{') {
        // `additionalProperties` may be a boolean; what is no schema at all is the target's to refuse.
        out.push_str(text);
        return Ok(());
    }
    let depth = depth.checked_sub(1).ok_or(Unread)?;
    let mut said = Together::default();
    let mut list = List::open(out, '{');
    members(text, &mut |key, value| match camel(key) {
        "type" => set(&mut said.kind, value),
        "anyOf" => set(&mut said.any_of, value),
        "enum" => set(&mut said.values, value),
        "nullable" => {
            said.nullable = value == "true";
            Ok(())
        }
        "items" | "additionalProperties" | "not" => schema(value, depth, list.member(key)),
        "properties" | "$defs" | "defs" => map(value, depth, list.member(key)),
        "prefixItems" | "oneOf" | "allOf" => each(value, depth, false, list.member(key)),
        "maxItems" | "minItems" | "maxLength" | "minLength" | "maxProperties" | "minProperties" => {
            list.member(key).push_str(number(value));
            Ok(())
        }
        _ => {
            list.member(key).push_str(value);
            Ok(())
        }
    })?;
    together(&said, depth, &mut list)?;
    list.close('}');
    Ok(())
}

fn set<'a>(slot: &mut Option<&'a str>, value: &'a str) -> Result<(), Unread> {
    slot.replace(value).map_or(Ok(()), |_| Err(Unread))
}

fn together(said: &Together<'_>, depth: usize, list: &mut List<'_>) -> Result<(), Unread> {
    let kind = said.kind.filter(|kind| *kind != "\"TYPE_UNSPECIFIED\"");
    if let Some(kind) = kind {
        let out = list.member("type");
        if said.nullable && is_string(kind) {
            out.push('[');
            out.push_str(&kind.to_ascii_lowercase());
            out.push_str(",\"null\"]");
        } else {
            out.push_str(&kind.to_ascii_lowercase());
        }
    }
    if let Some(values) = said.values {
        let out = list.member("enum");
        elements(
            values,
            said.nullable.then_some("null"),
            out,
            &mut |value, out| {
                out.push_str(value);
                Ok(())
            },
        )?;
    }
    if let Some(any_of) = said.any_of {
        let alone = said.nullable && kind.is_none();
        each(any_of, depth, alone, list.member("anyOf"))?;
    }
    Ok(())
}

/// Schemas by name.
fn map(text: &str, depth: usize, out: &mut String) -> Result<(), Unread> {
    if !text.starts_with('{') {
        out.push_str(text);
        return Ok(());
    }
    let mut list = List::open(out, '{');
    members(text, &mut |name, value| {
        schema(value, depth, list.named(name))
    })?;
    list.close('}');
    Ok(())
}

/// Schemas in an array, and the one of `null` if wanted.
fn each(text: &str, depth: usize, null: bool, out: &mut String) -> Result<(), Unread> {
    let null = null.then_some(r#"{"type":"null"}"#);
    elements(text, null, out, &mut |value, out| schema(value, depth, out))
}

fn elements(
    text: &str,
    more: Option<&str>,
    out: &mut String,
    write: &mut dyn FnMut(&str, &mut String) -> Result<(), Unread>,
) -> Result<(), Unread> {
    if !text.starts_with('[') {
        out.push_str(text);
        return Ok(());
    }
    let values: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Unread)?;
    let mut list = List::open(out, '[');
    for value in values {
        write(value.get(), list.element())?;
    }
    if let Some(more) = more {
        list.element().push_str(more);
    }
    list.close(']');
    Ok(())
}

/// A number that may stand in a string, as protobuf's JSON writes those of 64 bits.
fn number(value: &str) -> &str {
    let digits = value.trim_matches('"');
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A leading zero would make it no JSON.
    if is_number && (digits == "0" || !digits.starts_with('0')) {
        digits
    } else {
        value
    }
}

/// The name in camel case of a word of schemas.
fn camel(key: &str) -> &str {
    match key {
        "any_of" => "anyOf",
        "additional_properties" => "additionalProperties",
        "prefix_items" => "prefixItems",
        "max_items" => "maxItems",
        "min_items" => "minItems",
        "max_length" => "maxLength",
        "min_length" => "minLength",
        "max_properties" => "maxProperties",
        "min_properties" => "minProperties",
        "property_ordering" => "propertyOrdering",
        _ => key,
    }
}

/// An object or array being written.
struct List<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> List<'o> {
    fn open(out: &'o mut String, bracket: char) -> Self {
        out.push(bracket);
        Self { out, empty: true }
    }

    fn element(&mut self) -> &mut String {
        if !std::mem::take(&mut self.empty) {
            self.out.push(',');
        }
        self.out
    }

    /// A member called by a word of schemas.
    fn member(&mut self, key: &str) -> &mut String {
        self.named(camel(key))
    }

    /// A member called as it is.
    fn named(&mut self, name: &str) -> &mut String {
        let out = self.element();
        out.push_str(&serde_json::Value::from(name).to_string());
        out.push(':');
        out
    }

    fn close(self, bracket: char) {
        self.out.push(bracket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    fn converted(text: &str) -> Result<String, Kind> {
        let document = Document::new(text.as_bytes()).expect("UTF-8");
        let schema = read(&document.root()).map_err(|fault| fault.kind)?;
        Ok(schema.get().to_owned())
    }

    #[test]
    fn a_schema_becomes_json_schema() {
        for (text, expected) in [
            (r#"{"type":"STRING"}"#, r#"{"type":"string"}"#),
            (
                r#"{"type":"OBJECT","properties":{"type":{"type":"INTEGER","nullable":true},
                    "any_of":{"type":"ARRAY","items":{"type":"STRING"},"max_items":"5"}},
                    "required":["type"],"propertyOrdering":["type"]}"#,
                concat!(
                    r#"{"properties":{"type":{"type":["integer","null"]},"#,
                    r#""any_of":{"items":{"type":"string"},"maxItems":5,"type":"array"}},"#,
                    r#""required":["type"],"propertyOrdering":["type"],"type":"object"}"#
                ),
            ),
            (
                r#"{"any_of":[{"type":"STRING"},{"type":"NUMBER"}],"nullable":true}"#,
                r#"{"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}]}"#,
            ),
            (
                r#"{"type":"STRING","enum":["A","B"],"nullable":true,"description":"STRING"}"#,
                r#"{"description":"STRING","type":["string","null"],"enum":["A","B",null]}"#,
            ),
            (r#"{"type":"TYPE_UNSPECIFIED","nullable":false}"#, "{}"),
            (
                r#"{"additionalProperties":false,"minLength":"007"}"#,
                r#"{"additionalProperties":false,"minLength":"007"}"#,
            ),
        ] {
            assert_eq!(converted(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded_and_what_is_no_schema_is_refused() {
        let nested = |depth: usize| {
            let open = r#"{"items":"#.repeat(depth);
            format!("{open}{{}}{}", "}".repeat(depth))
        };
        assert!(converted(&nested(MAX_DEPTH - 1)).is_ok());
        assert_eq!(converted(&nested(MAX_DEPTH)), Err(Kind::OutOfRange));
        assert_eq!(converted(&nested(5_000)), Err(Kind::OutOfRange));
        assert_eq!(converted("[]"), Err(Kind::WrongType));
        let twice = r#"{"type":"STRING","type":"NUMBER"}"#;
        assert_eq!(converted(twice), Err(Kind::OutOfRange));
    }
}
