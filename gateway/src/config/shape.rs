//! The shape of a configuration against its JSON Schema, in words for people.
//!
//! Every fault of a tree is found at once. Where a schema offers variants, the
//! one whose `kind` was written is judged, and no other.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::fault::{either, push_index, push_key, suggest};
use super::schema;
use super::units::{self, Format};

/// A fault of shape.
#[derive(Debug)]
pub(super) struct Misshape {
    /// Where.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(schema::schema);

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    let options = formats().into_iter().fold(options, |options, format| {
        options.with_format(format.name, format.accepts)
    });
    options
        .build(&SCHEMA)
        .expect("the generated schema is a JSON Schema")
});

/// A text format: its name, what people call it, what it accepts.
struct TextFormat {
    name: &'static str,
    expects: &'static str,
    accepts: fn(&str) -> bool,
}

fn formats() -> [TextFormat; 7] {
    fn format<T: Format>() -> TextFormat {
        TextFormat {
            name: T::NAME,
            expects: T::EXPECTS,
            accepts: |text| T::parse(text).is_some(),
        }
    }
    [
        format::<units::Duration>(),
        format::<units::Size>(),
        format::<units::Address>(),
        format::<units::Name>(),
        format::<units::ModelName>(),
        format::<units::Sha256>(),
        format::<units::Date>(),
    ]
}

/// Every fault in the shape of `tree`, ordered by where it is.
pub(super) fn check(tree: &Value) -> Vec<Misshape> {
    let mut faults = Vec::new();
    for error in VALIDATOR.iter_errors(tree) {
        describe(&error, &mut faults);
    }
    faults
}

/// Says what `error` means.
fn describe(error: &ValidationError<'_>, faults: &mut Vec<Misshape>) {
    let path = path_of(error.instance_path());
    let found = error.instance();
    let (message, hint) = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            faults.extend(unexpected.iter().map(|key| unknown(error, &path, key)));
            return;
        }
        ValidationErrorKind::OneOfNotValid { context } => {
            return variant(&path, found, context, faults);
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            (format!("\"{name}\" is missing"), format!("add `{name}:`"))
        }
        ValidationErrorKind::Type { kind } => (
            format!("expected {}, found {}", expected(kind), kind_of(found)),
            type_hint(kind, found),
        ),
        ValidationErrorKind::Format { format } => {
            let format = formats().into_iter().find(|known| known.name == format);
            let expects = format.map_or("text in another format", |known| known.expects);
            (format!("{} is not {expects}", shown(found)), String::new())
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten();
            let options: Vec<&str> = options.filter_map(Value::as_str).collect();
            (
                format!("there is no {}", shown(found)),
                choice(found, &options),
            )
        }
        ValidationErrorKind::Constant { expected_value } => {
            let options: Vec<&str> = expected_value.as_str().into_iter().collect();
            (
                format!("there is no {}", shown(found)),
                choice(found, &options),
            )
        }
        other => bounds(other, found),
    };
    faults.push(Misshape {
        path,
        message,
        hint,
    });
}

/// A key that is not there; or not yet.
fn unknown(error: &ValidationError<'_>, path: &str, key: &str) -> Misshape {
    let mut path = path.to_owned();
    push_key(&mut path, key);
    Misshape {
        path,
        message: format!("there is no \"{key}\" here"),
        hint: suggest_key(error, key),
    }
}

/// What is out of bounds.
fn bounds(kind: &ValidationErrorKind, found: &Value) -> (String, String) {
    match kind {
        ValidationErrorKind::Minimum { limit } => (
            format!("{} is too small", shown(found)),
            format!("the least is {limit}"),
        ),
        ValidationErrorKind::Maximum { limit } => (
            format!("{} is too large", shown(found)),
            format!("the most is {limit}"),
        ),
        ValidationErrorKind::MinItems { .. } => (
            "this list is empty".to_owned(),
            "give at least one entry".to_owned(),
        ),
        ValidationErrorKind::MinLength { .. } => {
            ("this is empty".to_owned(), "give a value".to_owned())
        }
        other => (
            format!("this is not what is expected ({})", other.keyword()),
            "see `weir schema`".to_owned(),
        ),
    }
}

/// Judges the variant that was meant: by `kind`, or by the word itself.
fn variant(
    path: &str,
    found: &Value,
    context: &[Vec<ValidationError<'_>>],
    faults: &mut Vec<Misshape>,
) {
    let mut words = Vec::new();
    for errors in context {
        match errors.iter().find_map(|error| word_of(error, path)) {
            Some(word) => words.push(word),
            // its `kind` fits, so this is the one that was meant
            None if found.get("kind").is_some_and(Value::is_string) => {
                errors.iter().for_each(|error| describe(error, faults));
                return;
            }
            None => {}
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (at, word) = match found {
        Value::Object(map) => {
            let mut at = path.to_owned();
            push_key(&mut at, "kind");
            match map.get("kind") {
                Some(kind) => (at, kind),
                None => {
                    let kinds = kinds_missing(context);
                    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
                    faults.push(Misshape {
                        path: path.to_owned(),
                        message: "\"kind\" is missing".to_owned(),
                        hint: format!("add `kind:` and one of {}", either(&kinds, "or")),
                    });
                    return;
                }
            }
        }
        other => (path.to_owned(), other),
    };
    faults.push(match words.as_slice() {
        [] => Misshape {
            path: at,
            message: format!("expected settings with a `kind`, found {}", kind_of(word)),
            hint: "write `{ kind: … }`".to_owned(),
        },
        words => Misshape {
            path: at,
            message: format!("there is no {}", shown(word)),
            hint: choice(word, words),
        },
    });
}

/// The word a variant asked for where another was written.
fn word_of(error: &ValidationError<'_>, path: &str) -> Option<String> {
    let ValidationErrorKind::Constant { expected_value } = error.kind() else {
        return None;
    };
    let at = path_of(error.instance_path());
    let tag = at == path
        || at
            .strip_prefix(path)
            .is_some_and(|rest| rest.trim_start_matches('.') == "kind");
    tag.then(|| expected_value.as_str().unwrap_or_default().to_owned())
}

/// The kinds there are, where none was written.
fn kinds_missing(context: &[Vec<ValidationError<'_>>]) -> Vec<String> {
    context
        .iter()
        .flatten()
        .filter(|error| {
            matches!(error.kind(), ValidationErrorKind::Required { property } if property == "kind")
        })
        .filter_map(|error| {
            let variant = schema_at(error.schema_path(), 1)?;
            variant.pointer("/properties/kind/const")?.as_str().map(str::to_owned)
        })
        .collect()
}

/// A suggestion for a key that is not there.
fn suggest_key(error: &ValidationError<'_>, key: &str) -> String {
    let known =
        schema_at(error.schema_path(), 1).and_then(|object| object.get("properties")?.as_object());
    match known {
        Some(known) => suggest(key, known.keys().map(String::as_str).collect::<Vec<_>>()),
        None => String::new(),
    }
}

/// The schema at `location`, less so many segments at its end.
fn schema_at(location: &Location, less: usize) -> Option<&'static Value> {
    let mut pointer = location.as_str();
    for _ in 0..less {
        pointer = &pointer[..pointer.rfind('/')?];
    }
    SCHEMA.pointer(pointer)
}

/// A suggestion among words.
fn choice(found: &Value, words: &[&str]) -> String {
    match found.as_str() {
        Some(word) => suggest(word, words.iter().copied()),
        None => format!("expected {}", either(words, "or")),
    }
}

/// The path as people read it.
fn path_of(location: &Location) -> String {
    let mut path = String::new();
    for segment in location.segments() {
        match segment {
            LocationSegment::Property(key) => push_key(&mut path, &key),
            LocationSegment::Index(index) => push_index(&mut path, index),
        }
    }
    path
}

/// What was found, short enough for a line.
fn shown(found: &Value) -> String {
    match found {
        Value::String(text) if text.chars().count() <= 60 => format!("\"{text}\""),
        Value::String(_) => "this text".to_owned(),
        Value::Bool(_) | Value::Number(_) => found.to_string(),
        other => kind_of(other).to_owned(),
    }
}

fn kind_of(found: &Value) -> &'static str {
    match found {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "settings",
    }
}

fn expected(kind: &TypeKind) -> String {
    let name = |name: &str| match name {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "null" => "nothing",
        "number" => "a number",
        "object" => "settings",
        _ => "text",
    };
    match kind {
        TypeKind::Single(kind) => name(kind.as_str()).to_owned(),
        TypeKind::Multiple(kinds) => {
            let names: Vec<&str> = kinds.iter().map(|kind| name(kind.as_str())).collect();
            either(&names, "or")
        }
    }
}

/// How a wrong type is usually mended.
fn type_hint(kind: &TypeKind, found: &Value) -> String {
    let wants = |name: &str| matches!(kind, TypeKind::Single(kind) if kind.as_str() == name);
    match found {
        Value::Null => "give a value, or leave the key out".to_owned(),
        Value::Number(_) | Value::Bool(_) if wants("string") => "put it in quotes".to_owned(),
        Value::String(_) if wants("array") => "write it in brackets: [ … ]".to_owned(),
        Value::Object(_) if wants("array") => "begin each entry with \"- \"".to_owned(),
        _ => String::new(),
    }
}
