//! The response as callers expect it.

use std::borrow::Cow;

use serde::Serialize;

use crate::gemini::wire::{self, Content, MODEL};
use crate::gemini::{base64, finish, request, thought, usage};
use crate::llm::{Answer, Choice, Envelope, Part, Source};

/// Appends the body of an answer to `generateContent` to `out`, in JSON on one line. Where the
/// provider gave no name for the answer or no model, those of `envelope` stand.
pub fn write(out: &mut Vec<u8>, answer: &Answer<'_>, envelope: &Envelope<'_>) {
    body(
        out,
        &Response {
            candidates: answer.choices.iter().map(candidate).collect(),
            usage_metadata: answer.usage.as_ref().map(usage::Wire::of),
            model_version: answer.model.as_deref().unwrap_or(envelope.model),
            response_id: answer.id.as_deref().unwrap_or(envelope.id),
        },
    );
}

/// `GenerateContentResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gemini) struct Response<'w> {
    pub candidates: Vec<Candidate<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_metadata: Option<usage::Wire>,
    pub model_version: &'w str,
    pub response_id: &'w str,
}

/// `Candidate`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gemini) struct Candidate<'w> {
    pub content: Content<'w>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<&'static str>,
    pub index: u64,
}

/// Appends `response` to `out`.
pub(in crate::gemini) fn body(out: &mut Vec<u8>, response: &Response<'_>) {
    serde_json::to_writer(out, response).expect("text, numbers and JSON always serialise");
}

fn candidate<'w>(choice: &'w Choice<'_>) -> Candidate<'w> {
    let mut parts: Vec<wire::Part<'w>> = choice.parts.iter().filter_map(part).collect();
    if parts.is_empty() {
        // Google's clients keep no turn without a part in their history.
        parts.push(wire::Part::text(""));
    }
    Candidate {
        content: Content {
            role: Some(MODEL),
            parts,
        },
        finish_reason: choice.finish.map(finish::word),
        index: choice.index,
    }
}

/// The part, if the dialect has one for it.
fn part<'w>(part: &'w Part<'_>) -> Option<wire::Part<'w>> {
    Some(match part {
        Part::Text(text) | Part::Refusal(text) => wire::Part::text(text),
        Part::Reasoning { text, signature } => {
            let proof = signature.as_deref().and_then(thought::carry);
            if text.is_empty() && proof.is_none() {
                return None;
            }
            wire::Part::thought(text, proof)
        }
        Part::Redacted(data) => wire::Part::thought("", Some(thought::carry_redacted(data)?)),
        Part::ToolCall(call) => wire::Part {
            function_call: Some(wire::Call {
                id: &call.id,
                name: &call.name,
                args: call.object().into_owned(),
            }),
            thought_signature: call.signature.as_deref().and_then(signature),
            ..wire::Part::default()
        },
        Part::Image(media) | Part::Audio(media) | Part::Document(media) => {
            let inline = matches!(media.source, Source::Base64(_));
            // What an answer holds was not sent by a caller: there is nobody to refuse.
            inline.then(|| request::medium(media, "candidates").ok())??
        }
        Part::ToolResult(_) | Part::CachePoint => return None,
    })
}

/// A call's signature as it is, if it is base64, which the dialect's clients need it to be.
pub(in crate::gemini) fn signature(signature: &str) -> Option<Cow<'_, str>> {
    base64::alphabet(signature).map(|_| Cow::Borrowed(signature))
}
