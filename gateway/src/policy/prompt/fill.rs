//! A template that a caller asks for, and what it fills in: `{"name": …, "variables": {…}}`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use weir_telemetry::Code;

use super::MEMBER;
use crate::config::policies::prompt::Named;
use crate::error::GatewayError;

/// What a caller asks for.
pub(super) struct Filled<'t> {
    /// The template.
    pub(super) template: &'t Named,
    values: BTreeMap<String, String>,
}

/// The same as it was written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    #[serde(default)]
    variables: BTreeMap<String, Value>,
}

impl<'t> Filled<'t> {
    /// Reads the member of a body.
    pub(super) fn read(asked: &str, templates: &'t [Named]) -> Result<Self, GatewayError> {
        let asked: Asked = serde_json::from_str(asked).map_err(|_| {
            let shape = r#"send {"name": "…", "variables": {"…": "…"}}"#;
            refused("", format!("This is no call of a template; {shape}."))
        })?;
        let mut named = templates.iter();
        let Some(template) = named.find(|template| *template.name == *asked.name) else {
            let known: Vec<&str> = templates.iter().map(|template| &*template.name).collect();
            let known = known.join(", ");
            let message = format!("This route has no template of that name; it has {known}.");
            return Err(refused(".name", message));
        };
        let mut values = BTreeMap::new();
        for (name, value) in asked.variables {
            if !template.arguments().any(|argument| **argument == *name) {
                let message = "The template has no variable of that name.".to_owned();
                let shown: String = name.chars().take(64).collect();
                return Err(refused(&format!(".variables.{shown}"), message));
            }
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    let message = "Send a text, a number or a boolean.".to_owned();
                    return Err(refused(&format!(".variables.{name}"), message));
                }
            };
            values.insert(name, text);
        }
        Ok(Self { template, values })
    }

    /// What was filled in under that name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

fn refused(path: &str, message: String) -> GatewayError {
    GatewayError::public(Code::RequestBodyInvalid, message).param(format!("{MEMBER}{path}"))
}
