//! A chat completion in terms that every dialect shares: a whole one, and one that is streamed.
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | `answer` | [`read`] | [`write()`] |
//! | `reader` | [`Reader`]: chunks into events | |
//! | `writer` | | [`Writer`]: events into chunks |
//!
//! Thoughts stand in `reasoning_content`, as most servers have it; signatures and encrypted
//! thoughts of other dialects have no place in this one and are left out.

mod answer;
mod reader;
mod wire;
mod writer;

pub use answer::{read, write};
pub use reader::Reader;
pub use writer::{Cut, Writer};

use crate::llm::Finish;

/// What a `finish_reason` means.
fn finish(word: &str) -> Finish {
    match word {
        "stop" => Finish::Stop,
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filtered,
        _ => Finish::Other,
    }
}

/// The `finish_reason` that is nearest. A turn that was interrupted or a call that came out broken
/// has no word of its own: its text is whole as far as it goes.
const fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
        Finish::Stop
        | Finish::StopSequence
        | Finish::Refusal
        | Finish::Paused
        | Finish::MalformedCall
        | Finish::Other => "stop",
    }
}
