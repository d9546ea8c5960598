//! What bytes mean: the wire formats Weir reads and writes, sans I/O.
//!
//! Bytes go in, typed events or typed faults come out. Nothing here opens a
//! socket, waits, logs, counts or knows that a gateway exists; that is what
//! makes every parser testable on a transcript split at any byte.
//!
//! | Module | Reads | Writes |
//! |---|---|---|
//! | [`http1::head`] | a request head, before any HTTP library sees it | |
//! | [`sse`] | an event stream, event by event | events and comments |
//! | [`image`] | the size of an image, from its first bytes | |
//! | [`openai`] | chat requests, usage, stream chunks | edits, errors, model lists |
//! | [`problem`] | | RFC 9457 problem documents |
//! | [`rate_limit`] | | `RateLimit` and `RateLimit-Policy` fields |
//!
//! These sit on the way of every request, so they borrow from the input
//! wherever they can and say so where they cannot.

pub mod http1;
pub mod image;
pub mod openai;
pub mod problem;
pub mod rate_limit;
pub mod sse;
