//! `request_reply` on a real Kafka, with somebody who replies: every caller has its own reply, at once or at its
//! status URL, at whichever gateway.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod failures;
mod later;
mod now;
mod responder;
mod setup;
