//! A chat completions request, read by borrowing and edited by splicing.
//!
//! A gateway needs a handful of members of a body it otherwise forwards as it
//! came. [`Request`] finds them and their places; [`Splice`] changes bytes at
//! those places and leaves all others alone. Unknown members are neither
//! refused nor read: they are the provider's business.

mod fault;
mod messages;
mod prompt;
mod reader;
mod request;
mod splice;

pub use fault::{Fault, Kind};
pub use prompt::{Detail, Image, Part};
pub use request::{LimitField, OutputLimit, Request};
pub use splice::{Piece, Splice};
