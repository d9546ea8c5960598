//! `routes[].prompt`, checked: the texts name only what the input is sure to have, and both schemas
//! are compiled, once.

pub mod schema;
pub mod text;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use schema::Schema;
pub use text::Text;

use super::actions::Around;
use super::llm;
use crate::config::check::{At, Checker, Noun};
use crate::config::raw::prompt as raw;
use crate::config::telemetry::LlmContent;

/// A prompt as an API.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The model that answers; it exists.
    pub model: Arc<str>,
    /// What it is told before the message.
    pub instructions: Option<Text>,
    /// What it is asked.
    pub message: Text,
    /// What callers send: objects only.
    pub input: Arc<Schema>,
    /// What the model is to answer: objects only.
    pub output: Option<Arc<Schema>>,
    /// The longest answer, in tokens.
    pub max_tokens: Option<u64>,
    /// From 0 to 2.
    pub temperature: Option<f64>,
    /// What is shown of prompts and answers on sampled spans, if anything.
    pub content: Option<LlmContent>,
    /// The largest body, in bytes.
    pub max_body: u64,
}

/// Checks what a `prompt` action says.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Prompt,
    around: &Around<'_>,
) -> Option<Prompt> {
    let name = &raw.model.0;
    let model = cx.resolve(&at.key("model"), Noun::Model, name, around.owner());
    let instructions = raw
        .instructions
        .as_ref()
        .map(|text| text::check(cx, &at.key("instructions"), text, &raw.input));
    let message = text::check(cx, &at.key("message"), &raw.message, &raw.input);
    let input = compile(cx, &at.key("input"), &raw.input);
    let output = raw
        .output
        .as_ref()
        .map(|output| compile(cx, &at.key("output"), output));
    let content = llm::check_content(cx, at, raw.record_content);
    Some(Prompt {
        model: model?,
        instructions: match instructions {
            Some(instructions) => Some(instructions?),
            None => None,
        },
        message: message?,
        input: input?,
        output: match output {
            Some(output) => Some(output?),
            None => None,
        },
        max_tokens: raw.max_tokens,
        temperature: raw.temperature,
        content,
        max_body: raw.max_body.0,
    })
}

fn compile(cx: &mut Checker<'_>, at: &At, json: &Map<String, Value>) -> Option<Arc<Schema>> {
    // Names stand for properties, and providers hold models to objects only.
    if json.get("type").and_then(Value::as_str) != Some("object") {
        cx.fault(
            at,
            "this is no schema of an object",
            "add `type: object` and `properties`",
        );
        return None;
    }
    match Schema::build(Value::Object(json.clone())) {
        Ok(schema) => Some(Arc::new(schema)),
        Err(why) => {
            cx.fault(
                at,
                format!("this is no JSON Schema: {why}"),
                "see json-schema.org; a schema refers to nothing beyond itself",
            );
            None
        }
    }
}
