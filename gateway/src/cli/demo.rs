//! `weir demo`: the gateway with everything it calls, in one process.

use super::Failure;
use crate::demo;

/// Serves the demonstration until it is interrupted.
pub(super) fn run() -> Result<(), Failure> {
    demo::run().map_err(Failure::Told)
}
