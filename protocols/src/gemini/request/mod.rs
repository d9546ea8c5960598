//! A call of a model: `GenerateContentRequest`, both ways. Which model it is stands in the path.
//!
//! | Module | Is |
//! |---|---|
//! | `read` | the request as callers send it |
//! | `contents` | its turns |
//! | `calls` | which result belongs to which call, where neither has an id |
//! | `media` | images, sounds and documents, both ways |
//! | `functions` | what the model may call, and whether it must |
//! | `config` | `GenerationConfig` |
//! | `write` | the request as a provider takes it |
//! | `turns` | its turns, written |
//! | `options` | its `GenerationConfig`, written |

mod calls;
mod config;
mod contents;
mod functions;
mod media;
mod options;
mod read;
mod turns;
mod write;

pub(super) use media::{of_type as media_of_type, write as medium};
pub use read::read;
pub(super) use read::request;
pub use write::write;
