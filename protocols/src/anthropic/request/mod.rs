//! A call: the body of `POST /v1/messages`, or what of it is counted.
//!
//! | Module | |
//! |---|---|
//! | `read` | reads the members at the top; `content` and `settings` those beneath |
//! | `write` | writes all of it; `turns` and `blocks` the conversation, `tools` what may be called, `thinking` how much is thought |
//! | `media` | images and documents, both ways |
//! | `call_id` | names of calls that came from elsewhere |

mod blocks;
mod call_id;
mod content;
mod media;
mod read;
mod settings;
mod thinking;
mod tools;
mod turns;
mod write;

pub use read::{read, read_for_count};
pub use write::{Defaults, Thinking, write};
