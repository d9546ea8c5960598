//! OpenAI's Responses dialect: `POST /v1/responses`, whole and streamed, as its API reference
//! publishes it ("Responses", "Streaming events").
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | [`request`] | what a caller asks | what a provider that speaks this dialect is asked |
//! | [`answer`] | a response object | one |
//! | [`stream`] | its events | them |
//! | [`usage`] | what was used, of an answer that passes through | |
//! | [`Skim`] | what a gateway decides by, of a request that passes through | |
//!
//! The dialect can keep conversations, prompts and files at the provider and can have the provider
//! run tools of its own. None of that is known here: a request that rests on it can only be passed
//! through, and [`request::read`] says so.

pub mod answer;
mod failure;
pub mod request;
mod skim;
pub mod stream;
pub mod usage;
mod wire;

pub use skim::{Limit, Skim};

/// How the ids of reasoning items begin that hold thoughts nobody but their provider can read:
/// what tells them, when they are sent back, from thoughts that are signed but empty.
const REDACTED: &str = "rs_redacted_";
