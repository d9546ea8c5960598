//! Anthropic's Messages dialect as bytes: requests, answers, streams and errors, read into and
//! written from [`llm`](crate::llm).
//!
//! It follows the Messages API reference (`POST /v1/messages`, `POST /v1/messages/count_tokens`,
//! `GET /v1/models`, "Errors", "Streaming messages"). Its versions `2023-06-01` and `2026-10-21` are
//! alike in what is read and written here, save that the later has no `temperature`, `top_p` and
//! `top_k`: see [`request::Defaults`].
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | [`request`] | a call, or what is to be counted | a call |
//! | [`answer`] | a whole message | a whole message |
//! | [`stream`] | a message, event by event | the same |
//! | [`error`] | the error object | the error object |
//! | [`models`] | | the list of models |
//! | [`count_tokens`] | | the count |
//!
//! What runs on Anthropic's side (server tools, containers, MCP, citations) has no counterpart
//! elsewhere: requests that name it are faults here, and can only be passed through to Anthropic as
//! they are. Nothing here knows a model by name.

pub mod answer;
mod block;
pub mod count_tokens;
pub mod error;
mod finish;
pub mod models;
pub mod request;
pub mod stream;
mod usage;
