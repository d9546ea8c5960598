//! The answer that a response is.

use std::borrow::Cow;

use super::response::{Candidate, Response, Said};
use crate::gemini::{base64, finish, request, thought};
use crate::json::Text;
use crate::llm::{Answer, Choice, Finish, Malformed, Media, Part, Source, ToolCall};

/// Reads the body of an answer to `generateContent` (Gemini API v1beta, Vertex AI v1). Calls without
/// an id get `call_{seed}_{n}`, counted from 0. A prompt that was held back is an answer of one
/// choice that ended [`Filtered`](Finish::Filtered).
///
/// # Errors
/// If it is no such answer: also if there is no candidate and no word of why.
pub fn read<'a>(body: &'a [u8], seed: &str) -> Result<Answer<'a>, Malformed> {
    let response = Response::parse(body, "the answer")?;
    let blocked = response.is_blocked();
    let mut answer = Answer {
        id: response.response_id.and_then(Text::some),
        model: response.model_version.and_then(Text::some),
        choices: Vec::new(),
        usage: response.usage_metadata.and_then(|usage| usage.read()),
    };
    let mut calls = 0;
    for (at, candidate) in (0..).zip(response.candidates.into_iter().flatten()) {
        answer
            .choices
            .push(choice(candidate, at, seed, &mut calls)?);
    }
    if blocked {
        answer.choices.push(Choice {
            index: 0,
            parts: Vec::new(),
            finish: Some(Finish::Filtered),
            stopped_at: None,
        });
    }
    match answer.choices.is_empty() {
        true => Err(Malformed::new("the answer holds no candidate")),
        false => Ok(answer),
    }
}

fn choice<'a>(
    mut candidate: Candidate<'a>,
    at: u64,
    seed: &str,
    calls: &mut u64,
) -> Result<Choice<'a>, Malformed> {
    let mut parts = Vec::new();
    let before = *calls;
    for part in candidate.parts() {
        match part.said()? {
            Said::Nothing => {}
            Said::Text(text) => parts.push(Part::Text(text)),
            Said::Thought { text, signature } => {
                thought::push(&mut parts, text, signature.map(thought::proof));
            }
            Said::Call {
                id,
                name,
                arguments,
                signature,
            } => {
                let id = id.unwrap_or_else(|| format!("call_{seed}_{calls}").into());
                *calls += 1;
                parts.push(Part::ToolCall(ToolCall {
                    id,
                    name,
                    arguments,
                    signature,
                }));
            }
            Said::Media { media_type, data } => parts.push(medium(media_type, data)?),
        }
    }
    let word = candidate.finish_reason.unwrap_or_default().0;
    Ok(Choice {
        index: candidate.index.unwrap_or(at),
        parts,
        finish: finish::read(&word, *calls > before),
        stopped_at: None,
    })
}

fn medium<'a>(media_type: Cow<'a, str>, data: Cow<'a, str>) -> Result<Part<'a>, Malformed> {
    let sort = request::media_of_type(&media_type)
        .ok_or_else(|| Malformed::new("the answer holds a medium of a type not known here"))?;
    Ok(sort(Media {
        source: Source::Base64(base64::plain(data)),
        media_type: Some(media_type),
        detail: None,
        name: None,
    }))
}
