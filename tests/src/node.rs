//! Node programs on the modules `make deps` fetches, with the SDKs and clients among them
//! that the tests drive.
//!
//! It runs them and hands back what they printed.

use std::process::{Command, Stdio};

use crate::cli::Output;
use crate::scratch;

/// Runs a module given as text to its end, with environment variables besides the inherited ones.
///
/// # Panics
/// If Node is missing.
pub fn run(program: &str, environment: &[(&str, &str)]) -> Output {
    let home = scratch::target_dir().join("servers/node");
    let node = home.join("node_modules/.bin/node");
    let output = Command::new(&node)
        // What a module given as text imports is looked for from here.
        .current_dir(&home)
        .args(["--input-type=module", "--eval", program])
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{} ({error}): `make deps WHAT=test` fetches it",
                node.display()
            )
        });
    Output::from(output)
}
