//! The dialect of Google's Gemini models, in and out: `generateContent` and its companions, as the
//! Gemini API (v1beta) and Vertex AI (v1) publish them. Knows no key, no endpoint and no price.
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | [`path`] | which model is called by which method | where to call it |
//! | [`request`] | `GenerateContentRequest` | the same |
//! | [`answer`] | `GenerateContentResponse` | the same |
//! | [`stream`] | the same, piece by piece (`alt=sse`) | as events, or as one JSON array |
//! | [`error`] | `google.rpc.Status` | the same |
//! | [`count_tokens`] | `CountTokensRequest` | `CountTokensResponse` |
//! | [`embed`] | `BatchEmbedContentsResponse` | `BatchEmbedContentsRequest` |
//! | [`models`] | | `ListModelsResponse`, `Model` |
//!
//! Both APIs follow protobuf's JSON: members are written in camel case and read in snake case too,
//! and bytes are base64 of either alphabet.

pub mod answer;
mod base64;
pub mod count_tokens;
pub mod embed;
pub mod error;
mod finish;
mod member;
mod model;
pub mod models;
pub mod path;
pub mod request;
mod schema;
pub mod stream;
mod thought;
mod usage;
mod wire;
