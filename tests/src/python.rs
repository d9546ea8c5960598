//! Python programs on the environment `make deps` makes, with the SDKs and clients in it that the tests
//! drive.
//!
//! It runs them and hands back what they printed.

use std::process::{Command, Stdio};

use crate::cli::Output;
use crate::scratch;

/// Runs a program given as text to its end, with environment variables besides the inherited ones.
///
/// # Panics
/// If the environment is missing.
pub fn run(program: &str, environment: &[(&str, &str)]) -> Output {
    let python = scratch::target_dir().join("servers/python/bin/python");
    let output = Command::new(&python)
        .args(["-c", program])
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{} ({error}): `make deps WHAT=test` makes it",
                python.display()
            )
        });
    Output::from(output)
}
