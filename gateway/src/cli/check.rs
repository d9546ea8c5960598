//! `weir check`: everything that is wrong with a configuration.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Failure, Terminal, load};
use crate::config::{Config, stores};
use crate::quota::Store;
use crate::redis;

/// Checks a configuration without serving it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A YAML file, or a directory of them
    #[arg(value_name = "PATH", required_unless_present = "config")]
    path: Option<PathBuf>,
    /// The same, as `weir run` takes it
    #[arg(long, value_name = "PATH", conflicts_with = "path")]
    config: Option<PathBuf>,
    /// Connect to the servers of each store too, and look whether they would do
    #[arg(long)]
    connect: bool,
}

/// Prints faults and warnings, or what there is.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let path = arguments.path.as_ref().or(arguments.config.as_ref());
    let path = path.ok_or_else(|| Failure::Told("name a configuration".to_owned()))?;
    let loaded = load(path, terminal)?;
    let config = &loaded.config;
    let warned = match arguments.connect {
        true => connect(config, terminal)?,
        false => 0,
    };
    let count =
        |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    writeln!(
        terminal.out,
        "{} is good: {}, {}, {}",
        path.display(),
        count(config.routes.len(), "route"),
        count(config.listeners.len(), "listener"),
        count(loaded.warnings.len() + warned, "warning"),
    )?;
    Ok(())
}

/// Looks at the servers of each store, and says how much should be otherwise.
fn connect(config: &Config, terminal: &mut Terminal<'_>) -> Result<usize, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut warned, mut failed) = (0, 0);
    for store in &config.stores {
        let stores::Kind::Redis(servers) = &store.kind else {
            continue;
        };
        let looked: Result<Vec<String>, Arc<str>> = match config.keeps_answers(&store.name) {
            // Answers may make room, and need not last.
            true => runtime
                .block_on(redis::connect(servers))
                .map(|_| Vec::new()),
            false => runtime.block_on(Store::examine(servers)),
        };
        match looked {
            Ok(warnings) => {
                warned += warnings.len();
                for warning in warnings {
                    writeln!(terminal.err, "warning: store {}: {warning}", store.name)?;
                }
            }
            Err(why) => {
                failed += 1;
                writeln!(terminal.err, "store {}: {why}", store.name)?;
            }
        }
    }
    match failed {
        0 => Ok(warned),
        _ => {
            writeln!(terminal.err, "{failed} of the stores cannot be used")?;
            Err(Failure::Silent)
        }
    }
}
