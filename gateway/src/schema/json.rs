//! JSON Schema: what fits is a record as it is.

use serde_json::Value;

use super::{Fault, Reference};
use crate::config::routes::prompt::Schema;
use crate::large;

/// A JSON Schema.
#[derive(Debug)]
pub struct Json(Schema);

impl Json {
    /// Compiles one.
    pub(super) fn build(text: &str, references: &[Reference]) -> Result<Self, String> {
        let read = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|error| format!("it is no JSON: {error}"))
        };
        let mut among = Vec::new();
        for reference in references {
            let json = read(&reference.text);
            let json = json.map_err(|why| format!("of \"{}\", {why}", reference.name))?;
            among.push((reference.name.clone(), json));
        }
        Schema::among(read(text)?, among).map(Self)
    }

    /// Whether `text` is JSON that fits.
    pub(super) fn check(&self, text: &[u8]) -> Result<(), Fault> {
        large::work(text.len(), || {
            let value = parse(text)?;
            self.0.check(&value, text.len()).map_err(|fault| {
                let Some(fault) = fault else {
                    return Fault::new("does not fit the schema");
                };
                Fault {
                    place: fault.pointer,
                    what: format!("breaks the rule `{}`", fault.rule),
                }
            })
        })
    }
}

/// Reads JSON; what is wrong with it is told without repeating any of it.
pub(super) fn parse(text: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Fault::new(format!("is no JSON: see line {line}, column {column}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_told_from_what_does_not() {
        let schema = Json::build(
            r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}"#,
            &[],
        );
        let schema = schema.expect("a schema");
        let told = |text: &str| schema.check(text.as_bytes()).map_err(|f| f.to_string());
        assert_eq!(told(r#"{"id": 1}"#), Ok(()));
        for (text, fault) in [
            ("", "it is no JSON: see line 1, column 0"),
            (r#"{"id": "#, "it is no JSON: see line 1, column 7"),
            (
                r#"{"id": "secret"}"#,
                r#"/id breaks the rule `type: "integer"`"#,
            ),
            ("{}", r#"/id breaks the rule `required: ["id"]`"#),
        ] {
            assert_eq!(told(text), Err(fault.to_owned()), "{text}");
        }
    }

    #[test]
    fn schemas_refer_to_each_other_by_name() {
        let reference = |text: &str| Reference {
            name: "customer.json".to_owned(),
            text: text.to_owned(),
        };
        let text = r#"{"properties":{"customer":{"$ref":"customer.json"}}}"#;
        let schema = Json::build(text, &[reference(r#"{"type":"string"}"#)]).expect("a schema");
        assert!(schema.check(br#"{"customer":"a"}"#).is_ok());
        assert!(schema.check(br#"{"customer":1}"#).is_err());
        let missing = Json::build(text, &[]).expect_err("nothing is fetched");
        assert!(missing.contains("customer.json"), "{missing}");
        let broken = Json::build(text, &[reference("{")]).expect_err("no JSON");
        assert!(
            broken.starts_with("of \"customer.json\", it is no JSON"),
            "{broken}"
        );
    }
}
