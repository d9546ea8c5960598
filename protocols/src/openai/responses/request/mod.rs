//! Requests for a response, read from callers and written for providers.

mod read;
mod write;

pub use read::read;
pub use write::write;
