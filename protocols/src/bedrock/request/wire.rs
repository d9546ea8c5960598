//! The body as it goes out: structures named and shaped as in the API's reference. What it calls a
//! union is an enum here.

use std::borrow::Cow;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::llm::Json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'r> {
    pub(super) messages: Vec<Message<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) system: Vec<System<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inference_config: Option<Inference<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_config: Option<ToolConfig<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<OutputConfig<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) additional_model_request_fields: Option<Extra>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) additional_model_response_field_paths: &'static [&'static str],
}

#[derive(Serialize)]
pub(super) struct Message<'r> {
    pub(super) role: &'static str,
    pub(super) content: Vec<Block<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum System<'r> {
    Text(&'r str),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'r> {
    Text(&'r str),
    Image(Image<'r>),
    Document(Document<'r>),
    ReasoningContent(Reasoning<'r>),
    ToolUse(ToolUse<'r>),
    ToolResult(ToolResult<'r>),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
pub(super) struct CachePoint {
    #[serde(rename = "type")]
    kind: &'static str,
}

pub(super) const CACHE_POINT: CachePoint = CachePoint { kind: "default" };

#[derive(Serialize)]
pub(super) struct Image<'r> {
    pub(super) format: &'static str,
    pub(super) source: Source<'r>,
}

#[derive(Serialize)]
pub(super) struct Document<'r> {
    pub(super) format: &'static str,
    pub(super) name: String,
    pub(super) source: Source<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Source<'r> {
    Bytes(Bytes<'r>),
}

/// Bytes, which are base64 in JSON.
pub(super) enum Bytes<'r> {
    /// That are base64 already.
    Encoded(&'r str),
    /// Of a text.
    Text(&'r str),
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Encoded(base64) => serializer.serialize_str(base64),
            Self::Text(text) => {
                serializer.collect_str(&Base64Display::new(text.as_bytes(), &STANDARD))
            }
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reasoning<'r> {
    ReasoningText(ReasoningText<'r>),
    RedactedContent(&'r str),
}

#[derive(Serialize)]
pub(super) struct ReasoningText<'r> {
    pub(super) text: &'r str,
    pub(super) signature: &'r str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse<'r> {
    pub(super) tool_use_id: Cow<'r, str>,
    pub(super) name: &'r str,
    pub(super) input: Json<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolResult<'r> {
    pub(super) tool_use_id: Cow<'r, str>,
    pub(super) content: Vec<ResultBlock<'r>>,
    /// Only some models know it, and all take its absence for success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ResultBlock<'r> {
    Text(&'r str),
    Image(Image<'r>),
    Document(Document<'r>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inference<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) stop_sequences: &'r [Cow<'r, str>],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'r> {
    pub(super) tools: Vec<Tool<'r>>,
    /// What the model may choose by itself is not said: not every model knows the word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<ToolChoice<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Tool<'r> {
    ToolSpec(ToolSpec<'r>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolSpec<'r> {
    pub(super) name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'r str>,
    pub(super) input_schema: InputSchema<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum InputSchema<'r> {
    Json(Cow<'r, Json<'r>>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ToolChoice<'r> {
    Any {},
    Tool { name: &'r str },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputConfig<'r> {
    pub(super) text_format: TextFormat<'r>,
}

#[derive(Serialize)]
pub(super) struct TextFormat<'r> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) structure: Structure<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Structure<'r> {
    pub(super) json_schema: JsonSchema<'r>,
}

/// The schema is JSON in a string.
#[derive(Serialize)]
pub(super) struct JsonSchema<'r> {
    pub(super) schema: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'r str>,
}

/// What models' makers call what Converse has no words for, each in its own spelling.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Extra {
    /// Anthropic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Thinking>,
    /// Anthropic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<Effort>,
    /// Anthropic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_k: Option<u64>,
    /// Amazon.
    #[serde(rename = "reasoningConfig", skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_config: Option<NovaReasoning>,
    /// Amazon.
    #[serde(rename = "inferenceConfig", skip_serializing_if = "Option::is_none")]
    pub(super) inference_config: Option<NovaInference>,
    /// OpenAI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_effort: Option<&'static str>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Enabled { budget_tokens: u64 },
    Disabled,
    Adaptive,
}

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Effort {
    pub(super) effort: &'static str,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NovaReasoning {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) max_reasoning_effort: &'static str,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NovaInference {
    pub(super) top_k: u64,
}
