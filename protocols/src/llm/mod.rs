//! What a call of a language model says, whatever dialect it is written in.
//!
//! Every dialect is read into these types and written from them, so that any can be put in front of
//! any other: a request is read from the caller's dialect and written in the provider's, the answer
//! goes the other way. Text is borrowed from the bytes that were read wherever they hold it as it is.
//!
//! | Module | Is |
//! |---|---|
//! | [`request`] | what is asked, and how it is to be answered |
//! | [`message`] | turns of a conversation and their parts |
//! | [`prompt`] | what of a request costs tokens |
//! | [`tool`] | what a model may call |
//! | [`answer`] | a whole answer |
//! | [`event`] | an answer, piece by piece |
//! | [`gather`] | one as the other |
//! | [`Mould`] | what the events of a stream have in common |
//! | [`usage`] | what it used |
//! | [`finish`] | why it ended |
//! | [`error`] | why there is none |
//! | [`Edit`] | a request changed in a few places |
//! | [`Fault`] | why a request cannot be read |
//! | [`loss`] | what a dialect cannot say: refused, or dropped and told |
//!
//! Nothing here knows a dialect, a provider or a price.

pub mod answer;
pub mod error;
pub mod event;

pub mod finish;
pub mod gather;
mod json;
pub mod loss;
pub mod message;
mod mould;
pub mod prompt;
pub mod request;
pub mod tool;
pub mod usage;

pub use crate::json::{Edit, Fault, Kind as FaultKind};
pub use answer::{Answer, Choice, Envelope};
pub use error::{Error, Malformed};
pub use event::Event;
pub use finish::Finish;
pub use gather::Gather;
pub use json::Json;
pub use loss::{Refused, Written};
pub use message::{Media, Message, Part, Role, Source};
pub use mould::Mould;
pub use request::{Effort, Format, Reasoning, Request, Sampling};
pub use tool::{Choose, Tool, ToolCall, ToolResult};
pub use usage::Usage;
