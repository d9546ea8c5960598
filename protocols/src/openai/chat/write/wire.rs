//! A chat request as it is written.

use serde::Serialize;
use serde_json::Value;

use crate::llm::{self, Json};

#[derive(Serialize)]
pub(super) struct Request<'r> {
    pub(super) model: &'r str,
    pub(super) messages: Vec<Message<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_format: Option<Format<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) n: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) stop: &'r [std::borrow::Cow<'r, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) random_seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logit_bias: Option<&'r Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<&'r str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
pub(super) struct StreamOptions {
    pub(super) include_usage: bool,
}

#[derive(Serialize)]
pub(super) struct Message<'r> {
    pub(super) role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'r str>,
    pub(super) content: Option<Content<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'r str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<ToolCall<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<&'r str>,
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
    Text { text: &'r str },
    ImageUrl { image_url: ImageUrl<'r> },
    InputAudio { input_audio: InputAudio<'r> },
    File { file: File<'r> },
}

#[derive(Serialize)]
pub(super) struct ImageUrl<'r> {
    pub(super) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'r str>,
}

#[derive(Serialize)]
pub(super) struct InputAudio<'r> {
    pub(super) data: &'r str,
    pub(super) format: &'r str,
}

#[derive(Serialize)]
pub(super) struct File<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filename: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_id: Option<&'r str>,
}

#[derive(Serialize)]
pub(super) struct ToolCall<'r> {
    pub(super) id: &'r str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) function: Called<'r>,
}

#[derive(Serialize)]
pub(super) struct Called<'r> {
    pub(super) name: &'r str,
    pub(super) arguments: &'r str,
}

#[derive(Serialize)]
pub(super) struct Tool<'r> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'r>,
}

#[derive(Serialize)]
struct Function<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'r Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'r> Tool<'r> {
    pub(super) fn new(tool: &'r llm::Tool<'r>) -> Self {
        Self {
            kind: "function",
            function: Function {
                name: &tool.name,
                description: tool.description.as_deref(),
                parameters: tool.parameters.as_ref(),
                strict: tool.strict,
            },
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum Format<'r> {
    #[serde(rename = "json_object")]
    Json,
    #[serde(rename = "json_schema")]
    Schema { json_schema: Schema<'r> },
}

#[derive(Serialize)]
pub(super) struct Schema<'r> {
    pub(super) name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'r str>,
    pub(super) schema: &'r Json<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strict: Option<bool>,
}
