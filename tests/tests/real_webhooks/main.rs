//! Webhooks on a real Kafka: at least once, in the order of each key, and never silently lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beginning;
mod failures;
mod fleet;
mod schema;
mod send;
mod setup;
