//! A chat completions request, read by borrowing and edited by splicing.
//!
//! A gateway needs a handful of members of a body it otherwise forwards as it
//! came. [`Request`] finds them and their places; [`Splice`] changes bytes at
//! those places and leaves all others alone. Unknown members are neither
//! refused nor read: they are the provider's business.
//!
//! Where the model speaks another dialect, [`read`] reads all of it, and [`write()`] writes what
//! callers of another dialect ask.

mod messages;
mod profile;
mod prompt;
mod read;
mod reader;
mod request;
mod splice;
mod write;

pub use crate::json::{Fault, Kind};
pub use profile::{Profile, Seed};
pub use read::read;
pub use request::{LimitField, OutputLimit, Request};
pub use splice::{Piece, Splice};
pub use write::write;
