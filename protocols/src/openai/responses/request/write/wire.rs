//! A request for a response as it is written.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::llm::{self, Json};

#[derive(Serialize)]
pub(super) struct Request<'r> {
    pub(super) model: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instructions: Option<String>,
    pub(super) input: Vec<Item<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Text<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) include: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'r str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stream: bool,
    pub(super) store: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'r> {
    Message {
        role: &'static str,
        content: Content<'r>,
    },
    FunctionCall {
        call_id: &'r str,
        name: &'r str,
        arguments: &'r str,
    },
    FunctionCallOutput {
        call_id: &'r str,
        output: Content<'r>,
    },
    Reasoning {
        #[serde(serialize_with = "listed")]
        summary: Option<Part<'r>>,
        encrypted_content: &'r str,
    },
}

/// An array of one, or of none.
fn listed<S: serde::Serializer>(part: &Option<Part<'_>>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(part)
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content<'r> {
    Text(&'r str),
    Parts(Vec<Part<'r>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'r> {
    InputText {
        text: &'r str,
    },
    InputImage {
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<Cow<'r, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'r str>,
        detail: &'r str,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<Cow<'r, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'r str>,
    },
    Refusal {
        refusal: &'r str,
    },
    SummaryText {
        text: &'r str,
    },
}

/// All its members are required, `null` where there is nothing to say.
#[derive(Serialize)]
pub(super) struct Tool<'r> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    parameters: Option<&'r Json<'r>>,
    strict: bool,
}

impl<'r> Tool<'r> {
    pub(super) fn new(tool: &'r llm::Tool<'r>) -> Self {
        Self {
            kind: "function",
            name: &tool.name,
            description: tool.description.as_deref(),
            parameters: tool.parameters.as_ref(),
            // Left out it would mean true, which most schemas written for others do not stand.
            strict: tool.strict.unwrap_or(false),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Text<'r> {
    pub(super) format: Format<'r>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Format<'r> {
    JsonObject,
    JsonSchema {
        name: &'r str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'r str>,
        schema: &'r Json<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

#[derive(Serialize)]
pub(super) struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<&'static str>,
}
