//! Fields of messages by their paths, and their values as a URL writes them. Does not know which part
//! of a URL a value is from.

use std::fmt;

use prost_reflect::{
    DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};
use serde::de::value::{BoolDeserializer, Error, StrDeserializer};

/// How deep a field may be. Types that hold themselves have no end.
const MOST_LEVELS: usize = 32;

/// How many values of an enumeration are named where one is expected.
const MOST_NAMES: usize = 8;

/// The way to a field of a message, through fields of messages in it.
#[derive(Clone, Debug)]
pub(super) struct Path {
    fields: Box<[FieldDescriptor]>,
}

impl Path {
    /// The field that a template names: one value, by its name as defined.
    pub(super) fn resolve(message: &MessageDescriptor, name: &str) -> Result<Self, String> {
        let fault = |why: &str| format!("{} has the field {name}, {why}", message.full_name());
        let path = Self::walk(message, name, MessageDescriptor::get_field_by_name)
            .ok_or_else(|| format!("{} has no field {name}", message.full_name()))?;
        let field = path.last();
        if field.is_list() || field.is_map() {
            return Err(fault("which is repeated, and cannot be in a path"));
        }
        if !is_plain(&field.kind()) {
            return Err(fault(
                "which is a message, and cannot be in a path: name one of its fields",
            ));
        }
        Ok(path)
    }

    /// The field that a parameter names, by its name as defined or as in JSON. It may be repeated.
    pub(super) fn find(message: &MessageDescriptor, name: &str) -> Option<Self> {
        let path = Self::walk(message, name, |message, name| {
            let field = message.get_field_by_name(name);
            field.or_else(|| message.get_field_by_json_name(name))
        })?;
        let field = path.last();
        (!field.is_map() && is_plain(&field.kind())).then_some(path)
    }

    fn walk(
        message: &MessageDescriptor,
        name: &str,
        find: impl Fn(&MessageDescriptor, &str) -> Option<FieldDescriptor>,
    ) -> Option<Self> {
        let mut fields: Vec<FieldDescriptor> = Vec::new();
        for name in name.split('.') {
            let field = match fields.last() {
                None => find(message, name)?,
                Some(outer) if outer.is_list() || outer.is_map() => return None,
                Some(outer) => find(outer.kind().as_message()?, name)?,
            };
            if fields.len() == MOST_LEVELS {
                return None;
            }
            fields.push(field);
        }
        Some(Self {
            fields: fields.into(),
        })
    }

    /// Its name as defined, with dots.
    pub(super) fn name(&self) -> String {
        let names: Vec<_> = self.fields.iter().map(FieldDescriptor::name).collect();
        names.join(".")
    }

    pub(super) fn first(&self) -> &FieldDescriptor {
        &self.fields[0]
    }

    pub(super) fn last(&self) -> &FieldDescriptor {
        &self.fields[self.fields.len() - 1]
    }

    /// Whether setting both would set one of them twice.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.fields
            .iter()
            .zip(&other.fields)
            .all(|(one, other)| one == other)
    }

    /// Sets the field, and makes the messages it is in.
    pub(super) fn set(&self, message: &mut DynamicMessage, value: Value) {
        let Some((last, outer)) = self.fields.split_last() else {
            return;
        };
        let mut message = message;
        for field in outer {
            let Some(inner) = message.get_field_mut(field).as_message_mut() else {
                return;
            };
            message = inner;
        }
        message.set_field(last, value);
    }

    /// The other field of a choice that is set on the way already, if there is one: of those only one
    /// can be.
    pub(super) fn rival(&self, message: &DynamicMessage) -> Option<FieldDescriptor> {
        rival(&self.fields, message)
    }
}

fn rival(fields: &[FieldDescriptor], message: &DynamicMessage) -> Option<FieldDescriptor> {
    let (field, inner) = fields.split_first()?;
    let others = field.containing_oneof();
    let others = others.iter().flat_map(|choice| choice.fields());
    let set = others.filter(|other| other != field && message.has_field(other));
    set.last().or_else(|| {
        let value = message.get_field(field);
        rival(inner, value.as_message()?)
    })
}

/// Whether values of a kind are one text in a URL.
fn is_plain(kind: &Kind) -> bool {
    match kind {
        Kind::Message(message) => is_well_known(message.full_name()),
        _ => true,
    }
}

fn is_well_known(name: &str) -> bool {
    matches!(
        name.strip_prefix("google.protobuf."),
        Some("Timestamp" | "Duration" | "FieldMask")
    ) || wrapped(name).is_some()
}

/// The kind of value that a wrapper holds.
fn wrapped(name: &str) -> Option<Kind> {
    Some(match name.strip_prefix("google.protobuf.")? {
        "DoubleValue" => Kind::Double,
        "FloatValue" => Kind::Float,
        "Int32Value" => Kind::Int32,
        "Int64Value" => Kind::Int64,
        "UInt32Value" => Kind::Uint32,
        "UInt64Value" => Kind::Uint64,
        "BoolValue" => Kind::Bool,
        "StringValue" => Kind::String,
        "BytesValue" => Kind::Bytes,
        _ => return None,
    })
}

/// A value as a URL writes it: as JSON does, without quotes. `None` if it is of another kind.
pub(super) fn parse(kind: &Kind, text: &str) -> Option<Value> {
    Some(match kind {
        Kind::Double => Value::F64(number(text)?),
        Kind::Float => Value::F32(small(number(text)?)?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(text.parse().ok()?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(text.parse().ok()?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(text.parse().ok()?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(text.parse().ok()?),
        Kind::Bool => Value::Bool(text.parse().ok()?),
        Kind::String => Value::String(text.to_owned()),
        Kind::Bytes => {
            let holder = super::super::descriptor::builtin::message("google.protobuf.BytesValue")?;
            return well_known(&holder, text)?.take_field_by_name("value");
        }
        Kind::Enum(kind) => Value::EnumNumber(match kind.get_value_by_name(text) {
            Some(value) => value.number(),
            None => text.parse().ok()?,
        }),
        Kind::Message(message) => Value::Message(well_known(message, text)?),
    })
}

/// A message that JSON writes as a text.
fn well_known(message: &MessageDescriptor, text: &str) -> Option<DynamicMessage> {
    match message.full_name() {
        "google.protobuf.FieldMask" => return field_mask(message, text),
        "google.protobuf.BoolValue" => {
            let value = BoolDeserializer::<Error>::new(text.parse().ok()?);
            return DynamicMessage::deserialize(message.clone(), value).ok();
        }
        "google.protobuf.DoubleValue" => {
            number(text)?;
        }
        "google.protobuf.FloatValue" => {
            small(number(text)?)?;
        }
        _ => {}
    }
    let value = StrDeserializer::<Error>::new(text);
    let options = DeserializeOptions::new();
    DynamicMessage::deserialize_with_options(message.clone(), value, &options).ok()
}

/// In a URL, names of fields are also written as they are defined.
fn field_mask(message: &MessageDescriptor, text: &str) -> Option<DynamicMessage> {
    let path = |path: &str| {
        let mut name = String::with_capacity(path.len() + 4);
        for letter in path.chars() {
            match letter {
                'A'..='Z' => name.extend(['_', letter.to_ascii_lowercase()]),
                'a'..='z' | '0'..='9' | '_' | '.' => name.push(letter),
                _ => return None,
            }
        }
        Some(Value::String(name))
    };
    let paths = text.split(',').filter(|path| !path.is_empty()).map(path);
    let paths = paths.collect::<Option<Vec<_>>>()?;
    let mut mask = DynamicMessage::new(message.clone());
    mask.try_set_field_by_name("paths", Value::List(paths))
        .ok()?;
    Some(mask)
}

fn number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // Not the other names that a number may have, nor what is too big for one.
        text if text.contains(['n', 'N', 'i', 'I']) => None,
        text => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

fn small(number: f64) -> Option<f32> {
    let small = number as f32;
    (small.is_finite() || !number.is_finite()).then_some(small)
}

/// What a field should have been, for people.
pub(super) struct Expected<'a> {
    pub(super) kind: &'a Kind,
    pub(super) shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    List,
    Map,
}

impl Shape {
    pub(super) fn of(field: &FieldDescriptor) -> Self {
        if field.is_map() {
            Self::Map
        } else if field.is_list() {
            Self::List
        } else {
            Self::One
        }
    }
}

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            Shape::One => one(self.kind, f),
            Shape::List => {
                f.write_str("an array, each of it ")?;
                one(self.kind, f)
            }
            Shape::Map => f.write_str("an object with a value for each key"),
        }
    }
}

fn one(kind: &Kind, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match kind {
        Kind::Double => "a number",
        Kind::Float => "a number that 32 bits can hold",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a whole number of 32 bits",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a whole number of 64 bits",
        Kind::Uint32 | Kind::Fixed32 => "a whole number of 32 bits, not negative",
        Kind::Uint64 | Kind::Fixed64 => "a whole number of 64 bits, not negative",
        Kind::Bool => "true or false",
        Kind::String => "a text",
        Kind::Bytes => "a text in base64",
        Kind::Enum(kind) => {
            let names = kind.values().take(MOST_NAMES);
            let names: Vec<_> = names.map(|value| value.name().to_owned()).collect();
            let more = if kind.values().len() > MOST_NAMES {
                ", …"
            } else {
                ""
            };
            return write!(f, "one of {}{more}, or its number", names.join(", "));
        }
        Kind::Message(message) => {
            let name = message.full_name();
            if let Some(kind) = wrapped(name) {
                return one(&kind, f);
            }
            match name {
                "google.protobuf.Timestamp" => "a time like 2024-05-01T12:00:00Z",
                "google.protobuf.Duration" => "a time span in seconds like 1.5s",
                "google.protobuf.FieldMask" => "names of fields like name,author.name",
                "google.protobuf.Any" => "an object with its type, which must be known, as @type",
                "google.protobuf.Struct" => "an object",
                "google.protobuf.ListValue" => "an array",
                "google.protobuf.Empty" => "an empty object",
                name => return write!(f, "an object with fields of {name}"),
            }
        }
    })
}
