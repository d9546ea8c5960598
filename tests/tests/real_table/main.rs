//! `table` on a real Kafka: a compacted topic as a resource, of which no update is lost whatever becomes of
//! gateways.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

mod compaction;
mod counters;
mod figures;
mod killed;
mod patches;
mod scene;
mod schema;
mod values;
