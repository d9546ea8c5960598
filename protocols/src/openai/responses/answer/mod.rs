//! Response objects, whole.
//!
//! | An item | Is |
//! |---|---|
//! | `reasoning` | thoughts: its summary or, without one, its content; `encrypted_content` signs them |
//! | `message` | text and refusals |
//! | `function_call` | a call; `call_id` is what its result refers to |
//! | any other | not told: only a request in this dialect can ask for one |
//!
//! A response has one answer, and no word for the text it stopped at.

mod read;
mod write;

pub(super) use read::{Body, Item, signature, whole};
pub use read::{failure, read};
pub use write::write;
