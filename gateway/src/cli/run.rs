//! `weir run`: serves a configuration.

use std::path::PathBuf;

use super::{Failure, Terminal, load};
use crate::server::run as server;

/// Serves a configuration until SIGTERM or SIGINT; SIGHUP reloads it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A YAML file, or a directory of them
    #[arg(long, value_name = "PATH")]
    config: PathBuf,
    /// Take over the sockets of the process that runs now, and let it end
    #[arg(long)]
    upgrade: bool,
}

/// Serves; returns when everything has ended.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let loaded = load(&arguments.config, terminal)?;
    let start = server::Start {
        loaded,
        path: Some(arguments.config.clone()),
        upgrade: arguments.upgrade,
    };
    // One line a socket, in words a script can read: a port 0 is known from here only.
    let ready = |bound: &[(String, std::net::SocketAddr)]| {
        for (name, address) in bound {
            // whether anybody reads along does not matter to those who are served
            let _ = writeln!(terminal.err, "listening name={name} address={address}");
        }
        let _ = writeln!(terminal.err, "ready");
    };
    server::run(start, ready).map_err(Failure::Told)
}
