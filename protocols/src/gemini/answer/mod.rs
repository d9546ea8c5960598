//! A whole answer: `GenerateContentResponse`, both ways.
//!
//! | Module | Is |
//! |---|---|
//! | `response` | the response as it arrives, whole or as a piece of a stream |
//! | `read` | the answer it is |
//! | `write` | the response as callers expect it |

mod read;
pub(super) mod response;
mod write;

pub use read::read;
pub use write::write;
pub(super) use write::{Candidate, Response, body, signature};
