//! A whole message, as `POST /v1/messages` answers.

mod read;
mod write;

pub use read::read;
pub use write::write;
