//! Server-sent events as bytes (WHATWG HTML, "Server-sent events").
//!
//! [`Splitter`] cuts a stream into events without changing a byte of it,
//! [`Event`] reads one, [`write_event`] and [`write_comment`] make our own.
//! Nothing here knows what the data of an event means, or reconnects.

mod event;
mod splitter;
mod write;

pub use event::{Event, Fields};
pub use splitter::{Splitter, Tail, TooLong};
pub use write::{LineBreak, Outgoing, write_comment, write_event};
