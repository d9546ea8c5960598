//! A message, event by event ("Streaming messages" in the API reference):
//!
//! `message_start`, then per block `content_block_start`, `content_block_delta`s and
//! `content_block_stop`, then `message_delta` and `message_stop`; `ping` and `error` at any time.

mod calls;
mod data;
mod reader;
mod wire;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
