//! `weir demo`: the gateway with everything it calls, in one process.

use super::Failure;
use crate::demo::{self, Ports};

/// Serves a demonstration, with everything it calls inside.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Listen on whatever ports are free, rather than on 8080, 9901 and 9902
    #[arg(long)]
    free_ports: bool,
}

/// Serves the demonstration until it is interrupted.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let ports = if arguments.free_ports {
        Ports::Free
    } else {
        Ports::Known
    };
    demo::run(ports).map_err(Failure::Told)
}
