//! What sources say as values of the graph. A value of another type than the graph says is a fault, not
//! passed on.

use std::sync::Arc;

use async_graphql::dynamic::FieldValue;
use async_graphql::{Name, Value};
use serde_json::Value as Json;

use crate::config::routes::graphql::compose::{Composed, JSON, LONG, Shape, Type};

/// What is given for a field.
#[derive(Debug, Clone)]
pub(super) enum Give {
    /// An object, of which more is asked.
    Object,
    /// An object of one of these types, of which it says itself which.
    Open(Arc<[Arc<str>]>),
    /// Several.
    List(Box<Give>),
    /// An integer of 32 bits.
    Int,
    /// An integer of 64 bits.
    Long,
    /// A number.
    Float,
    /// Text.
    Text,
    /// One of these names.
    Enum(Vec<Arc<str>>),
    /// Yes or no.
    Boolean,
    /// Anything.
    Json,
}

impl Give {
    /// What is given for a field of that type.
    pub(super) fn of(graph: &Composed, shape: &Shape) -> Self {
        let name = match shape {
            Shape::List(item) => return Self::List(Box::new(Self::of(graph, item))),
            Shape::Named(name) => name,
        };
        match (&**name, graph.types.get(name)) {
            (_, Some(Type::Object(_))) => Self::Object,
            (_, Some(Type::Interface(_) | Type::Union(_))) => {
                Self::Open(graph.objects(name).into())
            }
            (_, Some(Type::Enum(values))) => Self::Enum(values.clone()),
            (LONG, _) => Self::Long,
            (JSON, _) => Self::Json,
            ("Int", _) => Self::Int,
            ("Float", _) => Self::Float,
            ("Boolean", _) => Self::Boolean,
            // A source's own: what it is, the source knows.
            (_, Some(Type::Scalar)) => Self::Json,
            _ => Self::Text,
        }
    }

    /// The value of a leaf.
    fn leaf(&self, json: &Json) -> Result<Value, &'static str> {
        let value = match self {
            Self::Int => json
                .as_i64()
                .and_then(|n| i32::try_from(n).ok())
                .map(Value::from),
            Self::Long => {
                let unsigned = || json.as_u64().map(Value::from);
                json.as_i64().map(Value::from).or_else(unsigned)
            }
            Self::Float => json.as_f64().map(Value::from),
            Self::Boolean => json.as_bool().map(Value::from),
            Self::Text => json.as_str().map(Value::from),
            Self::Enum(known) => {
                let known = |text: &&str| known.iter().any(|name| **name == **text);
                let text = json.as_str().filter(known);
                text.map(|text| Value::Enum(Name::new(text)))
            }
            Self::Json => Value::from_json(json.clone()).ok(),
            Self::Object | Self::Open(_) | Self::List(_) => None,
        };
        value.ok_or(match self {
            Self::Int => "no integer of 32 bits",
            Self::Long => "no integer of 64 bits",
            Self::Float => "no number",
            Self::Boolean => "neither true nor false",
            Self::Text => "no string",
            Self::Enum(_) => "none of the values it may have",
            Self::Object | Self::Open(_) | Self::List(_) | Self::Json => "not what it may be",
        })
    }
}

/// An object that a source answered, or one of a list of it.
pub(super) struct Held {
    root: Arc<Json>,
    at: Vec<usize>,
}

/// The JSON of an object.
pub(super) fn json_of<'a>(value: &'a FieldValue<'a>) -> Option<&'a Json> {
    if let Some(held) = value.downcast_ref::<Held>() {
        let mut json = &*held.root;
        for index in &held.at {
            json = json.get(index)?;
        }
        return Some(json);
    }
    value.downcast_ref::<Json>()
}

/// A value, and the places in its lists that are empty.
pub(super) type Given<'v> = (Option<FieldValue<'v>>, Vec<Vec<usize>>);

/// The value of a member of an object.
pub(super) fn member<'a>(give: &Give, json: &'a Json) -> Result<Given<'a>, &'static str> {
    let object = |json: &'a Json, _: &[usize]| FieldValue::borrowed_any(json);
    Giving::of(give, json, &object)
}

/// The value of a whole answer.
pub(super) fn whole(give: &Give, root: &Arc<Json>) -> Result<Given<'static>, &'static str> {
    let object = |_: &Json, at: &[usize]| {
        FieldValue::owned_any(Held {
            root: root.clone(),
            at: at.to_vec(),
        })
    };
    Giving::of(give, root, &object)
}

struct Giving<'o, 'j, 'v> {
    /// What stands for an object at a place.
    object: &'o dyn Fn(&'j Json, &[usize]) -> FieldValue<'v>,
    at: Vec<usize>,
    nulls: Vec<Vec<usize>>,
}

impl<'o, 'j, 'v> Giving<'o, 'j, 'v> {
    fn of(
        give: &Give,
        json: &'j Json,
        object: &'o dyn Fn(&'j Json, &[usize]) -> FieldValue<'v>,
    ) -> Result<Given<'v>, &'static str> {
        let mut giving = Self {
            object,
            at: Vec::new(),
            nulls: Vec::new(),
        };
        let value = giving.within(give, json)?;
        Ok((value, giving.nulls))
    }

    fn within(
        &mut self,
        give: &Give,
        json: &'j Json,
    ) -> Result<Option<FieldValue<'v>>, &'static str> {
        match (give, json) {
            (_, Json::Null) => Ok(None),
            (Give::Object, Json::Object(_)) => Ok(Some((self.object)(json, &self.at))),
            (Give::Open(types), Json::Object(said)) => {
                let own = said.get("__typename").and_then(Json::as_str);
                let ty = own.and_then(|own| types.iter().find(|ty| ***ty == *own));
                let ty = ty.ok_or("of no type that it may be of")?;
                let object = (self.object)(json, &self.at);
                Ok(Some(object.with_type(ty.to_string())))
            }
            (Give::Object | Give::Open(_), _) => Err("no object"),
            (Give::List(item), Json::Array(values)) => {
                let mut list = Vec::with_capacity(values.len());
                for (index, value) in values.iter().enumerate() {
                    self.at.push(index);
                    let given = self.within(item, value)?;
                    list.push(given.unwrap_or_else(|| self.null(item)));
                    self.at.pop();
                }
                Ok(Some(FieldValue::list(list)))
            }
            (Give::List(_), _) => Err("no list"),
            (leaf, json) => leaf.leaf(json).map(|value| Some(FieldValue::value(value))),
        }
    }

    /// What stands in a list where nothing is.
    fn null(&mut self, item: &Give) -> FieldValue<'v> {
        let stands = match item {
            Give::Object => FieldValue::NULL,
            Give::Open(types) => match types.first() {
                Some(ty) => FieldValue::NULL.with_type(ty.to_string()),
                None => FieldValue::NULL,
            },
            Give::List(_) => FieldValue::list(Vec::<FieldValue<'_>>::new()),
            Give::Enum(values) => match values.first() {
                Some(value) => FieldValue::value(Value::Enum(Name::new(value))),
                None => FieldValue::NULL,
            },
            // The executor knows these.
            _ => return FieldValue::NULL,
        };
        self.nulls.push(self.at.clone());
        stands
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_type_does_not_hold_is_no_value_of_it() {
        let names = Give::Enum(vec!["NOVEL".into()]);
        for (give, json) in [
            // As gRPC's services say them in JSON: no number, and a value without a name.
            (Give::Float, json!("NaN")),
            (names, json!(7)),
            (Give::Long, json!("7")),
            (Give::Long, json!(1.5)),
            (Give::Int, json!(1_u64 << 31)),
        ] {
            assert!(give.leaf(&json).is_err(), "{give:?} {json}");
        }
        for (json, long) in [
            (json!(u64::MAX), Value::from(u64::MAX)),
            (json!(i64::MIN), Value::from(i64::MIN)),
        ] {
            assert_eq!(Give::Long.leaf(&json), Ok(long));
        }
    }
}
