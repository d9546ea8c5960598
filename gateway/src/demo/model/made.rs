//! Values made after a JSON Schema, of what was said: what the model calls tools with, and its answers
//! where a schema is asked for. They fit schemas of the usual kind; a riddle they do not solve.

use serde_json::{Map, Value};

/// How deep values are made: schemas may be without end.
const DEEPEST: usize = 8;

/// What a tool whose parameters are of `schema` is called with after that was `said`: texts are its
/// last word, as a question names what it is about.
pub(super) fn arguments(schema: &Value, said: &str) -> Value {
    make(schema, said, word, DEEPEST)
}

/// An answer that fits `schema`, of what was `said`: texts are its first sentence.
pub(super) fn answer(schema: &Value, said: &str) -> Value {
    make(schema, said, sentence, DEEPEST)
}

/// What of all that was said becomes a text.
type Pick = fn(&str) -> &str;

fn make(schema: &Value, said: &str, pick: Pick, deep: usize) -> Value {
    let first = |key: &str| schema[key].as_array().and_then(|list| list.first());
    if let Some(given) = schema
        .get("const")
        .or(first("enum"))
        .or(schema.get("default"))
    {
        return given.clone();
    }
    if deep == 0 {
        return Value::Null;
    }
    if let Some(one) = first("anyOf").or(first("oneOf")).or(first("allOf")) {
        return make(one, said, pick, deep - 1);
    }
    match sort(schema) {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let made =
                properties.map(|(name, schema)| (name.clone(), make(schema, said, pick, deep - 1)));
            Value::Object(made.collect::<Map<_, _>>())
        }
        "array" => match schema.get("items") {
            Some(items) => vec![make(items, said, pick, deep - 1)].into(),
            None => Vec::<Value>::new().into(),
        },
        "integer" => number(schema, said).into(),
        "number" => number(schema, said).into(),
        "boolean" => true.into(),
        "null" => Value::Null,
        _ => pick(said).into(),
    }
}

/// The type, in small letters, as Gemini's callers write it in capitals; the first of several.
fn sort(schema: &Value) -> &'static str {
    let written = match &schema["type"] {
        Value::Array(several) => several.first().and_then(Value::as_str),
        one => one.as_str(),
    };
    let known = ["object", "array", "integer", "number", "boolean", "null"];
    let found =
        written.and_then(|word| known.into_iter().find(|one| word.eq_ignore_ascii_case(one)));
    match found {
        Some(found) => found,
        None if schema.get("properties").is_some() => "object",
        None => "string",
    }
}

/// The first number that was said, or else 1; within the schema's bounds.
fn number(schema: &Value, said: &str) -> i64 {
    let mut digits = said.split(|c: char| !c.is_ascii_digit());
    let said = digits
        .find_map(|digits| digits.parse::<i64>().ok())
        .unwrap_or(1);
    let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
    let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
    said.max(least).min(most)
}

fn word(said: &str) -> &str {
    let mut words = said.split(|c: char| !c.is_alphanumeric() && c != '-');
    words.rfind(|word| !word.is_empty()).unwrap_or("nothing")
}

fn sentence(said: &str) -> &str {
    let said = said.trim();
    let ends = |(at, c): (usize, char)| ".!?".contains(c).then_some(at + 1);
    let end = said.char_indices().find_map(ends);
    match &said[..end.unwrap_or(said.len())] {
        "" => "nothing",
        sentence => sentence,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_made_of_what_was_said() {
        let schema = json!({ "type": "OBJECT", "properties": {
            "city": { "type": "STRING" },
            "days": { "type": "integer", "maximum": 7 },
            "unit": { "type": "string", "enum": ["celsius", "kelvin"] },
            "detailed": { "type": ["boolean", "null"] },
            "hours": { "type": "array", "items": { "type": "number", "minimum": 2 } },
            "place": { "properties": { "country": {} } },
            "either": { "anyOf": [{ "const": 4 }, {}] },
        } });
        assert_eq!(
            arguments(&schema, "The weather of 12 days in New-York?"),
            json!({
                "city": "New-York", "days": 7, "unit": "celsius", "detailed": true,
                "hours": [12], "place": { "country": "New-York" }, "either": 4,
            })
        );
        assert_eq!(arguments(&json!({}), " ?"), json!("nothing"));
        assert_eq!(arguments(&Value::Null, "x"), json!("x"));
    }

    #[test]
    fn an_answer_is_made_of_a_sentence() {
        let schema = json!({ "properties": { "summary": {}, "sure": { "type": "boolean" } } });
        assert_eq!(
            answer(&schema, " A weir measures.  It also dams. "),
            json!({ "summary": "A weir measures.", "sure": true })
        );
        assert_eq!(answer(&json!({}), "no end"), json!("no end"));
        assert_eq!(answer(&json!({}), " "), json!("nothing"));
    }

    #[test]
    fn it_ends_however_deep_a_schema_is() {
        let mut schema = json!({ "type": "string" });
        for _ in 0..100 {
            schema = json!({ "type": "array", "items": schema });
        }
        assert_eq!(arguments(&schema, "x").to_string(), "[[[[[[[[null]]]]]]]]");
    }
}
