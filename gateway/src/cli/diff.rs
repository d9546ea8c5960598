//! `weir diff`: what a reload would change.

use std::path::PathBuf;

use super::{Failure, Terminal, load};
use crate::config;

/// Compares two configurations. Paths are told, never values. Exits with 1 if
/// a reload would be refused.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration in force
    old: PathBuf,
    /// The one to come
    new: PathBuf,
}

/// Prints the changes, and what a reload would refuse.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let old = load(&arguments.old, terminal)?;
    let new = load(&arguments.new, terminal)?;
    let changes = config::diff(&old, &new);
    if changes.is_empty() {
        writeln!(terminal.out, "nothing changes")?;
    }
    for change in &changes {
        writeln!(terminal.out, "{change}")?;
    }
    let refused: Vec<String> = changes.iter().flat_map(config::Change::refused).collect();
    for what in &refused {
        writeln!(
            terminal.err,
            "a reload refuses {what}; restart or upgrade instead"
        )?;
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Failure::Silent)
    }
}
