//! The APIs that models are called by: what callers speak and what providers speak, and which of
//! `weir_protocols` reads and writes each. Knows no provider and no key.

use serde::{Deserialize, Serialize};
use weir_protocols::llm::{Answer, Envelope, Error, Fault, Malformed, Refused, Request, Written};
use weir_protocols::openai::chat::Profile;
use weir_protocols::openai::{self, completion, responses};
use weir_protocols::{anthropic, bedrock, gemini};

use super::prompt;
use crate::runtime::Dialect;

/// What a caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Inbound {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Gemini's `generateContent`.
    Gemini,
    /// What a route with a `prompt` makes of its own JSON.
    Prompt,
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Outbound {
    /// OpenAI's chat completions, as everybody else who speaks them.
    Chat,
    /// Anthropic's messages.
    Messages,
    /// Gemini's `generateContent`.
    Gemini,
    /// Bedrock's `Converse`.
    Converse,
    /// OpenAI's responses: spoken to whoever calls by them, where the provider has them.
    Responses,
}

/// What an answer is limited to where its caller says nothing and the API asks for a limit, in
/// tokens.
const UNSAID: u64 = 4096;

/// How a model of Anthropic's wants to be asked, by the version in its name.
fn claude(model: &str) -> anthropic::request::Defaults {
    let version = version(model).unwrap_or((4, 5));
    anthropic::request::Defaults {
        max_tokens: UNSAID,
        thinking: match version >= (4, 6) {
            true => anthropic::request::Thinking::Adaptive,
            false => anthropic::request::Thinking::Budget,
        },
        sampling: version < (4, 7),
    }
}

/// The version in a name as `claude-opus-4-6` or `claude-3-7-sonnet-20250219`.
fn version(model: &str) -> Option<(u32, u32)> {
    let mut parts = model
        .split(['-', '.'])
        .skip_while(|part| part.parse::<u32>().is_err());
    let major = parts.next()?.parse().ok().filter(|major| *major < 100)?;
    let minor = parts.next().and_then(|part| part.parse().ok());
    // What follows may be the day of a snapshot.
    Some((major, minor.filter(|minor| *minor < 100).unwrap_or(0)))
}

impl Inbound {
    /// Whether a provider speaks alike, so that nothing need be translated.
    pub(super) const fn is(self, provider: Outbound) -> bool {
        matches!(
            (self, provider),
            (Self::Chat, Outbound::Chat)
                | (Self::Messages, Outbound::Messages)
                | (Self::Gemini, Outbound::Gemini)
                | (Self::Responses, Outbound::Responses)
        )
    }

    /// The dialect of its errors.
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Chat | Self::Responses => Dialect::OpenAi,
            Self::Messages => Dialect::Anthropic,
            Self::Gemini => Dialect::Gemini,
            Self::Prompt => Dialect::Problem,
        }
    }

    /// Reads a request. Where the path says them, `model` and `stream` are not in it. A prompt's is
    /// not read but made.
    pub(super) fn read<'a>(
        self,
        body: &'a [u8],
        model: Option<&'a str>,
        stream: Option<bool>,
    ) -> Result<Request<'a>, Fault> {
        match self {
            Self::Chat => openai::chat::read(body),
            Self::Responses => responses::request::read(body),
            Self::Messages => anthropic::request::read(body),
            Self::Gemini => {
                gemini::request::read(body, model.unwrap_or_default(), stream.unwrap_or(false))
            }
            Self::Prompt => Err(prompt::unread()),
        }
    }

    /// Writes a whole answer.
    pub(super) fn write(self, out: &mut Vec<u8>, answer: &Answer<'_>, envelope: &Envelope<'_>) {
        match self {
            Self::Chat => completion::write(out, answer, envelope),
            Self::Responses => responses::answer::write(out, answer, envelope),
            Self::Messages => anthropic::answer::write(out, answer, envelope),
            Self::Gemini => gemini::answer::write(out, answer, envelope),
            Self::Prompt => prompt::answer::write(out, answer),
        }
    }
}

impl Outbound {
    /// Writes a request.
    pub(super) fn write(
        self,
        request: &Request<'_>,
        profile: &Profile,
    ) -> Result<Written, Refused> {
        match self {
            Self::Chat => openai::chat::write(request, profile),
            Self::Messages => anthropic::request::write(request, &claude(&request.model)),
            Self::Gemini => gemini::request::write(request),
            Self::Converse => bedrock::request::write(request),
            Self::Responses => responses::request::write(request),
        }
    }

    /// Reads a whole answer. Calls of tools without a name of their own are named after `seed`.
    pub(super) fn read<'a>(self, body: &'a [u8], seed: &str) -> Result<Answer<'a>, Malformed> {
        match self {
            Self::Chat => completion::read(body, seed),
            Self::Messages => anthropic::answer::read(body, seed),
            Self::Gemini => gemini::answer::read(body, seed),
            Self::Converse => bedrock::answer::read(body, seed),
            Self::Responses => responses::answer::read(body, seed),
        }
    }

    /// Reads what is said of a call that failed. `kind` is what the head says of that, where it says
    /// it there.
    pub(super) fn read_error<'a>(
        self,
        status: u16,
        kind: Option<&'a str>,
        body: &'a [u8],
    ) -> Error<'a> {
        match self {
            Self::Chat | Self::Responses => openai::error::read(status, body),
            Self::Messages => anthropic::error::read(status, body),
            Self::Gemini => gemini::error::read(status, body),
            Self::Converse => bedrock::error::read(status, kind, body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_models_version_is_read_from_its_name() {
        assert_eq!(version("claude-opus-4-6"), Some((4, 6)));
        assert_eq!(version("claude-sonnet-4-20250514"), Some((4, 0)));
        assert_eq!(version("claude-3-7-sonnet-20250219"), Some((3, 7)));
        assert_eq!(version("claude-sonnet-5"), Some((5, 0)));
        assert_eq!(version("smart"), None);
    }
}
