//! LLM workers on a real Kafka: each prompt has its completion, with what it used, under the quotas of its route.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

mod answers;
mod failures;
mod fleet;
mod jobs;
mod setup;
