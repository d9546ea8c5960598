//! Reads a response object. Tolerates whatever else stands in it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::Text;
use crate::llm::{Answer, Choice, Error, Finish, Malformed, Part, ToolCall, Usage};
use crate::openai::responses::{REDACTED, failure as words, usage};

/// A response, as far as it is read.
#[derive(Deserialize)]
pub(in crate::openai::responses) struct Body<'a> {
    #[serde(borrow, default)]
    pub(in crate::openai::responses) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) model: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) incomplete_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<Vec<Item<'a>>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

/// An item of the output, whatever its type.
#[derive(Default, Deserialize)]
pub(in crate::openai::responses) struct Item<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(in crate::openai::responses) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) id: Text<'a>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    summary: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) encrypted_content: Text<'a>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) call_id: Text<'a>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) name: Text<'a>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) arguments: Text<'a>,
    #[serde(borrow, default)]
    pub(in crate::openai::responses) extra_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    refusal: Text<'a>,
}

/// Reads a response. A call without an id is given one made of `seed`.
///
/// # Errors
/// [`Malformed`] if it is no response, or one that failed: see [`failure`].
pub fn read<'a>(body: &'a [u8], seed: &str) -> Result<Answer<'a>, Malformed> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Malformed::new("the response is no JSON object"));
    }
    let body: Body<'a> =
        serde_json::from_slice(body).map_err(|error| Malformed::json("the response", &error))?;
    if body.has_failed() {
        return Err(Malformed::new("the response says that it failed"));
    }
    let usage = body.usage();
    let incomplete = body.incomplete();
    let Some(output) = body.output else {
        return Err(Malformed::new("the response has no output"));
    };
    let mut parts = Vec::with_capacity(output.len());
    let mut calls = 0;
    for item in output {
        item.tell(seed, &mut calls, &mut parts)?;
    }
    let refuses = parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let finish = incomplete.unwrap_or_else(|| whole(calls > 0, refuses));
    Ok(Answer {
        id: body.id.and_then(Text::some),
        model: body.model.and_then(Text::some),
        choices: vec![Choice {
            index: 0,
            parts,
            finish: Some(finish),
            stopped_at: None,
        }],
        usage,
    })
}

/// The error of a response that failed, which providers send with a status of success. `None` if it
/// did not fail.
pub fn failure(body: &[u8]) -> Option<Error<'_>> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    body.has_failed().then(|| body.failure())
}

/// Why an answer ended that is whole.
pub(in crate::openai::responses) const fn whole(calls: bool, refuses: bool) -> Finish {
    match (calls, refuses) {
        (true, _) => Finish::ToolCalls,
        (false, true) => Finish::Refusal,
        (false, false) => Finish::Stop,
    }
}

impl<'a> Body<'a> {
    fn has_failed(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| status.0 == "failed")
            || self.error.is_some()
    }

    /// The error, as far as it says what went wrong.
    pub(in crate::openai::responses) fn failure(&self) -> Error<'a> {
        words::read(self.error.map_or("null", RawValue::get))
    }

    pub(in crate::openai::responses) fn usage(&self) -> Option<Usage> {
        usage::read(self.usage?.get())
    }

    /// Why it is not whole, if it is not.
    pub(in crate::openai::responses) fn incomplete(&self) -> Option<Finish> {
        let is_whole = |status: &Text<'_>| status.0 == "completed";
        match &self.status {
            Some(status) if !is_whole(status) => Some(self.cut_short_by()),
            _ => None,
        }
    }

    /// What cut it short.
    pub(in crate::openai::responses) fn cut_short_by(&self) -> Finish {
        #[derive(Deserialize)]
        struct Details<'a> {
            #[serde(borrow, default)]
            reason: Text<'a>,
        }
        let details = self.incomplete_details.map(RawValue::get);
        let details = details.and_then(|details| serde_json::from_str::<Details<'_>>(details).ok());
        let reason = details.map(|details| details.reason.0);
        match reason.as_deref() {
            Some("max_output_tokens") => Finish::Length,
            Some("content_filter") => Finish::Filtered,
            _ => Finish::Other,
        }
    }
}

impl<'a> Item<'a> {
    /// Appends its parts; `calls` counts calls of functions.
    fn tell(self, seed: &str, calls: &mut u64, parts: &mut Vec<Part<'a>>) -> Result<(), Malformed> {
        match &*self.kind.0 {
            "message" => {
                for content in contents(self.content)? {
                    match &*content.kind.0 {
                        "output_text" => parts.push(Part::Text(content.text.0)),
                        "refusal" => parts.push(Part::Refusal(content.refusal.0)),
                        _ => {}
                    }
                }
            }
            "function_call" => {
                let id = self.call_id.some();
                let id = id.unwrap_or_else(|| Cow::Owned(format!("call_{seed}_{calls}")));
                *calls += 1;
                parts.push(Part::ToolCall(ToolCall {
                    id,
                    name: self.name.0,
                    arguments: self.arguments.0,
                    signature: self.extra_content.and_then(signature),
                }));
            }
            "reasoning" => parts.extend(self.thoughts()?),
            _ => {}
        }
        Ok(())
    }

    /// `None` for those of which nothing is shown.
    fn thoughts(self) -> Result<Option<Part<'a>>, Malformed> {
        let signature = self.encrypted_content.some();
        let signature = match signature {
            Some(data) if self.id.0.starts_with(REDACTED) => return Ok(Some(Part::Redacted(data))),
            signature => signature,
        };
        let mut texts = contents(self.summary)?;
        if texts.is_empty() {
            texts = contents(self.content)?;
        }
        let texts: Vec<_> = texts.into_iter().map(|content| content.text.0).collect();
        let text = match <[Cow<'a, str>; 1]>::try_from(texts) {
            Ok([text]) => text,
            Err(texts) => Cow::Owned(texts.join("\n\n")),
        };
        let is_something = !text.is_empty() || signature.is_some();
        Ok(is_something.then_some(Part::Reasoning { text, signature }))
    }
}

fn contents(list: Option<&RawValue>) -> Result<Vec<Content<'_>>, Malformed> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    serde_json::from_str(list.get())
        .map_err(|error| Malformed::json("the content of an item", &error))
}

/// What signs a call, where its provider does.
pub(in crate::openai::responses) fn signature(extra: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Extra<'a> {
        #[serde(borrow, default)]
        google: Option<Google<'a>>,
    }
    #[derive(Deserialize)]
    struct Google<'a> {
        #[serde(borrow, default)]
        thought_signature: Text<'a>,
    }
    let extra: Extra<'_> = serde_json::from_str(extra.get()).ok()?;
    extra.google?.thought_signature.some()
}
