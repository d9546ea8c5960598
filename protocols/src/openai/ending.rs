//! The end of a stream that is ended before the model ends it, in OpenAI's dialect: the last chunk
//! of each choice, the usage, and `[DONE]`. Knows no reason to end one.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::sse::{Outgoing, write_event};

/// What the chunks of one stream have in common, each as JSON.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// `id`.
    pub id: Option<Box<RawValue>>,
    /// `created`.
    pub created: Option<Box<RawValue>>,
    /// `model`.
    pub model: Option<Box<RawValue>>,
}

/// Why a stream is ended; a member beyond those of the API, which its clients pass over.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reason<'a> {
    /// The stable code.
    pub code: &'a str,
    /// The quota to blame.
    pub quota: &'a str,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: Option<&'a RawValue>,
    object: &'static str,
    created: Option<&'a RawValue>,
    model: Option<&'a RawValue>,
    choices: &'a [Choice],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weir: Option<Reason<'a>>,
}

#[derive(Serialize)]
struct Choice {
    index: u64,
    delta: Delta,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Delta {}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl Frame {
    /// The last event of a choice: it ends because there is no room for more.
    pub fn last(&self, choice: u64, reason: Reason<'_>) -> Vec<u8> {
        let choices = [Choice {
            index: choice,
            delta: Delta {},
            finish_reason: "length",
        }];
        self.event(&choices, None, Some(reason))
    }

    /// The event that reports usage.
    pub fn usage(&self, prompt_tokens: u64, completion_tokens: u64) -> Vec<u8> {
        let usage = Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
        };
        self.event(&[], Some(usage), None)
    }

    fn event(&self, choices: &[Choice], usage: Option<Usage>, weir: Option<Reason<'_>>) -> Vec<u8> {
        let chunk = Chunk {
            id: self.id.as_deref(),
            object: "chat.completion.chunk",
            created: self.created.as_deref(),
            model: self.model.as_deref(),
            choices,
            usage,
            weir,
        };
        let data = serde_json::to_vec(&chunk).expect("text and numbers always serialise");
        let event = Outgoing {
            data: &data,
            ..Outgoing::default()
        };
        let mut out = Vec::with_capacity(data.len() + 8);
        write_event(&mut out, &event).expect("no name and no id, so no line break in them");
        out
    }
}

/// The event after which nothing comes.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_looks_like_the_streams_own() {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).ok();
        let frame = Frame {
            id: raw("\"chatcmpl-1\""),
            created: raw("1700000000"),
            model: raw("\"gpt \\\"x\\\"\""),
        };
        let reason = Reason {
            code: "quota_exhausted",
            quota: "tokens",
        };
        assert_eq!(
            String::from_utf8_lossy(&frame.last(3, reason)),
            concat!(
                r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"#,
                r#""model":"gpt \"x\"","choices":[{"index":3,"delta":{},"finish_reason":"length"}],"#,
                r#""weir":{"code":"quota_exhausted","quota":"tokens"}}"#,
                "\n\n"
            )
        );
        let usage = String::from_utf8_lossy(&Frame::default().usage(8, 5)).into_owned();
        assert!(
            usage.contains(
                r#""choices":[],"usage":{"prompt_tokens":8,"completion_tokens":5,"total_tokens":13}"#
            ),
            "{usage}"
        );
    }
}
