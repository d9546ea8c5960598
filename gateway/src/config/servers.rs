//! Servers that speak OpenAI's dialect, and in what each differs from the others: one table.
//!
//! What stands here was published by whoever runs the server; each entry names where. Members that a
//! server's reference does not have are taken to be unknown to it, because several refuse them. Knows
//! no model: what only some of a server's models lack is the server's to refuse.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weir_protocols::openai::chat::{LimitField, Profile, Seed};

/// A server that speaks OpenAI's dialect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// Any other: what most servers understand.
    #[default]
    Generic,
    /// OpenAI itself.
    Openai,
    /// vLLM.
    Vllm,
    /// Ollama.
    Ollama,
    /// Mistral.
    Mistral,
    /// Groq.
    Groq,
    /// Together AI.
    Together,
    /// DeepSeek.
    Deepseek,
    /// OpenRouter.
    Openrouter,
    /// xAI.
    Xai,
    /// Fireworks AI.
    Fireworks,
    /// Cerebras.
    Cerebras,
}

/// What is known of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, if it is at one place for everybody.
    pub base_url: Option<&'static str>,
    /// How it wants chat requests written.
    pub chat: Profile,
    /// Whether it has the Responses API, conversations that it keeps included. Those that keep none
    /// pass over `previous_response_id` or refuse it, so that they are asked by chat completions.
    pub responses: bool,
}

impl Server {
    /// All that are at one place for everybody.
    const PUBLIC: [Self; 9] = [
        Self::Openai,
        Self::Mistral,
        Self::Groq,
        Self::Together,
        Self::Deepseek,
        Self::Openrouter,
        Self::Xai,
        Self::Fireworks,
        Self::Cerebras,
    ];

    /// The server at this host, port or not.
    pub fn of_authority(authority: &str) -> Self {
        let host = |url: &str| {
            let bare = url.split_once("://").map_or(url, |(_, after)| after);
            let end = bare.find(['/', ':']).unwrap_or(bare.len());
            bare[..end].to_ascii_lowercase()
        };
        let is_it = |server: &Self| {
            let url = server.entry().base_url;
            url.is_some_and(|url| host(url) == host(authority))
        };
        let found = Self::PUBLIC.into_iter().find(is_it);
        found.unwrap_or_default()
    }

    /// What is known of it.
    pub const fn entry(self) -> Entry {
        match self {
            Self::Generic => GENERIC,
            Self::Openai => OPENAI,
            Self::Vllm => VLLM,
            Self::Ollama => OLLAMA,
            Self::Mistral => MISTRAL,
            Self::Groq => GROQ,
            Self::Together => TOGETHER,
            Self::Deepseek => DEEPSEEK,
            Self::Openrouter => OPENROUTER,
            Self::Xai => XAI,
            Self::Fireworks => FIREWORKS,
            Self::Cerebras => CEREBRAS,
        }
    }
}

const GENERIC: Entry = Entry {
    base_url: None,
    chat: Profile::COMPATIBLE,
    responses: false,
};

/// OpenAI's API reference, "Chat Completions" and "Responses".
const OPENAI: Entry = Entry {
    base_url: Some("https://api.openai.com/v1"),
    chat: Profile::OPENAI,
    responses: true,
};

/// vLLM's documentation, "OpenAI-Compatible Server": it passes over `user`, and has the Responses
/// API but keeps nothing unless it is told to.
const VLLM: Entry = Entry {
    chat: Profile {
        user: false,
        ..Profile::COMPATIBLE
    },
    ..GENERIC
};

/// Ollama's documentation, "OpenAI compatibility", supported request fields; its Responses API keeps
/// nothing.
const OLLAMA: Entry = Entry {
    chat: Profile {
        one_limit: true,
        choices: false,
        logit_bias: false,
        parallel_tool_calls: false,
        names: false,
        user: false,
        ..Profile::COMPATIBLE
    },
    ..GENERIC
};

/// Mistral's API specification, `ChatCompletionRequest`: what it does not have is refused with 422.
/// A stream ends with what was used without being asked.
const MISTRAL: Entry = Entry {
    base_url: Some("https://api.mistral.ai/v1"),
    chat: Profile {
        one_limit: true,
        ask_usage: false,
        effort: false,
        seed: Some(Seed::RandomSeed),
        logit_bias: false,
        logprobs: false,
        names: false,
        user: false,
        ..Profile::COMPATIBLE
    },
    responses: false,
};

/// Groq's documentation, "OpenAI Compatibility": `logprobs`, `logit_bias`, `top_logprobs`,
/// `messages[].name` and several answers are refused with 400. Its Responses API keeps nothing.
const GROQ: Entry = Entry {
    base_url: Some("https://api.groq.com/openai/v1"),
    chat: Profile {
        limit: LimitField::MaxCompletionTokens,
        choices: false,
        logit_bias: false,
        logprobs: false,
        names: false,
        ..Profile::COMPATIBLE
    },
    responses: false,
};

/// Together's API reference, "Create chat completion": its `logprobs` is a number.
const TOGETHER: Entry = Entry {
    base_url: Some("https://api.together.ai/v1"),
    chat: Profile {
        one_limit: true,
        logprobs: false,
        parallel_tool_calls: false,
        user: false,
        ..Profile::COMPATIBLE
    },
    responses: false,
};

/// DeepSeek's API documentation, "Create Chat Completion": an answer is text or any JSON object.
const DEEPSEEK: Entry = Entry {
    base_url: Some("https://api.deepseek.com"),
    chat: Profile {
        one_limit: true,
        effort: false,
        schema: false,
        choices: false,
        seed: None,
        logit_bias: false,
        parallel_tool_calls: false,
        user: false,
        ..Profile::COMPATIBLE
    },
    responses: false,
};

/// OpenRouter's API reference, "Parameters"; its Responses API keeps nothing.
const OPENROUTER: Entry = Entry {
    base_url: Some("https://openrouter.ai/api/v1"),
    ..GENERIC
};

/// xAI's API reference, "Chat completions": `max_tokens` is the older name, `logit_bias` is not
/// supported, and models that reason refuse penalties. "Responses" keeps conversations.
const XAI: Entry = Entry {
    base_url: Some("https://api.x.ai/v1"),
    chat: Profile {
        limit: LimitField::MaxCompletionTokens,
        penalties: false,
        logit_bias: false,
        ..Profile::COMPATIBLE
    },
    responses: true,
};

/// Fireworks' documentation, "OpenAI compatibility": the last chunk of a stream says what was used
/// without being asked. "Responses API" keeps conversations.
const FIREWORKS: Entry = Entry {
    base_url: Some("https://api.fireworks.ai/inference/v1"),
    chat: Profile {
        ask_usage: false,
        ..Profile::COMPATIBLE
    },
    responses: true,
};

/// Cerebras' documentation, "OpenAI Compatibility": penalties, `logit_bias` and
/// `parallel_tool_calls` are refused with 400.
const CEREBRAS: Entry = Entry {
    base_url: Some("https://api.cerebras.ai/v1"),
    chat: Profile {
        limit: LimitField::MaxCompletionTokens,
        penalties: false,
        logit_bias: false,
        parallel_tool_calls: false,
        ..Profile::COMPATIBLE
    },
    responses: false,
};

#[cfg(test)]
mod tests;
