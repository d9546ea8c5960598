//! Tools: what a model may call, what it called, and what came of it.

use std::borrow::Cow;

use super::json::Json;
use super::message::Part;

/// A function the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it does, for the model.
    pub description: Option<Cow<'a, str>>,
    /// What it takes, as JSON Schema; `None`: nothing.
    pub parameters: Option<Json<'a>>,
    /// Whether calls are held to the schema to the letter.
    pub strict: Option<bool>,
}

/// Whether and what the model is to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choose<'a> {
    /// As it likes.
    Auto,
    /// Nothing.
    None,
    /// At least one tool.
    Any,
    /// This one.
    Tool(Cow<'a, str>),
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// What its result refers to.
    pub id: Cow<'a, str>,
    /// The tool.
    pub name: Cow<'a, str>,
    /// What it is called with: JSON as the model wrote it, which may be broken.
    pub arguments: Cow<'a, str>,
    /// What proves that the provider wrote it, where one says so.
    pub signature: Option<Cow<'a, str>>,
}

impl<'a> ToolCall<'a> {
    /// The arguments as an object, for dialects in which they are one. Text that is none, which a
    /// model may well write, stands in an object of its own under `arguments`; no text is no
    /// arguments.
    pub fn object(&self) -> Json<'a> {
        let text = self.arguments.trim();
        if text.is_empty() {
            return Json::empty_object();
        }
        match Json::parse(text).filter(Json::is_object) {
            Some(object) => object,
            None => {
                let wrapped = serde_json::json!({ "arguments": text }).to_string();
                Json::parse(&wrapped).expect("it was just written")
            }
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult<'a> {
    /// The call's `id`.
    pub id: Cow<'a, str>,
    /// The tool's name, where it is said; see [`Request::tool_name`](super::Request::tool_name).
    pub name: Option<Cow<'a, str>>,
    /// What the tool returned: text, images.
    pub parts: Vec<Part<'a>>,
    /// Whether it failed.
    pub is_error: bool,
}
