//! JSON Schemas of an OpenAPI document as types of a graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::model::{Field, Member, Shape, Type};
use super::name;
use super::openapi::resolve;

/// Whether values come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// They are sent.
    Input,
    /// They are answered.
    Output,
}

/// The types of one document.
pub(super) struct Types<'d> {
    document: &'d Value,
    /// A schema's name in the graph.
    naming: &'d dyn Fn(&str) -> String,
    /// All that were made.
    pub(super) made: BTreeMap<Arc<str>, Type>,
    /// Which schema each was made of.
    origins: BTreeMap<Arc<str>, &'d Value>,
}

/// Any JSON.
pub(crate) const JSON: &str = "JSON";
/// An integer of 64 bits.
pub(crate) const LONG: &str = "Long";
const MAX_DEPTH: usize = 64;

impl<'d> Types<'d> {
    /// None yet.
    pub(super) fn new(document: &'d Value, naming: &'d dyn Fn(&str) -> String) -> Self {
        Self {
            document,
            naming,
            made: BTreeMap::new(),
            origins: BTreeMap::new(),
        }
    }

    /// The scalar that may be anything.
    pub(super) fn json(&mut self) -> Shape {
        self.scalar(JSON)
    }

    fn scalar(&mut self, name: &str) -> Shape {
        self.made.insert(name.into(), Type::Scalar);
        Shape::named(name)
    }

    /// The type of a schema that stands at `around`, by which it is called if it has no name.
    pub(super) fn shape(
        &mut self,
        schema: &'d Value,
        around: &str,
        direction: Direction,
    ) -> Result<Shape, String> {
        self.within(schema, around, direction, 0)
    }

    fn within(
        &mut self,
        schema: &'d Value,
        around: &str,
        direction: Direction,
        depth: usize,
    ) -> Result<Shape, String> {
        if depth > MAX_DEPTH {
            return Err(format!("the schema of {around} is nested too deep"));
        }
        let named = schema.get("$ref").and_then(Value::as_str);
        let own = named.and_then(|reference| reference.rsplit('/').next());
        let around = own.unwrap_or(around);
        let schema = resolve(self.document, schema)?;
        // A schema that is but another one, as it is written to say more of it.
        if let Some([one]) = schema["allOf"].as_array().map(Vec::as_slice)
            && schema.get("properties").is_none()
        {
            return self.within(one, around, direction, depth + 1);
        }
        match kind(schema) {
            Some("array") => {
                let item = self.within(&schema["items"], around, direction, depth + 1)?;
                Ok(Shape::List(Box::new(item)))
            }
            Some("integer") if schema["format"] == "int64" => Ok(self.scalar(LONG)),
            Some("integer") => Ok(Shape::named("Int")),
            Some("number") => Ok(Shape::named("Float")),
            Some("boolean") => Ok(Shape::named("Boolean")),
            Some("string") => Ok(self.text(schema, around)),
            _ => {
                let mut properties = Vec::new();
                let mut required = Vec::new();
                self.members(schema, &mut properties, &mut required, 0)?;
                if properties.is_empty() {
                    return Ok(self.json());
                }
                self.object(
                    schema,
                    (&properties[..], &required[..]),
                    around,
                    direction,
                    depth,
                )
            }
        }
    }

    /// A string, or one of some names where GraphQL could call them so.
    fn text(&mut self, schema: &'d Value, around: &str) -> Shape {
        let values = schema["enum"].as_array().map(Vec::as_slice);
        let values: Vec<&str> = values
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if values.is_empty() || !values.iter().all(|value| name::is_value(value)) {
            return Shape::named("String");
        }
        let mut called = self.called(around);
        // Where another type has the name, this is its text.
        if self.taken(&called, schema) {
            called.push_str("Value");
            if self.taken(&called, schema) {
                return Shape::named("String");
            }
        }
        let mut names: Vec<Arc<str>> = values.into_iter().map(Into::into).collect();
        names.dedup();
        let called = self.note(&called, schema);
        self.made.insert(called.clone(), Type::Enum(names));
        Shape::Named(called)
    }

    fn object(
        &mut self,
        schema: &'d Value,
        (properties, required): (&[(&'d str, &'d Value)], &[&'d str]),
        around: &str,
        direction: Direction,
        depth: usize,
    ) -> Result<Shape, String> {
        let mut called = self.called(around);
        if direction == Direction::Input {
            called.push_str("Input");
        }
        if self.taken(&called, schema) {
            return Err(format!("two schemas are called {called}; rename one"));
        }
        if self.made.contains_key(called.as_str()) {
            return Ok(Shape::named(&called));
        }
        let called = self.note(&called, schema);
        // Here before its members, which may be of it.
        let placeholder = match direction {
            Direction::Input => Type::Input(BTreeMap::new()),
            Direction::Output => Type::Object(BTreeMap::new()),
        };
        self.made.insert(called.clone(), placeholder);
        let mut members = BTreeMap::new();
        for (key, property) in properties {
            let inner = format!("{around}{}", name::upper_first(key));
            let shape = self.within(property, &inner, direction, depth + 1)?;
            let member = Member {
                key: (*key).into(),
                shape,
                required: required.contains(key),
            };
            members.insert(Arc::from(name::nearest(key)), member);
        }
        let made = match direction {
            Direction::Input => Type::Input(members),
            Direction::Output => {
                let fields = members.into_iter();
                Type::Object(fields.map(|(name, m)| (name, Field::Member(m))).collect())
            }
        };
        self.made.insert(called.clone(), made);
        Ok(Shape::Named(called))
    }

    /// The properties of an object, with those of all it is made of.
    fn members(
        &self,
        schema: &'d Value,
        properties: &mut Vec<(&'d str, &'d Value)>,
        required: &mut Vec<&'d str>,
        depth: usize,
    ) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("a schema is made of itself".to_owned());
        }
        let schema = resolve(self.document, schema)?;
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.members(part, properties, required, depth + 1)?;
        }
        let own: Option<&Map<String, Value>> = schema["properties"].as_object();
        for (key, property) in own.into_iter().flatten() {
            properties.retain(|(other, _)| *other != key.as_str());
            properties.push((key, property));
        }
        let named = schema["required"].as_array().into_iter().flatten();
        required.extend(named.filter_map(Value::as_str));
        Ok(())
    }

    fn called(&self, around: &str) -> String {
        (self.naming)(&name::upper_first(&name::nearest(around)))
    }

    fn note(&mut self, called: &str, schema: &'d Value) -> Arc<str> {
        let called: Arc<str> = called.into();
        self.origins.insert(called.clone(), schema);
        called
    }

    /// Whether another schema has the name.
    fn taken(&self, called: &str, schema: &'d Value) -> bool {
        let made = self.origins.get(called);
        made.is_some_and(|origin| !std::ptr::eq(*origin, schema))
    }
}

/// What a schema is of; the one that is not null, where several are said (3.1).
fn kind(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(one) => Some(one),
        Value::Array(several) => {
            let mut others = several
                .iter()
                .filter_map(Value::as_str)
                .filter(|t| *t != "null");
            match (others.next(), others.next()) {
                (Some(one), None) => Some(one),
                _ => None,
            }
        }
        _ => None,
    }
}
