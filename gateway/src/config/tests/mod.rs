//! What is accepted, what is refused, and in which words.

use super::load::parse_with;
use super::{Faults, Loaded};

mod cache;
mod diff;
mod examples;
mod faults;
mod files;
mod graphql;
mod graphql_feeds;
mod graphql_grpc;
mod grpc;
mod grpc_events;
mod guardrails;
mod idempotency;
mod kafka_identity;
mod llm_workers;
mod policies;
mod prompt;
mod quotas;
mod reference;
mod request_reply;
mod schema;
mod secrets;
mod shape;
mod spools;
mod stores;
mod table;
mod telemetry;
mod usage_events;
mod webhooks;

/// The least that is accepted.
const LEAST: &str = "
version: 1
listeners: [{ name: public, address: 127.0.0.1:0 }]
";

/// Loads the least and `more`, in an environment that holds `TOKEN`.
fn load(more: &str) -> Result<Loaded, Faults> {
    parse_with(&format!("{LEAST}{more}"), &environment)
}

fn environment(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| "sup3r-s3cret-t0ken".to_owned())
}

/// The lines of what is wrong with the least and `more`.
fn faults(more: &str) -> Vec<String> {
    match load(more) {
        Ok(_) => Vec::new(),
        Err(Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// Loads the least and `more`, which is good.
fn good(more: &str) -> Loaded {
    load(more).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Checks that each of `table` has exactly this fault.
fn expect(table: &[(&str, &str)]) {
    for (more, line) in table {
        assert_eq!(faults(more), [*line], "{more}");
    }
}

/// As [`expect`], each after `before`.
fn expect_after(before: &str, table: &[(&str, &str)]) {
    for (more, line) in table {
        assert_eq!(faults(&format!("{before}{more}")), [*line], "{more}");
    }
}
