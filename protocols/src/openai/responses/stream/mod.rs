//! The events of a streamed response.
//!
//! A response is `response.created`, then for every item of its output `response.output_item.added`,
//! what is added to it, and `response.output_item.done`, and at last `response.completed`,
//! `response.incomplete` or `response.failed`. The name of an event is its `type`; events are
//! numbered by `sequence_number`.

mod item;
mod reader;
mod wire;
mod writer;

pub use reader::Reader;
pub use writer::{MOST, Writer};
