//! Messages and enumerations of descriptors as types of a graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_protocols::grpc::descriptor::shape::{Count, Enum, Field as Said, Kind, Message};

use super::model::{Field, Member, Shape, Type};
use super::name;
use super::part::Names;
use super::types::{JSON, LONG};

pub(super) use super::types::Direction;

/// The types of one set of descriptors.
pub(super) struct Messages<'n> {
    names: &'n Names<'n>,
    /// All that were made.
    pub(super) made: BTreeMap<Arc<str>, Type>,
    /// The full name of what each was made of.
    origins: BTreeMap<Arc<str>, String>,
}

impl<'n> Messages<'n> {
    /// None yet.
    pub(super) fn new(names: &'n Names<'n>) -> Self {
        Self {
            names,
            made: BTreeMap::new(),
            origins: BTreeMap::new(),
        }
    }

    /// A field of a message.
    pub(super) fn member(&mut self, field: &Said, direction: Direction) -> Result<Member, String> {
        let shape = match field.count {
            Count::One => self.shape(&field.kind, direction)?,
            Count::List => Shape::List(Box::new(self.shape(&field.kind, direction)?)),
            Count::Map => self.scalar(JSON),
        };
        Ok(Member {
            key: field.name.as_str().into(),
            shape,
            required: field.required,
        })
    }

    /// The type of a value.
    pub(super) fn shape(&mut self, kind: &Kind, direction: Direction) -> Result<Shape, String> {
        Ok(match kind {
            Kind::Int => Shape::named("Int"),
            Kind::Long => self.scalar(LONG),
            Kind::Float => Shape::named("Float"),
            Kind::Boolean => Shape::named("Boolean"),
            Kind::Text => Shape::named("String"),
            Kind::Any | Kind::Empty => self.scalar(JSON),
            Kind::Enum(kind) => self.enumeration(kind)?,
            Kind::Object(message) => self.object(message, direction)?,
        })
    }

    fn scalar(&mut self, name: &str) -> Shape {
        self.made.insert(name.into(), Type::Scalar);
        Shape::named(name)
    }

    /// An enumeration; text, where GraphQL could not call one of its values so.
    fn enumeration(&mut self, kind: &Enum) -> Result<Shape, String> {
        let values: Vec<Arc<str>> = kind.values().map(Into::into).collect();
        if !values.iter().all(|value| name::is_value(value)) {
            return Ok(Shape::named("String"));
        }
        let called = self.called(kind.full_name(), kind.name());
        let (called, _) = self.note(called, kind.full_name())?;
        self.made.insert(called.clone(), Type::Enum(values));
        Ok(Shape::Named(called))
    }

    fn object(&mut self, message: &Message, direction: Direction) -> Result<Shape, String> {
        let mut called = self.called(message.full_name(), message.name());
        if direction == Direction::Input {
            called.push_str("Input");
        }
        let (called, is_new) = self.note(called, message.full_name())?;
        if !is_new {
            return Ok(Shape::Named(called));
        }
        // Here before its members, which may be of it.
        let placeholder = match direction {
            Direction::Input => Type::Input(BTreeMap::new()),
            Direction::Output => Type::Object(BTreeMap::new()),
        };
        self.made.insert(called.clone(), placeholder);
        let mut members = BTreeMap::new();
        for field in message.fields() {
            let member = self.member(&field, direction)?;
            members.insert(Arc::from(name::nearest(&field.name)), member);
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

    /// What a type of that name is called: `Outer.Inner` as `OuterInner`, unless it was renamed by
    /// either of its names.
    fn called(&self, full: &str, own: &str) -> String {
        let parts = own.split('.').map(name::nearest);
        let own: String = parts.map(|part| name::upper_first(&part)).collect();
        self.names.ty_of(full, &own)
    }

    /// Writes down what is called so, and says whether that is new.
    fn note(&mut self, called: String, full: &str) -> Result<(Arc<str>, bool), String> {
        let called: Arc<str> = called.into();
        match self.origins.get(&called) {
            None => {
                self.origins.insert(called.clone(), full.to_owned());
                Ok((called, true))
            }
            Some(origin) if origin == full => Ok((called, false)),
            Some(origin) => Err(format!(
                "{origin} and {full} are both called {called}; rename one of them by that name"
            )),
        }
    }
}
