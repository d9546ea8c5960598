//! The data of a stream's events as they come. Members it does not know are passed over.

use serde::Deserialize;

use crate::anthropic::block::{Block, StopDetails};
use crate::anthropic::{error, usage};
use crate::json::Text;

/// The data of an event, with the members of every type.
#[derive(Deserialize)]
pub(super) struct Data<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) sort: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow, default)]
    pub(super) content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(default)]
    pub(super) usage: Option<usage::Report>,
    #[serde(borrow, default)]
    pub(super) error: Option<error::Received<'a>>,
}

/// What `message_start` says of the message.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) model: Option<Text<'a>>,
    #[serde(default)]
    pub(super) usage: Option<usage::Report>,
}

/// A piece of a block, or why the message ends.
#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) sort: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) partial_json: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) stop_sequence: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) stop_details: Option<StopDetails<'a>>,
}
