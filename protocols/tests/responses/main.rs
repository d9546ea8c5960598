//! OpenAI's Responses dialect, read and written.

mod answers;
mod parts;
mod passing;
mod request_read;
mod request_write;
mod stream_read;
mod stream_write;

#[path = "../../fuzz/checks_responses.rs"]
mod checks;
