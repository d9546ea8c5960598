//! `weir check`: everything that is wrong with a configuration.

use std::path::PathBuf;

use super::{Failure, Terminal, load};

/// Checks a configuration without serving it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A YAML file, or a directory of them
    #[arg(value_name = "PATH", required_unless_present = "config")]
    path: Option<PathBuf>,
    /// The same, as `weir run` takes it
    #[arg(long, value_name = "PATH", conflicts_with = "path")]
    config: Option<PathBuf>,
}

/// Prints faults and warnings, or what there is.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let path = arguments.path.as_ref().or(arguments.config.as_ref());
    let path = path.ok_or_else(|| Failure::Told("name a configuration".to_owned()))?;
    let loaded = load(path, terminal)?;
    let config = &loaded.config;
    let count =
        |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    writeln!(
        terminal.out,
        "{} is good: {}, {}, {}",
        path.display(),
        count(config.routes.len(), "route"),
        count(config.listeners.len(), "listener"),
        count(loaded.warnings.len(), "warning"),
    )?;
    Ok(())
}
