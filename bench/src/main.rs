//! `weir-bench`: what a request through the gateway costs in CPU time, beside nginx, beside a bare
//! Pingora proxy, beside Envoy, and beside other gateways of language models; and what the bridge to Kafka
//! costs.
//!
//! One binary plays every part: it conducts the run, generates the load, and, started again as
//! its own child, is the upstream and the bare proxy. It knows the gateway only as a program with
//! a configuration file, so that what is measured is what is shipped.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark's product is what it prints; progress goes to stderr"
)]

mod answer;
mod bare;
mod case;
mod cli;
mod clock;
mod contender;
mod cpu;
mod documents;
mod failure;
mod frames;
mod gateway;
mod hostile;
mod idle;
mod instructions;
mod kafka;
mod llm;
mod load;
mod machine;
mod process;
mod protocols;
mod report;
mod right;
mod rounds;
mod scrape;
mod sink;
mod stage;
mod stats;
mod tether;
mod upstream;
mod wire;
mod words;

use std::process::ExitCode;

use clap::Parser;

/// The gateway's allocator, so that the bare proxy differs from it in logic alone.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("weir-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
