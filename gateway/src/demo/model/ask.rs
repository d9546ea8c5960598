//! What the model is asked: the members of a chat completion request that it heeds.
//!
//! Those that steer how an answer is worded mean nothing to a model without words of its own, and
//! are not read. What it would have to heed and cannot is refused.

use http::StatusCode;
use serde::Deserialize;

use super::{NAME, Refusal, words};

/// What OpenAI documents around each message, and before the answer, in tokens.
const PER_MESSAGE: u64 = 3;
const BEFORE_ANSWER: u64 = 3;

/// A request the model can answer.
#[derive(Debug)]
pub(super) struct Ask {
    /// The last thing the user said; empty, if it was no text.
    pub(super) said: String,
    /// The prompt's length, in tokens.
    pub(super) prompt_tokens: u64,
    /// The longest answer, in tokens; none, if it may be of any length.
    pub(super) max_tokens: Option<u64>,
    /// Whether the answer is streamed.
    pub(super) stream: bool,
    /// Whether a streamed answer ends with its usage.
    pub(super) include_usage: bool,
}

/// A request as written. A member that is null counts as left out.
#[derive(Deserialize)]
struct Written {
    model: String,
    messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

impl Message {
    /// Its text; that of several parts is joined by spaces, and what is not text left out.
    fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => {
                let texts: Vec<&str> = parts
                    .iter()
                    .filter_map(|part| part.text.as_deref())
                    .collect();
                texts.join(" ")
            }
        }
    }
}

impl Ask {
    /// Reads a request.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let written: Written = serde_json::from_slice(body).map_err(|error| {
            Refusal::invalid(
                StatusCode::BAD_REQUEST,
                format!("this is no chat completion request: {error}"),
            )
        })?;
        written.check()?;
        let texts: Vec<String> = written.messages.iter().map(Message::text).collect();
        let words: u64 = texts
            .iter()
            .map(|text| words::tokens(text).count() as u64)
            .sum();
        let last = written
            .messages
            .iter()
            .rposition(|message| message.role == "user");
        Ok(Ask {
            said: last.map(|at| texts[at].clone()).unwrap_or_default(),
            prompt_tokens: words + texts.len() as u64 * PER_MESSAGE + BEFORE_ANSWER,
            max_tokens: written.limits().map(|(_, limit)| limit).min(),
            stream: written.stream == Some(true),
            include_usage: written
                .stream_options
                .and_then(|options| options.include_usage)
                == Some(true),
        })
    }
}

impl Written {
    /// The limits on the answer that were written, by name.
    fn limits(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let both = [
            ("max_tokens", self.max_tokens),
            ("max_completion_tokens", self.max_completion_tokens),
        ];
        both.into_iter()
            .filter_map(|(name, limit)| Some((name, limit?)))
    }

    /// Refuses what the model cannot do.
    fn check(&self) -> Result<(), Refusal> {
        if self.model != NAME {
            let shown: String = self.model.chars().take(64).collect();
            return Err(Refusal {
                param: Some("model"),
                code: Some("model_not_found"),
                ..Refusal::invalid(
                    StatusCode::NOT_FOUND,
                    format!("the model \"{shown}\" does not exist; {NAME} does"),
                )
            });
        }
        let invalid = |param, message: String| {
            Err(Refusal {
                param: Some(param),
                ..Refusal::invalid(StatusCode::BAD_REQUEST, message)
            })
        };
        if self.messages.is_empty() {
            return invalid("messages", "messages has to hold at least one".to_owned());
        }
        if let Some((name, _)) = self.limits().find(|(_, limit)| *limit == 0) {
            return invalid(name, format!("{name} has to be at least 1"));
        }
        if self.n.is_some_and(|n| n != 1) {
            return invalid(
                "n",
                "this model gives one answer: leave n out, or write 1".to_owned(),
            );
        }
        if self.stream_options.is_some() && self.stream != Some(true) {
            return invalid(
                "stream_options",
                "stream_options is for streamed answers only".to_owned(),
            );
        }
        Ok(())
    }
}
