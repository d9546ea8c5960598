//! OpenAI's chat completions dialect as bytes: what a gateway must read of a
//! request and an answer, and the few documents it writes itself. Knows no
//! provider, no price and no quota; unknown members pass unseen.

pub mod chat;
pub mod completion;
pub mod embeddings;
pub mod error;
pub mod finish;
mod media;
pub mod model_list;
pub mod responses;
pub mod usage;
