//! A free setting: text, a number, a truth value, or a reference to a secret.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::{Format, Name};

/// A setting handed on to another program, or the name of a secret that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// The setting itself, as text.
    Text(String),
    /// The name of an entry of `secrets`.
    Secret(Name),
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refused =
            || de::Error::custom("expected text, a number, true, false or { secret: NAME }");
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Text(text)),
            Value::Number(number) => Ok(Self::Text(number.to_string())),
            Value::Bool(truth) => Ok(Self::Text(truth.to_string())),
            Value::Object(map) if map.len() == 1 => map
                .get("secret")
                .and_then(Value::as_str)
                .and_then(Name::parse)
                .map(Self::Secret)
                .ok_or_else(refused),
            _ => Err(refused()),
        }
    }
}

impl JsonSchema for Setting {
    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "boolean", "object"],
            "description": "Text, a number, true or false; or `{ secret: NAME }`.",
            "properties": { "secret": generator.subschema_for::<Name>() },
            "required": ["secret"],
            "additionalProperties": false,
        })
    }
}
