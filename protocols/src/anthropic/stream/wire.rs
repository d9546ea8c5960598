//! The data of a stream's events as they are written.

use serde::Serialize;

use crate::anthropic::usage;

/// An event that says its type only.
#[derive(Serialize)]
pub(super) struct Bare {
    #[serde(rename = "type")]
    pub(super) sort: &'static str,
}

/// `message_start`.
#[derive(Serialize)]
pub(super) struct Start<'a> {
    #[serde(rename = "type")]
    pub(super) sort: &'static str,
    pub(super) message: Message<'a>,
}

/// A message of which nothing is known yet.
#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    #[serde(rename = "type")]
    pub(super) sort: &'static str,
    pub(super) role: &'static str,
    pub(super) model: &'a str,
    pub(super) content: [(); 0],
    pub(super) stop_reason: Option<&'a str>,
    pub(super) stop_sequence: Option<&'a str>,
    pub(super) usage: usage::Written,
}

/// `content_block_start`.
#[derive(Serialize)]
pub(super) struct BlockStart<'a> {
    #[serde(rename = "type")]
    pub(super) sort: &'static str,
    pub(super) index: u64,
    pub(super) content_block: &'a Opening<'a>,
}

/// A block as it begins.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Opening<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Empty,
    },
}

/// `{}`.
#[derive(Serialize)]
pub(super) struct Empty {}

/// `content_block_delta`.
#[derive(Serialize)]
pub(super) struct BlockDelta<'a> {
    #[serde(rename = "type")]
    pub(super) sort: &'static str,
    pub(super) index: u64,
    pub(super) delta: &'a Delta<'a>,
}

/// A piece of a block.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
}

/// `content_block_stop`.
#[derive(Serialize)]
pub(super) struct BlockStop {
    #[serde(rename = "type")]
    pub(super) sort: &'static str,
    pub(super) index: u64,
}

/// `message_delta`.
#[derive(Serialize)]
pub(super) struct MessageDelta<'a> {
    #[serde(rename = "type")]
    pub(super) sort: &'static str,
    pub(super) delta: Ending<'a>,
    pub(super) usage: usage::Written,
}

/// Why the message ends.
#[derive(Serialize)]
pub(super) struct Ending<'a> {
    pub(super) stop_reason: &'static str,
    pub(super) stop_sequence: Option<&'a str>,
}
