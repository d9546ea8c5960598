//! `GenerateContentResponse` as it arrives: a whole answer, or a piece of one. Borrows.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::gemini::usage;
use crate::json::Text;
use crate::llm::Malformed;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gemini) struct Response<'a> {
    #[serde(borrow, default)]
    pub candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow, default, alias = "prompt_feedback")]
    pub prompt_feedback: Option<Feedback<'a>>,
    #[serde(default, alias = "usage_metadata")]
    pub usage_metadata: Option<usage::Wire>,
    #[serde(borrow, default, alias = "model_version")]
    pub model_version: Option<Text<'a>>,
    #[serde(borrow, default, alias = "response_id")]
    pub response_id: Option<Text<'a>>,
    /// Stands alone, where the provider fails amid a stream.
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gemini) struct Candidate<'a> {
    #[serde(default)]
    pub index: Option<u64>,
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default, alias = "finish_reason")]
    pub finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    parts: Option<Vec<Part<'a>>>,
}

/// Why there is no candidate.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gemini) struct Feedback<'a> {
    #[serde(borrow, default, alias = "block_reason")]
    block_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gemini) struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    thought: Option<bool>,
    #[serde(borrow, default, alias = "thought_signature")]
    thought_signature: Option<Text<'a>>,
    #[serde(borrow, default, alias = "function_call")]
    function_call: Option<Call<'a>>,
    #[serde(borrow, default, alias = "inline_data")]
    inline_data: Option<Blob<'a>>,
    #[serde(borrow, default, alias = "executable_code")]
    executable_code: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "code_execution_result")]
    code_execution_result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    #[serde(borrow, default, alias = "mime_type")]
    mime_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<Text<'a>>,
}

/// What a part says.
pub(in crate::gemini) enum Said<'a> {
    Nothing,
    Text(Cow<'a, str>),
    Thought {
        text: Cow<'a, str>,
        signature: Option<Cow<'a, str>>,
    },
    Call {
        id: Option<Cow<'a, str>>,
        name: Cow<'a, str>,
        arguments: Cow<'a, str>,
        signature: Option<Cow<'a, str>>,
    },
    Media {
        media_type: Cow<'a, str>,
        data: Cow<'a, str>,
    },
}

impl<'a> Response<'a> {
    /// Reads `data`.
    ///
    /// # Errors
    /// If it is no JSON of this shape.
    pub(in crate::gemini) fn parse(data: &'a [u8], what: &str) -> Result<Self, Malformed> {
        serde_json::from_slice(data).map_err(|error| Malformed::json(what, &error))
    }

    /// Whether the prompt was held back, so that there is no candidate.
    pub(in crate::gemini) fn is_blocked(&self) -> bool {
        let reason = self
            .prompt_feedback
            .as_ref()
            .and_then(|f| f.block_reason.as_ref());
        let is_none = self.candidates.as_ref().is_none_or(Vec::is_empty);
        is_none && reason.is_some_and(|reason| !reason.0.is_empty())
    }
}

impl<'a> Candidate<'a> {
    /// What its parts say, in order.
    pub(in crate::gemini) fn parts(&mut self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let content = self.content.take();
        content
            .and_then(|content| content.parts)
            .into_iter()
            .flatten()
    }
}

impl<'a> Part<'a> {
    /// What it says. A signature on text is left: no part of another dialect could hold it.
    ///
    /// # Errors
    /// If it is a part of a tool that was never asked for, or a call of nothing.
    pub(in crate::gemini) fn said(self) -> Result<Said<'a>, Malformed> {
        let signature = self.thought_signature.and_then(Text::some);
        if let Some(call) = self.function_call {
            let name = call.name.and_then(Text::some);
            return Ok(Said::Call {
                id: call.id.and_then(Text::some),
                name: name.ok_or_else(|| Malformed::new("a call names no function"))?,
                arguments: compact(call.args.map_or("{}", RawValue::get)),
                signature,
            });
        }
        if let Some(blob) = self.inline_data {
            return Ok(Said::Media {
                media_type: blob.mime_type.unwrap_or_default().0,
                data: blob.data.unwrap_or_default().0,
            });
        }
        if self
            .executable_code
            .or(self.code_execution_result)
            .is_some()
        {
            return Err(Malformed::new("a part is of a tool that was not asked for"));
        }
        let text = self.text.unwrap_or_default().0;
        Ok(match self.thought {
            Some(true) if !text.is_empty() || signature.is_some() => {
                Said::Thought { text, signature }
            }
            _ if text.is_empty() => Said::Nothing,
            _ => Said::Text(text),
        })
    }
}

/// JSON without the space between its tokens, if it is written on several lines, as both APIs write
/// whole answers: arguments go back to the model with every turn that follows.
fn compact(json: &str) -> Cow<'_, str> {
    if !json.contains('\n') {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for letter in json.chars() {
        if in_string || !letter.is_ascii_whitespace() {
            out.push(letter);
        }
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = in_string,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    Cow::Owned(out)
}
