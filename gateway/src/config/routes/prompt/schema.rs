//! A JSON Schema of an operator's, compiled, and what values break of it.
//!
//! What it says of a value is where and which rule, never the value. It refers to nothing beyond
//! itself, and its patterns take linear time: what is judged comes from callers and from models.

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// A JSON Schema, draft 2020-12 unless it names another by `$schema`.
#[derive(Debug)]
pub struct Schema {
    json: Value,
    validator: Validator,
}

/// What is wrong with a value: the first rule found that it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where in the value, as a JSON Pointer (RFC 6901), cut short where it is long; empty for all
    /// of it. Names in it may be those of whoever wrote the value.
    pub pointer: String,
    /// Where in the schema the rule stands, as a JSON Pointer.
    pub place: String,
    /// The rule, as `minLength: 1`, or its name alone where it is long.
    pub rule: String,
}

/// The longest text of which more is said than that it does not fit, in bytes.
const EXPLAINED: usize = 64 << 10;

/// The longest pointer and the longest rule that are repeated, in bytes.
const LONGEST: usize = 160;

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn build(json: Value) -> Result<Self, String> {
        Self::among(json, Vec::new())
    }

    /// As [`Schema::build`], of one that may refer to these others by their names.
    ///
    /// # Errors
    /// As for [`Schema::build`].
    pub fn among(json: Value, others: Vec<(String, Value)>) -> Result<Self, String> {
        let options = jsonschema::options()
            .with_retriever(Others(others))
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex());
        let validator = options.build(&json).map_err(|error| {
            let pointer = error.instance_path().as_str().to_owned();
            match pointer.is_empty() {
                true => error.to_string(),
                false => format!("at {pointer}: {error}"),
            }
        })?;
        Ok(Self { json, validator })
    }

    /// The schema as it was written.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Whether a value fits.
    ///
    /// # Errors
    /// What is wrong with it, if its text was not so long that to find out would take too much
    /// memory: many times its own, where rules offer alternatives. `bytes` is how long it was.
    pub fn check(&self, value: &Value, bytes: usize) -> Result<(), Option<Fault>> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let explained = (bytes <= EXPLAINED).then(|| self.validator.validate(value).err());
        Err(explained.flatten().map(|error| self.describe(&error)))
    }

    fn describe(&self, error: &ValidationError<'_>) -> Fault {
        let mut pointer = error.instance_path().as_str().to_owned();
        if let ValidationErrorKind::Required {
            property: Value::String(name),
        } = error.kind()
        {
            pointer.push('/');
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        let place = error.schema_path().as_str();
        let keyword = error.kind().keyword();
        let said = self.json.pointer(place).map(Value::to_string);
        let said = said.filter(|said| said.len() <= LONGEST);
        Fault {
            pointer: cut(pointer),
            place: place.to_owned(),
            rule: match said {
                Some(said) => format!("{keyword}: {said}"),
                None => keyword.to_owned(),
            },
        }
    }
}

/// What a schema may refer to. Nothing else is looked for.
struct Others(Vec<(String, Value)>);

impl jsonschema::Retrieve for Others {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let wanted = uri.as_str();
        // What is relative is told relative to where the schema is taken to be.
        let relative = wanted.strip_prefix("json-schema:///").unwrap_or(wanted);
        let is_it = |name: &str| name == wanted || name == relative;
        let found = self.0.iter().find(|(name, _)| is_it(name));
        let json = found.map(|(_, json)| json.clone());
        json.ok_or_else(|| {
            format!("it refers to \"{relative}\", which it does not come with").into()
        })
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..LONGEST).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

impl fmt::Display for Fault {
    /// `/text breaks the rule "minLength: 1"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str("it")?,
            pointer => f.write_str(pointer)?,
        }
        write!(f, " breaks the rule `{}`", self.rule)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(schema: Value, value: &Value) -> Option<String> {
        let schema = Schema::build(schema).expect("a schema");
        let fault = schema.check(value, 0).err();
        assert_eq!(
            schema.check(value, EXPLAINED + 1).err(),
            fault.is_some().then_some(None)
        );
        fault.map(|fault| fault.expect("it is small").to_string())
    }

    #[test]
    fn a_fault_says_where_and_which_rule_and_not_what() {
        let schema = json!({
            "type": "object", "required": ["text"], "additionalProperties": false,
            "properties": {
                "text": { "type": "string", "minLength": 3 },
                "tone": { "enum": ["plain", "formal"] },
                "many": { "type": "array", "items": { "$ref": "#/$defs/small" } },
                "day": { "format": "date" },
                "code": { "pattern": "^[a-z]+$" },
            },
            "$defs": { "small": { "maximum": 9 } },
        });
        for (value, expected) in [
            (json!({ "text": "abc", "many": [1, 2] }), None),
            (
                json!({}),
                Some("/text breaks the rule `required: [\"text\"]`"),
            ),
            (
                json!({ "text": "s3" }),
                Some("/text breaks the rule `minLength: 3`"),
            ),
            (
                json!({ "text": 7 }),
                Some("/text breaks the rule `type: \"string\"`"),
            ),
            (
                json!({ "text": "abc", "tone": "s3" }),
                Some("/tone breaks the rule `enum: [\"plain\",\"formal\"]`"),
            ),
            (
                json!({ "text": "abc", "s3": 1 }),
                Some("it breaks the rule `additionalProperties: false`"),
            ),
            (
                json!({ "text": "abc", "many": [1, 10] }),
                Some("/many/1 breaks the rule `maximum: 9`"),
            ),
            (
                json!({ "text": "abc", "day": "s3" }),
                Some("/day breaks the rule `format: \"date\"`"),
            ),
            (
                json!({ "text": "abc", "code": "s3" }),
                Some("/code breaks the rule `pattern: \"^[a-z]+$\"`"),
            ),
        ] {
            assert_eq!(
                fault(schema.clone(), &value).as_deref(),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn a_schema_that_is_none_or_looks_elsewhere_is_refused() {
        for schema in [
            json!({ "type": "strin" }),
            json!({ "properties": { "a": { "minLength": -1 } } }),
            json!({ "properties": { "a": { "pattern": "(" } } }),
            json!({ "properties": { "a": { "pattern": "(?=a)b" } } }),
            json!({ "$ref": "https://example.com/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "$ref": "#/$defs/missing" }),
        ] {
            assert!(Schema::build(schema.clone()).is_err(), "{schema}");
        }
    }

    #[test]
    fn schemas_and_values_that_go_round_or_deep_end() {
        // A schema that is itself says nothing.
        let round = Schema::build(json!({ "$ref": "#" }));
        assert!(
            round.is_err_and(|why| !why.is_empty())
                || fault(json!({ "$ref": "#" }), &json!(1)).is_none()
        );
        let tree = json!({ "properties": { "a": { "$ref": "#" } }, "additionalProperties": false });
        let mut deep = json!({});
        for _ in 0..120 {
            deep = json!({ "a": deep });
        }
        assert_eq!(fault(tree.clone(), &deep), None);
        let long = "x".repeat(1000);
        let found = fault(tree, &json!({ "a": { long: 1 } })).expect("a fault");
        assert_eq!(found, "/a breaks the rule `additionalProperties: false`");
    }
}
