//! Anthropic's dialect: what its documents say is read and written as they say it.

#[path = "anthropic/any_bytes.rs"]
mod any_bytes;
#[path = "anthropic/asked.rs"]
mod asked;
#[path = "anthropic/events.rs"]
mod events;
#[path = "anthropic/reading.rs"]
mod reading;
#[path = "anthropic/stream_reading.rs"]
mod stream_reading;
#[path = "anthropic/stream_writing.rs"]
mod stream_writing;
#[path = "anthropic/thinking.rs"]
mod thinking;
#[path = "anthropic/writing.rs"]
mod writing;
