//! What a field costs, and how long a list it asks for. Without a schema, nobody knows which type a field
//! is of, so that it costs what any field of its name does.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use async_graphql_parser::types::{Field, OperationDefinition};
use async_graphql_value::{ConstValue, Number, Value};
use serde::de::IgnoredAny;

use crate::graphql::Json;
use crate::graphql::field::Table;
use crate::graphql::schema::Schema;
use crate::json::members;

/// What fields cost.
///
/// A field costs its own figure and those of the fields within it, times the longest list that one of
/// its arguments asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Of a field that is not in the table.
    pub default: u64,
    /// Of fields; the most, of a field that several may be meant for.
    pub fields: Table<u64>,
    /// The arguments that say how long a list is asked for: a number by what it is, a list by its
    /// length.
    pub lists: HashSet<String>,
    /// Says which type a field is of.
    pub schema: Option<Arc<Schema>>,
}

impl Default for Costs {
    /// Every field costs 1, and `first`, `last` and `limit` multiply.
    fn default() -> Self {
        Self {
            default: 1,
            fields: Table::default(),
            lists: ["first", "last", "limit"].map(str::to_owned).into(),
            schema: None,
        }
    }
}

impl Costs {
    /// The figure of a field alone, which the type `parent` has, if that is known.
    pub(super) fn of_field(&self, parent: Option<&str>, name: &str) -> u64 {
        let said = self.fields.of(self.schema.as_deref(), parent, name);
        said.max().copied().unwrap_or(self.default)
    }

    /// How many times a field's figure counts; never none, as an upstream may pass over an argument.
    pub(super) fn times(&self, field: &Field, variables: &Variables<'_>) -> u64 {
        let lists = field
            .arguments
            .iter()
            .filter(|(name, _)| self.lists.contains(name.node.as_str()));
        let lengths = lists.map(|(_, value)| match &value.node {
            Value::Variable(name) => variables.length(name.as_str()),
            Value::Number(number) => of_number(number),
            Value::String(text) => of_digits(text),
            Value::List(items) => items.len() as u64,
            Value::Null
            | Value::Boolean(_)
            | Value::Binary(_)
            | Value::Enum(_)
            | Value::Object(_) => 1,
        });
        lengths.max().unwrap_or(1).max(1)
    }
}

/// How long a list each variable asks for, if it stands in such an argument.
pub(super) struct Variables<'a>(HashMap<&'a str, Lengths>);

struct Lengths {
    default: u64,
    given: Option<u64>,
}

impl<'a> Variables<'a> {
    /// Those that `operation` has, as `given` or by default.
    pub(super) fn of(operation: &'a OperationDefinition, given: Option<&Json<'_>>) -> Self {
        let defaults = operation.variable_definitions.iter().map(|variable| {
            let default = variable.node.default_value.as_ref();
            let lengths = Lengths {
                default: default.map_or(1, |value| of_const(&value.node)),
                given: None,
            };
            (variable.node.name.node.as_str(), lengths)
        });
        let mut known: HashMap<&str, Lengths> = defaults.collect();
        let Some(given) = given.filter(|_| !known.is_empty()) else {
            return Self(known);
        };
        let walked = members::<Infallible>(given.get(), &mut |name, value| {
            if let Some(lengths) = known.get_mut(name) {
                // Of a name that stands twice, an upstream may take either.
                lengths.given = lengths.given.max(Some(of_json(value)));
            }
            Ok(())
        });
        // What is no object gives no variables; the reader of the request has refused it.
        drop(walked);
        Self(known)
    }

    fn length(&self, name: &str) -> u64 {
        self.0
            .get(name)
            .map_or(1, |lengths| lengths.given.unwrap_or(lengths.default))
    }
}

fn of_const(value: &ConstValue) -> u64 {
    match value {
        ConstValue::Number(number) => of_number(number),
        ConstValue::String(text) => of_digits(text),
        ConstValue::List(items) => items.len() as u64,
        ConstValue::Null
        | ConstValue::Boolean(_)
        | ConstValue::Binary(_)
        | ConstValue::Enum(_)
        | ConstValue::Object(_) => 1,
    }
}

fn of_json(value: &str) -> u64 {
    match value.as_bytes() {
        [b'[', ..] => serde_json::from_str::<Vec<IgnoredAny>>(value)
            .map_or(1, |elements| elements.len() as u64),
        [b'"', ..] => of_digits(value.trim_matches('"')),
        _ => of_digits(value),
    }
}

fn of_number(number: &Number) -> u64 {
    let float = || number.as_f64().map_or(1, of_float);
    number.as_u64().unwrap_or_else(float)
}

/// Text may be a number too: some upstreams take `"100"` for 100.
fn of_digits(text: &str) -> u64 {
    let float = || text.parse().map_or(1, of_float);
    text.parse().unwrap_or_else(|_| float())
}

/// Rounded up; what is too large is the largest, and what is negative asks for none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "beyond either end, the cast saturates, as it should"
)]
fn of_float(number: f64) -> u64 {
    number.ceil() as u64
}
