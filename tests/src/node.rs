//! Node programs on the modules `make deps` fetches, with the SDKs and clients among them
//! that the tests drive.
//!
//! It runs them, and hands back what they printed or the process that still prints.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::child::{self, Child};
use crate::cli::Output;
use crate::scratch;

/// Runs a module given as text to its end, with environment variables besides the inherited ones.
///
/// # Panics
/// If Node is missing.
pub fn run(program: &str, environment: &[(&str, &str)]) -> Output {
    let node = executable();
    let mut command = Command::new(&node);
    give(&mut command, program, environment);
    let output = command
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

/// Starts a module given as text that ends only when it is dropped.
///
/// # Panics
/// If `setpriv` is missing.
pub fn start(program: &str, environment: &[(&str, &str)]) -> Child {
    let mut command = child::command(executable());
    give(&mut command, program, environment);
    Child::start("Node", command)
}

fn home() -> PathBuf {
    scratch::target_dir().join("servers/node")
}

fn executable() -> PathBuf {
    home().join("node_modules/.bin/node")
}

fn give(command: &mut Command, program: &str, environment: &[(&str, &str)]) {
    command
        // What a module given as text imports is looked for from here.
        .current_dir(home())
        .args(["--input-type=module", "--eval", program])
        .envs(environment.iter().copied());
}
