//! `routes[].prompt` as written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::units::{ModelName, Size};

/// A prompt as an API: callers POST JSON, and a model answers what a template makes of it.
///
/// `{input.NAME}` in a text is a property of that JSON: text as it is, anything else as JSON. `{{`
/// and `}}` are braces.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The name of an entry of `models`: who answers.
    pub model: ModelName,
    /// What the model is told before the message, as "Write in a {input.tone} tone."
    #[serde(default)]
    pub instructions: Option<String>,
    /// What the model is asked, as "Summarise: {input.text}".
    #[schemars(length(min = 1))]
    pub message: String,
    /// The JSON Schema (draft 2020-12) of what callers send: an object, which holds every property
    /// that the texts name, or else the property's `default` stands there.
    pub input: Map<String, Value>,
    /// The JSON Schema of what the model is to answer: an object. The model is held to it, and what
    /// does not fit it is not passed on. Without it callers get the model's text.
    #[serde(default)]
    pub output: Option<Map<String, Value>>,
    /// The longest answer, in tokens.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u64>,
    /// How freely words are picked: 0 takes the likeliest.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2))]
    pub temperature: Option<f64>,
    /// Shows prompts and answers on the spans of sampled requests. The platform has to allow it by
    /// `telemetry.llm_content`.
    #[serde(default)]
    pub record_content: bool,
    /// The largest body.
    #[serde(default = "Prompt::default_max_body")]
    pub max_body: Size,
}

impl Prompt {
    fn default_max_body() -> Size {
        Size::kib(1024)
    }
}
