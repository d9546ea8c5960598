//! In what servers that speak OpenAI's dialect differ, as data. Knows no server by name.

use super::request::LimitField;

/// How one server wants chat requests written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The member that limits output where the caller wrote none.
    pub limit: LimitField,
    /// Whether that is the only one it knows: a caller's other one becomes this.
    pub one_limit: bool,
    /// Whether instructions are a `developer`'s rather than a `system`'s.
    pub developer: bool,
    /// Whether a stream's usage must be asked for by `stream_options`. Those who report it anyway
    /// may refuse the member.
    pub ask_usage: bool,
    /// Whether `reasoning_effort` is understood.
    pub effort: bool,
    /// Whether a schema for the answer is understood.
    pub schema: bool,
    /// Whether several answers (`n`) can be had.
    pub choices: bool,
    /// How a seed is called, where one is understood.
    pub seed: Option<Seed>,
    /// Whether `frequency_penalty` and `presence_penalty` are understood.
    pub penalties: bool,
    /// Whether `logit_bias` is understood.
    pub logit_bias: bool,
    /// Whether `logprobs` and `top_logprobs` are understood, as OpenAI means them.
    pub logprobs: bool,
    /// Whether `parallel_tool_calls` is understood.
    pub parallel_tool_calls: bool,
    /// Whether authors of messages may have a `name`.
    pub names: bool,
    /// Whether `user` is understood.
    pub user: bool,
}

/// What a seed is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// `seed`.
    Seed,
    /// `random_seed`.
    RandomSeed,
}

impl Profile {
    /// OpenAI's own API today.
    pub const OPENAI: Self = Self {
        limit: LimitField::MaxCompletionTokens,
        one_limit: false,
        developer: true,
        ask_usage: true,
        effort: true,
        schema: true,
        choices: true,
        seed: Some(Seed::Seed),
        penalties: true,
        logit_bias: true,
        logprobs: true,
        parallel_tool_calls: true,
        names: true,
        user: true,
    };

    /// What most servers of open models understand.
    pub const COMPATIBLE: Self = Self {
        limit: LimitField::MaxTokens,
        developer: false,
        ..Self::OPENAI
    };
}
