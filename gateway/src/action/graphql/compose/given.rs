//! What the caller gives a field: its arguments, with what variables stand for.

use async_graphql::Context;
use async_graphql::parser::types::Field;
use async_graphql_value::{ConstValue, Value};
use serde_json::{Map, Value as Json};

use crate::config::routes::graphql::compose::Shape;

/// The arguments that a field is given. Where a variable has no value, nothing is given (6.4.1).
pub(super) fn arguments(cx: &Context<'_>, field: &Field) -> Map<String, Json> {
    let given = field.arguments.iter().filter_map(|(name, value)| {
        let value = constant(cx, &value.node)?;
        Some((name.node.to_string(), value))
    });
    given.collect()
}

fn constant(cx: &Context<'_>, value: &Value) -> Option<Json> {
    match value {
        Value::Variable(name) => {
            let known = cx.query_env.variables.get(name);
            known.map(|value| json(value.clone()))
        }
        Value::List(items) => {
            // A list has no places that nothing is at.
            let items = items.iter();
            Some(
                items
                    .map(|item| constant(cx, item).unwrap_or_default())
                    .collect(),
            )
        }
        Value::Object(members) => {
            let members = members.iter();
            let given =
                members.filter_map(|(name, value)| Some((name.to_string(), constant(cx, value)?)));
            Some(Json::Object(given.collect()))
        }
        leaf => leaf.clone().into_const().map(json),
    }
}

fn json(value: ConstValue) -> Json {
    value.into_json().unwrap_or_default()
}

/// A value as its type is written: another source may count what this one spells.
pub(super) fn fitting(shape: &Shape, value: Json) -> Json {
    let name = match (shape, value) {
        (Shape::List(item), Json::Array(items)) => {
            let items = items.into_iter();
            return items.map(|value| fitting(item, value)).collect();
        }
        (Shape::List(_), value) => return value,
        (Shape::Named(name), value) => (&**name, value),
    };
    match name {
        ("String" | "ID", Json::Number(number)) => number.to_string().into(),
        ("Int", Json::String(text)) => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => text.into(),
        },
        ("Float", Json::String(text)) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => number.into(),
            _ => text.into(),
        },
        ("Boolean", Json::String(text)) => match text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            _ => text.into(),
        },
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_one_source_counts_another_may_spell() {
        for (ty, value, expected) in [
            ("ID", json!(7), json!("7")),
            ("String", json!("7"), json!("7")),
            ("Int", json!("7"), json!(7)),
            ("Int", json!("seven"), json!("seven")),
            ("Float", json!("0.5"), json!(0.5)),
            ("Float", json!("inf"), json!("inf")),
            ("Boolean", json!("true"), json!(true)),
            ("Date", json!(7), json!(7)),
        ] {
            assert_eq!(fitting(&Shape::named(ty), value.clone()), expected, "{ty}");
            let list = Shape::List(Box::new(Shape::named(ty)));
            assert_eq!(fitting(&list, json!([value])), json!([expected]), "[{ty}]");
        }
    }
}
