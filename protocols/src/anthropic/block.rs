//! A block of content as Anthropic sends it: whole in an answer, or at its start in a stream.
//! Members it does not know are passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::Text;

/// A block with the members of every type, of which each has its own.
#[derive(Debug, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) sort: Text<'a>,
    #[serde(borrow, default)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
}

/// Why a model declined, as far as it is said.
#[derive(Debug, Deserialize)]
pub(super) struct StopDetails<'a> {
    #[serde(borrow, default)]
    pub(super) explanation: Option<Text<'a>>,
}

/// What a call is named by where the provider gives it no name: the answer's seed and its number.
pub(super) fn call_id(seed: &str, number: u64) -> Cow<'static, str> {
    Cow::Owned(format!("call_{seed}_{number}"))
}
