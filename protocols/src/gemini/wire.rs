//! A turn as it is written: `Content` and `Part`, in requests and in answers alike. Knows nothing
//! of what stands around it.

use std::borrow::Cow;

use serde::Serialize;

use crate::llm::Json;

/// The role of the caller, and of what tools returned to it.
pub(super) const USER: &str = "user";
/// The role of the model.
pub(super) const MODEL: &str = "model";

/// `Content`.
#[derive(Debug, Serialize)]
pub(super) struct Content<'w> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    pub parts: Vec<Part<'w>>,
}

/// `Part`: one of its members holds what it is, the rest is said about that.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'w> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'w str>,
    #[serde(skip_serializing_if = "is_false")]
    pub thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inline_data: Option<Blob<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_data: Option<File<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<Call<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_response: Option<Response<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thought_signature: Option<Cow<'w, str>>,
}

impl<'w> Part<'w> {
    /// Text.
    pub(super) fn text(text: &'w str) -> Self {
        Self {
            text: Some(text),
            ..Self::default()
        }
    }

    /// A thought, and what proves who had it.
    pub(super) fn thought(text: &'w str, proof: Option<String>) -> Self {
        Self {
            thought: true,
            thought_signature: proof.map(Cow::Owned),
            ..Self::text(text)
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it skips by reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// `Blob`: bytes, in base64.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'w> {
    pub mime_type: Cow<'w, str>,
    pub data: &'w str,
}

/// `FileData`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File<'w> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<&'w str>,
    pub file_uri: &'w str,
}

/// `FunctionCall`.
#[derive(Debug, Serialize)]
pub(super) struct Call<'w> {
    pub id: &'w str,
    pub name: &'w str,
    pub args: Json<'static>,
}

/// `FunctionResponse`.
#[derive(Debug, Serialize)]
pub(super) struct Response<'w> {
    pub id: &'w str,
    pub name: &'w str,
    pub response: Outcome<'w>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part<'w>>,
}

/// What a tool returned, which must be an object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Outcome<'w> {
    /// An object of the tool's own.
    Object(Json<'static>),
    /// Text.
    Text { result: Cow<'w, str> },
    /// An object that says what went wrong.
    FailedObject { error: Json<'static> },
    /// Text that does.
    Failed { error: Cow<'w, str> },
}
