//! What the JSON of messages is made of (protobuf's "ProtoJSON format"), for who describes it in a
//! language of types. Does not know which, nor how messages are read or written.

use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, MessageDescriptor};

use super::Method;

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A whole number that fits into 32 bits with a sign.
    Int,
    /// Any other whole number.
    Long,
    /// A number; or one of the texts `NaN`, `Infinity` and `-Infinity`.
    Float,
    /// Yes or no.
    Boolean,
    /// A text; bytes are one in base64, and so are times and the like.
    Text,
    /// One of some names, or a number that has none.
    Enum(Enum),
    /// An object with these fields.
    Object(Message),
    /// An object that never has a field.
    Empty,
    /// Any JSON.
    Any,
}

/// A message whose JSON is an object; it has at least one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Message(MessageDescriptor);

/// An enumeration.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum(EnumDescriptor);

/// A field of a message.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: String,
    /// What it holds, one or each of it.
    pub kind: Kind,
    /// How much of that.
    pub count: Count,
    /// Whether it has to be there.
    pub required: bool,
}

/// How many values there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// One, or none.
    One,
    /// An array of them.
    List,
    /// An object with one for each key.
    Map,
}

impl Method {
    /// What a request is.
    pub fn takes(&self) -> Kind {
        of_message(&self.input)
    }

    /// What an answer is.
    pub fn gives(&self) -> Kind {
        of_message(&self.output)
    }
}

impl Message {
    /// Its name with its package.
    pub fn full_name(&self) -> &str {
        self.0.full_name()
    }

    /// Its name within its package: `Outer.Inner`.
    pub fn name(&self) -> &str {
        within(self.0.package_name(), self.0.full_name())
    }

    /// Its fields, in the order of their numbers. Those of a choice stand beside the others.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.0.fields().map(|field| Field {
            name: field.json_name().to_owned(),
            kind: of_field(&field),
            count: if field.is_map() {
                Count::Map
            } else if field.is_list() {
                Count::List
            } else {
                Count::One
            },
            required: field.cardinality() == Cardinality::Required,
        })
    }
}

impl Enum {
    /// Its name with its package.
    pub fn full_name(&self) -> &str {
        self.0.full_name()
    }

    /// Its name within its package.
    pub fn name(&self) -> &str {
        within(self.0.package_name(), self.0.full_name())
    }

    /// What its values are called.
    pub fn values(&self) -> impl Iterator<Item = String> + '_ {
        self.0.values().map(|value| value.name().to_owned())
    }
}

fn within<'a>(package: &str, full: &'a str) -> &'a str {
    let own = full.strip_prefix(package).unwrap_or(full);
    own.strip_prefix('.').unwrap_or(own)
}

fn of_field(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        prost_reflect::Kind::Message(entry) if field.is_map() => {
            of_field(&entry.map_entry_value_field())
        }
        prost_reflect::Kind::Message(message) => of_message(&message),
        prost_reflect::Kind::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => {
            Kind::Any
        }
        prost_reflect::Kind::Enum(kind) => Kind::Enum(Enum(kind)),
        kind => of_scalar(&kind),
    }
}

fn of_scalar(kind: &prost_reflect::Kind) -> Kind {
    use prost_reflect::Kind as Of;
    match kind {
        Of::Double | Of::Float => Kind::Float,
        Of::Int32 | Of::Sint32 | Of::Sfixed32 => Kind::Int,
        Of::Int64 | Of::Sint64 | Of::Sfixed64 => Kind::Long,
        Of::Uint32 | Of::Fixed32 | Of::Uint64 | Of::Fixed64 => Kind::Long,
        Of::Bool => Kind::Boolean,
        Of::String | Of::Bytes => Kind::Text,
        Of::Message(_) | Of::Enum(_) => Kind::Any,
    }
}

fn of_message(message: &MessageDescriptor) -> Kind {
    let name = message.full_name().strip_prefix("google.protobuf.");
    match name {
        Some("Timestamp" | "Duration" | "FieldMask") => Kind::Text,
        Some("Any" | "Struct" | "Value" | "ListValue") => Kind::Any,
        Some(name) if name.ends_with("Value") && message.fields().len() == 1 => {
            // A wrapper is written as what it wraps.
            let wrapped = message.get_field(1);
            wrapped.map_or(Kind::Any, |field| of_scalar(&field.kind()))
        }
        _ if message.fields().len() == 0 => Kind::Empty,
        _ => Kind::Object(Message(message.clone())),
    }
}
