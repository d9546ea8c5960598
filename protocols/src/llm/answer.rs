//! A whole answer.

use std::borrow::Cow;

use super::finish::Finish;
use super::message::Part;
use super::usage::Usage;

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer<'a> {
    /// The provider's name for the answer, if it gives one.
    pub id: Option<Cow<'a, str>>,
    /// The model that answered, as the provider calls it.
    pub model: Option<Cow<'a, str>>,
    /// The answers, as many as were asked for.
    pub choices: Vec<Choice<'a>>,
    /// What it used, if the provider says.
    pub usage: Option<Usage>,
}

/// One of the answers to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice<'a> {
    /// Its number, from 0.
    pub index: u64,
    /// What it says: text, reasoning, tool calls, refusals.
    pub parts: Vec<Part<'a>>,
    /// Why it ended, if the provider says.
    pub finish: Option<Finish>,
    /// The text it ended at, if it ended at one.
    pub stopped_at: Option<Cow<'a, str>>,
}

/// What stands around an answer in dialects whose callers expect it, where the provider gave none.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'e> {
    /// The answer's name, without a dialect's prefix: letters and digits, at most 32.
    pub id: &'e str,
    /// The model, as the provider was asked for it.
    pub model: &'e str,
    /// When it was begun, in seconds since the Unix epoch.
    pub created: u64,
}
